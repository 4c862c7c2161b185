from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError, ServiceRequestError

from shared.errors import Unreachable
from shared.secrets import SecretMissing, VaultSecrets
from tests.fakes import FakeClock


class Vault:
    """One vault in memory, with the three ways in which a vault answers."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.down = False
        self.reads = 0

    def get_secret(self, name: str) -> Any:
        self.reads += 1
        if self.down:
            raise ServiceRequestError("no route")
        if name not in self.values:
            raise ResourceNotFoundError("no such secret")
        return SimpleNamespace(value=self.values[name])

    def set_secret(self, name: str, value: Any) -> None:
        if self.down:
            raise ServiceRequestError("no route")
        self.values[name] = value


@pytest.fixture
def vaults() -> dict[str, Vault]:
    return {"https://keys.invalid": Vault(), "https://clients.invalid": Vault()}


@pytest.fixture
def secrets(vaults: dict[str, Vault], clock: FakeClock) -> VaultSecrets:
    return VaultSecrets(
        "https://keys.invalid", "https://clients.invalid", None, clock, lambda url, _: vaults[url]
    )


def test_keys_and_client_secrets_lie_in_two_vaults(secrets: VaultSecrets, vaults: dict[str, Vault]) -> None:
    vaults["https://keys.invalid"].values["sealing-keys"] = "[]"
    secrets.write("ehr-client-1", "hunter2")
    assert secrets.read("sealing-keys") == "[]"
    assert secrets.read("ehr-client-1") == "hunter2"
    assert vaults["https://clients.invalid"].values == {"ehr-client-1": "hunter2"}
    with pytest.raises(ValueError, match="own keys"):
        secrets.write("visit-keys", "[]")


def test_a_read_is_remembered_for_five_minutes(
    secrets: VaultSecrets, vaults: dict[str, Vault], clock: FakeClock
) -> None:
    vault = vaults["https://clients.invalid"]
    vault.values["ehr-client-1"] = "old"
    assert secrets.read("ehr-client-1") == "old"
    vault.values["ehr-client-1"] = "new"
    clock.advance(299)
    assert secrets.read("ehr-client-1") == "old"
    clock.advance(2)
    assert secrets.read("ehr-client-1") == "new"
    assert vault.reads == 2


def test_a_silent_vault_does_not_stop_what_was_read_before(
    secrets: VaultSecrets, vaults: dict[str, Vault], clock: FakeClock
) -> None:
    vault = vaults["https://clients.invalid"]
    vault.values["ehr-client-1"] = "old"
    secrets.read("ehr-client-1")
    vault.down = True
    clock.advance(3600)
    assert secrets.read("ehr-client-1") == "old"
    with pytest.raises(Unreachable):
        secrets.read("ehr-client-2")
    with pytest.raises(Unreachable):
        secrets.write("ehr-client-2", "x")


def test_a_missing_secret_says_so(secrets: VaultSecrets) -> None:
    with pytest.raises(SecretMissing):
        secrets.read("ehr-client-9")
