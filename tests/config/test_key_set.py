"""The key set and the registration sheet: what the EHR learns of us before anybody launches."""

import json
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from config_function.records import registration
from sandbox.keys import ensure_keys
from shared.connection import Client
from shared.keys import SigningKeys
from tests.config.house import ADMIN, Browser, House
from tests.config.test_records import ADDRESSES, EPIC, REVISION
from tests.fakes import FakeClock, MemorySecrets

ONE = "an-organization"


@pytest.fixture
def keys(tmp_path: Path, clock: FakeClock) -> SigningKeys:
    """Keys as a deployment makes them."""
    ensure_keys(tmp_path)
    secrets = MemorySecrets(**{"ehr-signing-keys": (tmp_path / "ehr-signing-keys").read_text()})
    return SigningKeys(secrets, clock, {ONE})


@pytest.mark.smart(294, 302, 303)
def test_the_key_set_is_there_for_everybody_and_says_how_long_it_holds(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    page = Browser().get(f"/config/jwks/{connection}")
    assert page.status == 200
    assert page.headers["content-type"] == "application/json"
    kept = page.headers["cache-control"]
    assert 0 < int(kept.rpartition("max-age=")[2]) <= 86_400
    assert json.loads(page.text) == house.services.keys.jwks(house.tenant)


@pytest.mark.smart(290, 293, 313, 314, 315)
@pytest.mark.parametrize(
    ("alg", "kty", "numbers"), [("RS384", "RSA", {"n", "e"}), ("ES384", "EC", {"crv", "x"})]
)
def test_each_key_is_described_by_its_bare_numbers(
    keys: SigningKeys, alg: str, kty: str, numbers: set[str]
) -> None:
    (row,) = [row for row in keys.jwks(ONE)["keys"] if row["alg"] == alg]
    assert row["kty"] == kty
    assert row["kid"] == keys.current(ONE, alg).kid
    assert numbers <= set(row)
    assert alg == "RS384" or row["crv"] == "P-384"
    assert not set(row) & {"d", "p", "q", "dp", "dq", "qi", "k", "x5c"}
    token = jwt.encode({"a": 1}, keys.current(ONE, alg).private_key, alg)
    assert jwt.decode(token, jwt.PyJWK(row), algorithms=[alg]) == {"a": 1}


@pytest.mark.smart(295)
def test_no_private_key_is_shown_by_anything(keys: SigningKeys) -> None:
    for alg in ("RS384", "ES384"):
        assert "private_key" not in repr(keys.current(ONE, alg))
    assert "PRIVATE" not in json.dumps(keys.jwks(ONE))


@pytest.mark.smart(22, 225, 291, 298, 299)
def test_the_sheet_registers_the_key_sets_address_for_every_client_that_signs() -> None:
    for row in registration(ADDRESSES, EPIC, REVISION):
        assert row.authentication == "private_key_jwt"
        assert row.jwks_url == f"https://api.antesala.example/config/jwks/{EPIC.id}"
        assert row.algorithm in ("RS384", "ES384")


@pytest.mark.smart(20, 21)
def test_the_sheet_registers_addresses_that_are_whole_and_the_same_for_every_launch() -> None:
    provider, patient, backend = registration(ADDRESSES, EPIC, REVISION)
    assert provider.launch_url == f"https://antesala.example/launch/provider/{EPIC.id}"
    assert patient.launch_url == f"https://antesala.example/launch/patient/{EPIC.id}"
    assert backend.launch_url == ""
    redirects = (*provider.redirect_uris, *patient.redirect_uris)
    assert set(redirects) == {
        f"https://antesala.example/launch/provider/callback/{EPIC.id}",
        f"https://antesala.example/launch/patient/callback/{EPIC.id}",
        f"https://antesala.example/config/ehr/callback/{EPIC.id}",
    }
    assert not any(sign in uri for uri in redirects for sign in "*?#{")


@pytest.mark.smart(23)
def test_a_client_with_a_secret_is_complete_only_once_the_secret_is_there(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    path = f"/config/connections/{connection}"
    admin.save(connection, "ehr", {"patient_auth": "client_secret_basic"})
    version = admin.get(f"{path}/edit/ehr").value("version")
    assert admin.post(f"{path}/submit", {"version": version}).status == 422
    admin.save(connection, "ehr", {"patient_auth": "client_secret_basic", "patient_secret": "agreed"})
    assert list(house.secrets.secrets.values()) == ["agreed"]
    page = admin.post(f"{path}/submit", {"version": admin.get(path).value("version")})
    assert page.status == 303


def test_a_client_that_does_not_sign_is_given_no_key_set() -> None:
    public = replace(REVISION, patient=Client("pat", "none"))
    assert registration(ADDRESSES, EPIC, public)[1].jwks_url == ""
