import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.keys import ensure_keys, ensure_tenant_keys, main
from shared.errors import Refusal
from shared.keys import GraphCertificates, SigningKeys, signing_keys_name, symmetric_keys
from shared.secrets import FileSecrets, SecretMissing, is_own_key
from tests.fakes import FakeClock, MemorySecrets

ONE = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
TWO = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    ensure_keys(folder)
    return folder


@pytest.fixture
def secrets(folder: Path) -> MemorySecrets:
    names = ("ehr-signing-keys", "graph-certificates", "sealing-keys")
    return MemorySecrets(**{name: (folder / name).read_text() for name in names})


def with_states(secrets: MemorySecrets, *states: object) -> None:
    rows = json.loads(secrets.secrets["ehr-signing-keys"])
    rsa, ec = (next(row for row in rows if row["alg"] == alg) for alg in ("RS384", "ES384"))
    made = [{**rsa, "kid": f"rs-{state}", "state": state} for state in states]
    secrets.secrets["ehr-signing-keys"] = json.dumps([*made, ec])


@pytest.mark.smart(307, 308, 309, 293)
@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_what_the_current_key_signs_verifies_with_the_published_set(
    secrets: MemorySecrets, clock: FakeClock, alg: str
) -> None:
    keys = SigningKeys(secrets, clock, {ONE})
    key = keys.current(ONE, alg)
    token = jwt.encode({"sub": "x"}, key.private_key, key.alg, headers={"kid": key.kid})
    published = {row["kid"]: jwt.PyJWK(row) for row in keys.jwks(ONE)["keys"]}
    assert jwt.decode(token, published[key.kid], algorithms=[alg]) == {"sub": "x"}


@pytest.mark.smart(294, 295, 313)
def test_the_key_set_holds_no_private_member(secrets: MemorySecrets, clock: FakeClock) -> None:
    for row in SigningKeys(secrets, clock, {ONE}).jwks(ONE)["keys"]:
        assert set(row) <= {"kty", "n", "e", "crv", "x", "y", "use", "alg", "kid"}
        assert row["use"] == "sig"


