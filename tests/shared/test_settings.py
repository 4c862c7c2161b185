from typing import Any

import pytest

from shared.settings import GRAPH_PUBLISHER, Settings, SettingsError

TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
SANDBOX = {
    "ANTESALA_ENVIRONMENT": "sandbox",
    "ANTESALA_PUBLIC_URL": "http://localhost:7071/",
    "ANTESALA_SERVER_URL": "https://localhost:7443",
    "ANTESALA_REGIONS": "emea, americas",
    "AntesalaAmericas": "AccountName=a;AccountKey=k",
    "AntesalaEmea": "AccountName=e;AccountKey=k",
    "ANTESALA_TENANTS": TENANT.upper(),
    "ANTESALA_CLIENT_ID": "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631",
    "ANTESALA_LOGIN_URL": "https://localhost:7301",
    "ANTESALA_GRAPH_URL": "https://localhost:7301/graph",
    "ANTESALA_TEAMS_HOSTS": "localhost:7300",
    "ANTESALA_SECRETS_DIR": "secrets",
    "ANTESALA_CA_BUNDLE": "bundle.pem",
    "ANTESALA_PRIVATE_HOSTS": "localhost",
    "ANTESALA_DEBOUNCE_SECONDS": "2",
    "ANTESALA_LATENESS_SECONDS": "0",
}
PRODUCTION = {
    "ANTESALA_ENVIRONMENT": "production",
    "ANTESALA_PUBLIC_URL": "https://visits.example",
    "ANTESALA_REGIONS": "americas",
    "AntesalaAmericas__tableServiceUri": "https://a.table.core.windows.net",
    "AntesalaAmericas__queueServiceUri": "https://a.queue.core.windows.net",
    "AntesalaAmericas__credential": "managedidentity",
    "AntesalaAmericas__clientId": "00000000-0000-4000-8000-000000000001",
    "ANTESALA_TENANTS": TENANT,
    "ANTESALA_CLIENT_ID": "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631",
    "ANTESALA_KEY_VAULT_URL": "https://keys.vault.azure.net",
    "ANTESALA_CLIENT_SECRETS_VAULT_URL": "https://clients.vault.azure.net",
    "AZURE_CLIENT_ID": "00000000-0000-4000-8000-000000000001",
}


def faults(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ(environ)
    return "\n".join(refused.value.faults)


def test_sandbox_settings_are_read() -> None:
    settings = Settings.from_environ(SANDBOX)
    assert settings.sandbox
    assert settings.public_url == "http://localhost:7071"
    assert settings.regions == ("americas", "emea")
    assert settings.region_enabled("emea")
    assert not settings.region_enabled("apac")
    assert settings.tenants == {TENANT}
    assert settings.teams_hosts == {"localhost:7300"}
    assert settings.debounce_seconds == 2
    assert settings.storage["emea"].connection_string == "AccountName=e;AccountKey=k"


def test_production_settings_have_public_defaults() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert not settings.sandbox
    assert settings.server_url == settings.public_url
    assert settings.login_url == "https://login.microsoftonline.com"
    assert settings.graph_url == "https://graph.microsoft.com"
    assert settings.graph_publisher_id == GRAPH_PUBLISHER
    assert "teams.microsoft.com" in settings.teams_hosts
    assert settings.private_hosts == frozenset()
    assert settings.storage["americas"].client_id.endswith("0001")
    assert (settings.deliver_hours, settings.subscription_seconds, settings.debounce_seconds) == (24, 2.5, 15)


def test_every_fault_is_named_at_once() -> None:
    found = faults({"ANTESALA_REGIONS": "americas,mars", "ANTESALA_DEBOUNCE_SECONDS": "soon"})
    for name in (
        "ANTESALA_ENVIRONMENT",
        "ANTESALA_PUBLIC_URL",
        "ANTESALA_REGIONS names unknown regions: mars",
        "AntesalaAmericas is missing",
        "ANTESALA_TENANTS",
        "ANTESALA_CLIENT_ID",
        "ANTESALA_KEY_VAULT_URL",
        "ANTESALA_DEBOUNCE_SECONDS",
    ):
        assert name in found


def test_production_refuses_every_setting_of_the_sandbox_at_once() -> None:
    found = faults(SANDBOX | {"ANTESALA_ENVIRONMENT": "production", "ANTESALA_HURRY": "5"})
    for name in (
        "ANTESALA_SECRETS_DIR is for the sandbox",
        "ANTESALA_HURRY is for the sandbox",
        "ANTESALA_PRIVATE_HOSTS is for the sandbox",
        "ANTESALA_PUBLIC_URL must be https",
        "the storage of americas must use an identity",
        "the storage of emea must use an identity",
    ):
        assert name in found


@pytest.mark.smart(301)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ANTESALA_LOGIN_URL": "http://login.example"}, "ANTESALA_LOGIN_URL must be https"),
        ({"ANTESALA_SERVER_URL": "http://visits.example"}, "ANTESALA_SERVER_URL must be https"),
        ({"AntesalaAmericas__tableServiceUri": "http://a.example"}, "tableServiceUri must be https"),
        ({"ANTESALA_PUBLIC_URL": "https://user:pw@visits.example"}, "ANTESALA_PUBLIC_URL must be an http"),
        ({"ANTESALA_PUBLIC_URL": "https://visits.example?x=1"}, "ANTESALA_PUBLIC_URL must be an http"),
        ({"ANTESALA_PUBLIC_URL": "https://visits.example:99999"}, "ANTESALA_PUBLIC_URL must be an http"),
        ({"ANTESALA_TENANTS": "sierra.example"}, "ANTESALA_TENANTS must hold GUIDs"),
        ({"ANTESALA_REGIONS": "americas,americas"}, "names a region twice"),
        ({"ANTESALA_KEY_VAULT_URL": "https://clients.vault.azure.net"}, "must be another vault"),
        (
            {"ANTESALA_CLIENT_ID": "@Microsoft.KeyVault(SecretUri=https://v/secrets/x/)"},
            "a Key Vault reference that Azure could not resolve",
        ),
        ({"AntesalaAmericas": "AccountName=a"}, "both a connection string and service addresses"),
        ({"AntesalaAmericas__credential": "key"}, "__credential must be managedidentity"),
        (
            {
                "ANTESALA_REGIONS": "americas,emea",
                "AntesalaEmea__tableServiceUri": "https://a.table.core.windows.net",
                "AntesalaEmea__queueServiceUri": "https://a.queue.core.windows.net",
            },
            "two regions share one storage account",
        ),
    ],
)
def test_an_unsafe_or_contradictory_setting_keeps_the_app_from_starting(
    change: dict[str, Any], sentence: str
) -> None:
    assert sentence in faults(PRODUCTION | change)


def test_two_sandbox_regions_may_not_share_an_account_either() -> None:
    assert "two regions share" in faults(SANDBOX | {"AntesalaEmea": SANDBOX["AntesalaAmericas"]})


def test_account_keys_are_not_shown() -> None:
    assert "AccountKey" not in repr(Settings.from_environ(SANDBOX))


def test_only_the_sandbox_may_hurry_and_never_slows_down() -> None:
    assert Settings.from_environ(SANDBOX).hurry == 1
    assert Settings.from_environ(SANDBOX | {"ANTESALA_HURRY": "5"}).hurry == 5
    assert Settings.from_environ(PRODUCTION | {"ANTESALA_HURRY": "1"}).hurry == 1
    assert "ANTESALA_HURRY must be a number from 1 to 20" in faults(SANDBOX | {"ANTESALA_HURRY": "0.5"})
