"""The templates keep every rule, and each rule notices a file that was spoiled in the way it is there for."""

from pathlib import Path

import pytest

from scripts import infra_rules, infra_settings
from scripts.infra_facts import HOST_SETTINGS, REQUIRED, ROLES, VERSIONS
from scripts.infra_tree import Template, read_templates

ROOT = Path(__file__).resolve().parents[2]
STAMP = "infra/modules/stamp.bicep"
APP = "infra/modules/app.bicep"
STORAGE = "infra/modules/storage.bicep"
VAULT = "infra/modules/vault.bicep"
MONITORING = "infra/modules/monitoring.bicep"
MAIN = "infra/main.bicep"
FRONT = "infra/modules/frontdoor.bicep"

# A file, what is replaced in it and by what, and what the check must then say of that file.
SPOILED = [
    (APP, "resource plan ", "resource plan = ", "not Bicep"),
    (VAULT, "grant.principalId, grant.role)", "grant.principalId, grant.role", ") is missing"),
    (STAMP, "union(extraSettings, regionSettings, fixedSettings)", "{ ...fixedSettings }", "not Bicep"),
    (STAMP, "toLower(uniqueString(", "first(map(['x'], n => n)) ?? (uniqueString(", "lambda_expression"),
    (MAIN, "@description('Days that logs are kept.')\n", "", "parameter logRetentionDays has no description"),
    (APP, "@description('Name of the function app.')\noutput", "output", "output name has no description"),
    (APP, "        alwaysReady: alwaysReady\n", "", "parameter alwaysReady is not used"),
    (STORAGE, "account.properties.primaryEndpoints.blob", "account.listKeys().keys[0].value", "reads a key"),
    (STORAGE, "= account.name", "= listKeys(account.id, '2023-05-01').keys[0].value", "reads a key"),
    (STAMP, "'https://${frontHostName}'", "'x;AccountKey=${frontHostName}'", "connection string with a key"),
    (VAULT, "output uri string", "output clientSecret string", "looks like a secret"),
    (STAMP, "4633458b-17de-408a-b874-0445c86b69e6", "4633458b-17de-408a-b874-0445c86b69e7", "is no role"),
    (APP, "serverfarms@2024-04-01", "serverfarms@2099-01-01", "the table says 2024-04-01"),
    (APP, "Microsoft.Web/serverfarms", "Microsoft.Web/serverFarmz", "not in the table of versions"),
    (APP, "httpsOnly: true", "httpsOnly: false", "properties.httpsOnly is false"),
    (APP, "      minTlsVersion: '1.2'", "      minTlsVersion: '1.0'", "minTlsVersion is 1.0"),
    (APP, "      ftpsState: 'Disabled'\n", "", "ftpsState is not set"),
    (APP, "properties: { allow: false }", "properties: { allow: true }", "properties.allow is true"),
    (STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKeyAccess is true"),
    (STORAGE, "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "minimumTlsVersion is TLS1_0"),
    (STORAGE, "publicAccess: 'None'", "publicAccess: 'Blob'", "publicAccess is Blob"),
    (STORAGE, "allowBlobPublicAccess: false\n", "", "allowBlobPublicAccess is not set"),
    (STORAGE, "  scope: account\n", "", "scope is not set"),
    (STORAGE, "  scope: account::queueService", "  scope: account", "queueService has no diagnostic setting"),
    (VAULT, "enablePurgeProtection: true", "enablePurgeProtection: false", "enablePurgeProtection is false"),
    (
        VAULT,
        "  scope: vault\n  properties: {\n    workspaceId",
        "  properties: {\n    workspaceId",
        "vault has no",
    ),
    (APP, "  scope: site\n", "", "site has no diagnostic setting"),
    (MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false", "DisableLocalAuth is false"),
    (FRONT, "mode: 'Prevention'", "mode: 'Detection'", "mode is Detection"),
    (STAMP, "'vault.bicep'", "'vaults.bicep'", "there is no module"),
    (STAMP, "    planName: '${abbreviations.plan}${suffix}'\n", "", "needs the parameter planName"),
    (STAMP, "    planName:", "    plan: 1\n    planName:", "has no parameter plan"),
]


@pytest.fixture(scope="module")
def templates() -> tuple[Template, ...]:
    return read_templates(ROOT)


def spoil(templates: tuple[Template, ...], name: str, old: str, new: str) -> tuple[Template, ...]:
    source = next(template.source for template in templates if template.name == name)
    assert old in source
    changed = Template(name, source.replace(old, new, 1).encode())
    return tuple(changed if template.name == name else template for template in templates)


def test_the_templates_should_keep_every_rule(templates: tuple[Template, ...]) -> None:
    faults = infra_rules.faults_of(templates) + infra_settings.faults_of(ROOT, templates)
    assert [str(fault) for fault in faults] == []


def test_the_rules_should_see_the_files_at_all(templates: tuple[Template, ...]) -> None:
    resources = [one for template in templates for one in template.of("resource").values()]
    seen = {one.resource_type for one in resources}
    assert len(templates) > 8
    assert seen == set(VERSIONS)
    assert {must.resource for must in REQUIRED} <= seen
    assert {guid for guid in ROLES if any(guid in one.source for one in templates)} == set(ROLES)


@pytest.mark.parametrize(("name", "old", "new", "said"), SPOILED, ids=[row[3] for row in SPOILED])
def test_a_rule_should_notice(
    templates: tuple[Template, ...], name: str, old: str, new: str, said: str
) -> None:
    faults = infra_rules.faults_of(spoil(templates, name, old, new))
    assert [fault for fault in faults if said in fault.text], [str(fault) for fault in faults]
    assert {fault.file for fault in faults if said in fault.text} <= {name}
    assert all(fault.line >= 1 for fault in faults)


def test_an_output_that_nobody_reads_should_be_noticed(templates: tuple[Template, ...]) -> None:
    spoiled = spoil(templates, MAIN, "keyVault: stamp[index].outputs.keyVaultName", "keyVault: ''")
    assert [str(fault) for fault in infra_rules.faults_of(spoiled)] == [
        f"{STAMP}:{line_of(templates, STAMP, 'output keyVaultName')}: output keyVaultName is not used"
    ]


def test_a_fault_should_name_its_line(templates: tuple[Template, ...]) -> None:
    spoiled = spoil(templates, APP, "httpsOnly: true", "httpsOnly: false")
    assert [fault.line for fault in infra_rules.faults_of(spoiled)] == [line_of(templates, APP, "httpsOnly")]


# Settings: what is replaced in the stamp, and what the check must then say.
UNFIT = [
    ("  ANTESALA_TENANTS: tenants\n", "", "the app would not start: ANTESALA_TENANTS is missing"),
    ("'${setting}__tableServiceUri'", "'${setting}__tableUri'", "AntesalaEmea is missing"),
    (
        "ANTESALA_ENVIRONMENT: 'production'",
        "ANTESALA_ENVIRONMENT: 'sandbox'",
        "ANTESALA_SECRETS_DIR is missing",
    ),
    (
        "ANTESALA_GRAPH_URL: graphUrl",
        "ANTESALA_GRAPHURL: graphUrl",
        "nothing reads the setting ANTESALA_GRAPHURL",
    ),
    ("AzureWebJobsDisableHomepage: 'true'", "AZURE_OTHER: 'true'", "AzureWebJobsDisableHomepage is missing"),
    (
        "AzureWebJobsDisableHomepage: 'true'",
        "WEBSITE_TIME_ZONE: 'x'",
        "does not take the setting WEBSITE_TIME_ZONE",
    ),
    ("ANTESALA_CLIENT_ID: clientId", "ANTESALA_SECRETS_DIR: clientId", "for the sandbox only"),
]


@pytest.mark.parametrize(("old", "new", "said"), UNFIT, ids=[row[2] for row in UNFIT])
def test_a_setting_that_does_not_fit_should_be_noticed(
    templates: tuple[Template, ...], old: str, new: str, said: str
) -> None:
    stamp = stamp_of(spoil(templates, STAMP, old, new))
    assert any(said in fault.text for fault in infra_settings.settings_fit(stamp))


def test_the_stamp_should_set_what_the_host_needs(templates: tuple[Template, ...]) -> None:
    given = set(infra_settings.settings_set(stamp_of(templates)))
    assert given >= set(HOST_SETTINGS)
    assert {"ANTESALA_PUBLIC_URL", "AntesalaEmea__queueServiceUri", "AZURE_CLIENT_ID"} <= given


def stamp_of(templates: tuple[Template, ...]) -> Template:
    return next(template for template in templates if template.name == STAMP)


def line_of(templates: tuple[Template, ...], name: str, text: str) -> int:
    source = next(template.source for template in templates if template.name == name)
    return source[: source.index(text)].count("\n") + 1