def test_every_state_is_published_and_only_the_current_key_signs(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    with_states(secrets, "old", "current", "next")
    keys = SigningKeys(secrets, clock, {ONE})
    assert keys.current(ONE, "RS384").kid == "rs-current"
    assert {row["kid"] for row in keys.jwks(ONE)["keys"]} >= {"rs-old", "rs-current", "rs-next"}


def test_two_current_keys_or_none_are_a_fault(secrets: MemorySecrets, clock: FakeClock) -> None:
    with_states(secrets, "current", "current")
    with pytest.raises(ValueError, match="two current"):
        SigningKeys(secrets, clock, {ONE}).jwks(ONE)
    with_states(secrets, "old")
    with pytest.raises(Refusal, match="keys-missing"):
        SigningKeys(secrets, clock, {ONE}).current(ONE, "RS384")


@pytest.mark.smart(322)
def test_two_keys_under_one_name_are_a_fault(secrets: MemorySecrets, clock: FakeClock) -> None:
    with_states(secrets, "current", "old", "old")
    with pytest.raises(ValueError, match="are called rs-old"):
        SigningKeys(secrets, clock, {ONE}).jwks(ONE)


@pytest.mark.smart(291)
def test_whoever_fetched_the_key_set_before_a_rotation_knows_the_key_that_signs_after_it(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    """Servers keep a key set for hours: the next key is published first, the old one stays."""
    keys = SigningKeys(secrets, clock, {ONE})
    with_states(secrets, "current", "next")
    fetched = {row["kid"] for row in keys.jwks(ONE)["keys"]}
    before = keys.current(ONE, "RS384").kid
    rows = json.loads(secrets.secrets["ehr-signing-keys"])
    for row in rows:
        row["state"] = {"rs-current": "old", "rs-next": "current"}.get(row["kid"], row["state"])
    secrets.secrets["ehr-signing-keys"] = json.dumps(rows)
    clock.advance(301)
    after = keys.current(ONE, "RS384").kid
    assert after != before
    assert after in fetched
    assert before in {row["kid"] for row in keys.jwks(ONE)["keys"]}


def test_keys_are_read_again_after_five_minutes_and_parsed_only_when_changed(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    keys = SigningKeys(secrets, clock, {ONE})
    first = keys.current(ONE, "RS384")
    clock.advance(299)
    assert keys.current(ONE, "RS384") is first
    assert len(secrets.reads) == 1
    clock.advance(2)
    assert keys.current(ONE, "RS384") is first
    assert len(secrets.reads) == 2
    with_states(secrets, "current")
    clock.advance(301)
    assert keys.current(ONE, "RS384").kid == "rs-current"


@pytest.fixture(scope="module")
def shared_folder(folder: Path) -> Path:
    for tenant in (ONE, TWO.upper()):
        ensure_tenant_keys(folder, tenant)
    return folder


def test_organizations_that_share_a_deployment_share_no_key(shared_folder: Path, clock: FakeClock) -> None:
    names = ("ehr-signing-keys", signing_keys_name(ONE), signing_keys_name(TWO))
    texts = {name: (shared_folder / name).read_text() for name in names}
    secrets = MemorySecrets()
    secrets.secrets = texts
    keys = SigningKeys(secrets, clock, {ONE, TWO})
    published = {tenant: {row["kid"]: row for row in keys.jwks(tenant)["keys"]} for tenant in (ONE, TWO)}
    for alg in ("RS384", "ES384"):
        for mine, other in ((ONE, TWO), (TWO, ONE)):
            key = keys.current(mine, alg)
            token = jwt.encode({"sub": "x"}, key.private_key, alg)
            assert jwt.decode(token, jwt.PyJWK(published[mine][key.kid]), algorithms=[alg]) == {"sub": "x"}
            for row in published[other].values():
                with pytest.raises(jwt.InvalidTokenError):
                    jwt.decode(token, jwt.PyJWK(row), algorithms=[alg])
    # The set of a time when there was one organization is not even read.
    assert "ehr-signing-keys" not in secrets.reads


def test_a_single_organization_signs_with_the_set_that_names_no_tenant(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    SigningKeys(secrets, clock, {ONE}).current(ONE, "RS384")
    assert secrets.reads == ["ehr-signing-keys"]


@pytest.mark.parametrize("tenants", [{ONE}, {ONE, TWO}])
@pytest.mark.parametrize("whose", [TWO, "00000000-0000-4000-8000-000000000000", ""])
def test_nobody_signs_for_an_organization_without_keys_or_not_listed(
    secrets: MemorySecrets, clock: FakeClock, tenants: set[str], whose: str
) -> None:
    secrets.secrets[signing_keys_name(ONE)] = secrets.secrets["ehr-signing-keys"]
    keys = SigningKeys(secrets, clock, tenants)
    for ask in (lambda: keys.current(whose, "RS384"), lambda: keys.jwks(whose)):
        with pytest.raises(Refusal, match="keys-missing"):
            ask()
    assert keys.jwks(ONE)["keys"]


def test_a_key_set_that_was_missing_counts_as_soon_as_it_is_there(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    text = secrets.secrets.pop("ehr-signing-keys")
    keys = SigningKeys(secrets, clock, {ONE})
    with pytest.raises(Refusal, match="keys-missing"):
        keys.jwks(ONE)
    secrets.secrets["ehr-signing-keys"] = text
    clock.advance(30)
    assert keys.jwks(ONE)["keys"]


def test_the_vault_is_asked_for_a_missing_key_set_twice_a_minute(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    del secrets.secrets["ehr-signing-keys"]
    keys = SigningKeys(secrets, clock, {ONE})
    for seconds in (29, 0, 0, 0):
        with pytest.raises(Refusal, match="keys-missing"):
            keys.jwks(ONE)
        clock.advance(seconds)
    assert len(secrets.reads) == 1
    clock.advance(1)
    for _ in range(3):
        with pytest.raises(Refusal, match="keys-missing"):
            keys.jwks(ONE)
    assert len(secrets.reads) == 2


class Slow(MemorySecrets):
    """A vault that answers when it is told to."""

    def __init__(self, **secrets: str) -> None:
        super().__init__(**secrets)
        self.asked, self.answer = threading.Event(), threading.Event()
        self.answer.set()

    def read(self, name: str) -> str:
        self.asked.set()
        assert self.answer.wait(5)
        return super().read(name)


@pytest.mark.parametrize("there", [True, False])
def test_while_one_looks_at_the_vault_others_have_what_was_known(
    secrets: MemorySecrets, clock: FakeClock, there: bool
) -> None:
    vault = Slow(**secrets.secrets if there else {})
    keys = SigningKeys(vault, clock, {ONE})

    def published() -> bool:
        try:
            return bool(keys.jwks(ONE)["keys"])
        except Refusal:
            return False

    assert published() is there
    clock.advance(301)
    vault.asked.clear()
    vault.answer.clear()
    with ThreadPoolExecutor(2) as threads:
        looking = threads.submit(published)
        assert vault.asked.wait(5)
        other = threads.submit(published)
        try:
            assert other.result(2) is there
            assert not looking.done()
        finally:
            vault.answer.set()
    assert looking.result() is there
    assert len(vault.reads) == 2


def test_the_command_makes_one_organizations_keys_and_no_others(tmp_path: Path) -> None:
    assert main([str(tmp_path / "k"), TWO.upper()]) == 0
    made = tmp_path / "k" / f"ehr-signing-keys-{TWO}"
    assert [path.name for path in (tmp_path / "k").iterdir()] == [made.name]
    assert made.stat().st_mode & 0o077 == 0
    before = made.read_text()
    assert main([str(tmp_path / "k"), TWO]) == 0
    assert made.read_text() == before


@pytest.mark.parametrize("arguments", [[], ["d", "../x"], ["d", "sierra"], ["d", ""], ["d", TWO, ONE]])
def test_the_command_refuses_what_is_no_tenant(tmp_path: Path, arguments: list[str]) -> None:
    assert main([str(tmp_path / word) if word == "d" else word for word in arguments]) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_newest_certificate_is_announced_and_every_key_is_kept(
    secrets: MemorySecrets, clock: FakeClock
) -> None:
    (row,) = json.loads(secrets.secrets["graph-certificates"])
    secrets.secrets["graph-certificates"] = json.dumps([{**row, "id": "g-1"}, {**row, "id": "g-2"}])
    certificates = GraphCertificates(secrets, clock)
    newest = certificates.newest()
    assert newest.id == "g-2"
    certificate = x509.load_der_x509_certificate(base64.b64decode(newest.der_base64, validate=True))
    assert certificate.public_bytes(Encoding.PEM).decode() == row["certificate"]
    key = certificates.private_key("g-1")
    assert key is not None
    assert key.public_key() == certificate.public_key()
    assert certificates.private_key("g-1") is key
    assert certificates.private_key("g-3") is None


def test_sealing_keys_are_read_oldest_first() -> None:
    rows = [base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
    secrets = MemorySecrets(sealing_keys=json.dumps([rows[0].rstrip("="), rows[1]]))
    assert symmetric_keys(secrets, "sealing-keys") == [b"\1" * 32, b"\2" * 32]


@pytest.mark.parametrize("text", ["[]", "{}", '["AAAA"]', "no json"])
def test_malformed_sealing_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of json's and ours
        symmetric_keys(MemorySecrets(sealing_keys=text), "sealing-keys")


def test_file_secrets_are_read_and_written_without_leaving_the_folder(tmp_path: Path) -> None:
    secrets = FileSecrets(tmp_path)
    secrets.write("ehr-client-1", "hunter2")
    assert secrets.read("ehr-client-1") == "hunter2"
    assert (tmp_path / "ehr-client-1").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ehr-client-1"]
    for name in ("../x", "a/b", "", "absent", ".hidden"):
        with pytest.raises(SecretMissing):
            secrets.read(name)
    for name in ("sealing-keys", f"ehr-signing-keys-{ONE}", "EHR-Signing-Keys-x"):
        with pytest.raises(ValueError, match="own keys"):
            secrets.write(name, "[]")


def test_a_client_secret_is_never_taken_for_a_key_of_the_app() -> None:
    assert is_own_key(signing_keys_name())
    assert is_own_key(signing_keys_name(TWO))
    # Connection ids are sixteen letters and digits, so no name of theirs begins with ehr-signing-keys-.
    assert not is_own_key("ehr-asigningkeysabcd-provider-abcdefghijkl")
