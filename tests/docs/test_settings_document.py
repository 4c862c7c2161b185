"""``docs/settings.md`` gives each setting the default that the settings class gives it."""

import re
from dataclasses import fields

import pytest

from shared.settings import Settings, SettingsError
from tests.docs.reading import code, read, rows

TABLE = {code(row[0]): row for row in rows(read("docs/settings.md"))}
NAMED = {name: row for name, row in TABLE.items() if re.fullmatch(r"[A-Z_]+", name)}
# Which member of the class a setting becomes, by the one place that reads the environment.
MEMBERS = {
    setting: member
    for member, setting in re.findall(r"(\w+)=reader\.\w+\(\s*\"(\w+)\"", read("shared/settings.py"))
} | {
    setting: member
    for member, setting in re.findall(r"(\w+) = reader\.\w+\(\s*\"(\w+)\"", read("shared/settings.py"))
}
GUID = "11111111-2222-3333-4444-555555555555"
BARE = {
    "ANTESALA_ENVIRONMENT": "production",
    "ANTESALA_PUBLIC_URL": "https://visits.hospital.example",
    "ANTESALA_REGIONS": "emea",
    "AntesalaEmea__tableServiceUri": "https://a.table.core.windows.net",
    "AntesalaEmea__queueServiceUri": "https://a.queue.core.windows.net",
    "ANTESALA_TENANTS": GUID,
    "ANTESALA_CLIENT_ID": GUID,
    "ANTESALA_KEY_VAULT_URL": "https://keys.vault.azure.net",
    "ANTESALA_CLIENT_SECRETS_VAULT_URL": "https://secrets.vault.azure.net",
    "AZURE_CLIENT_ID": GUID,
}
SETTINGS = Settings.from_environ(BARE)


def shown(value: object) -> str:
    """A default as the table shows it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, frozenset):
        return ",".join(sorted(value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "none"


def test_every_member_of_the_class_should_be_documented() -> None:
    several = {"storage"}
    assert {MEMBERS[name] for name in NAMED} == {member.name for member in fields(Settings)} - several


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_setting_should_have_the_default_that_is_said(name: str) -> None:
    said = code(NAMED[name][1])
    value = shown(getattr(SETTINGS, MEMBERS[name]))
    if said.startswith("required"):
        assert name in BARE
    elif said == "the public URL":
        assert value == SETTINGS.public_url
    else:
        assert ",".join(sorted(said.split(","))) == value


@pytest.mark.parametrize("name", sorted(name for name in NAMED if NAMED[name][1].startswith("required")))
def test_the_app_should_not_start_without_what_is_required(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({given: value for given, value in BARE.items() if given != name})
    assert any(name in fault for fault in refused.value.faults)


def test_the_storage_of_every_region_should_be_documented() -> None:
    row = next(row for row in TABLE.values() if "AntesalaEmea" in row[0])
    assert re.findall(r"Antesala\w+", row[0]) == ["AntesalaAmericas", "AntesalaEmea", "AntesalaApac"]
    read_of = set(re.findall(r'f"\{name\}(__\w+)"', read("shared/settings.py")))
    assert set(re.findall(r"…(__\w+)", row[2])) == read_of
