"""Secrets that change while the app runs: when they are looked at, and what a bad version does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import SealBroken, SealUnknown
from shared.key_lists import SymmetricKeys, symmetric_rows
from shared.keys import GraphCertificates, SigningKeys
from shared.reread import Reread
from shared.sealing import Sealer
from shared.secrets import SecretMissing, VaultSecrets
from tests.fakes import FakeClock, MemorySecrets
from tests.keys.making import certificate_row, listed, rsa_key, sound, symmetric
from tests.shared.test_vault_secrets import Vault

NAME = "sealing-keys"


@pytest.fixture
def vault(clock: FakeClock) -> MemorySecrets:
    return sound(clock.now())


@pytest.fixture
def keys(vault: MemorySecrets, clock: FakeClock) -> SymmetricKeys:
    return SymmetricKeys(vault, NAME, clock)


def test_a_running_process_reads_new_keys_within_five_minutes(
    keys: SymmetricKeys, vault: MemorySecrets, clock: FakeClock
) -> None:
    first = keys.ring()
    vault.secrets[NAME] = listed(symmetric(1), symmetric(9))
    clock.advance(299)
    assert keys.ring() == first
    clock.advance(1)
    assert keys.ring()[1:] == first
    assert vault.reads == [NAME, NAME]


def test_a_version_as_it_was_before_there_were_dates_goes_on_working() -> None:
    rows = symmetric_rows(listed(symmetric(1).rstrip("="), symmetric(2)), NAME)
    assert [row.since for row in rows] == [None, None]
    assert not any(row.of_sandbox for row in rows)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '["AAAA"]', "no json", '[{"from": 7}]', '[{"key": 7}]', "[null]",
             f'[{{"key": "{symmetric(1)}", "from": "soon"}}]', f'[{{"key": "{symmetric(1)}", "from": 7}}]']
)  # fmt: skip
def test_a_version_that_cannot_be_used_takes_no_good_one_s_place(
    keys: SymmetricKeys, vault: MemorySecrets, clock: FakeClock, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    first = keys.ring()
    good, vault.secrets[NAME] = vault.secrets[NAME], text
    for _ in range(2):
        clock.advance(301)
        assert keys.ring() == first
    assert [(vars(one)["event"], vars(one)["secret"]) for one in caplog.records] == [
        ("keys-unusable", NAME),
        ("keys-unusable", NAME),
    ]
    vault.secrets[NAME] = good.replace("]", f', "{symmetric(9)}"]')
    clock.advance(301)
    assert len(keys.ring()) == 2


def test_what_opens_stays_when_its_secret_vanishes_and_what_signs_does_not(
    keys: SymmetricKeys, vault: MemorySecrets, clock: FakeClock
) -> None:
    """To delete the signing keys withdraws them; to delete a seal's would only lose what is under way."""
    certificates, signing = GraphCertificates(vault, clock), SigningKeys(vault, clock, {"t"})
    first, newest = keys.ring(), certificates.newest()
    assert signing.jwks("t")["keys"]
    vault.secrets.clear()
    clock.advance(301)
    assert (keys.ring(), certificates.newest()) == (first, newest)
    with pytest.raises(Exception, match="keys-missing"):
        signing.jwks("t")


def test_keys_that_were_never_there_are_missing(keys: SymmetricKeys, vault: MemorySecrets) -> None:
    del vault.secrets[NAME]
    with pytest.raises(SecretMissing):
        keys.ring()


# -- one look more -----------------------------------------------------------------------------------------


def test_what_no_key_opens_costs_the_vault_one_look_in_half_a_minute(
    keys: SymmetricKeys, vault: MemorySecrets, clock: FakeClock
) -> None:
    sealer = Sealer(keys, clock)
    stranger = Sealer([b"x" * 32], clock).seal("flow", 1)
    keys.ring()
    clock.advance(30)
    for _ in range(5):
        with pytest.raises(SealUnknown):
            sealer.open("flow", stranger)
    assert len(vault.reads) == 2
    clock.advance(30)
    with pytest.raises(SealUnknown):
        sealer.open("flow", stranger)
    assert len(vault.reads) == 3


@pytest.mark.parametrize("text", ["x", "gAAAAA", "A" * 120, "-" * 99])
def test_garbage_costs_the_vault_nothing(
    keys: SymmetricKeys, vault: MemorySecrets, clock: FakeClock, text: str
) -> None:
    sealer = Sealer(keys, clock)
    keys.ring()
    clock.advance(60)
    with pytest.raises(SealBroken) as refused:
        sealer.open("flow", text)
    assert not isinstance(refused.value, SealUnknown)
    assert len(vault.reads) == 1


def test_an_unknown_certificate_costs_the_vault_one_look_in_half_a_minute(
    vault: MemorySecrets, clock: FakeClock
) -> None:
    certificates = GraphCertificates(vault, clock)
    certificates.newest()
    rows = certificate_row(clock.now()), certificate_row(clock.now(), called="g-2", key=rsa_key(name="b"))
    vault.secrets["graph-certificates"] = listed(*rows)
    assert certificates.private_key("g-2") is None
    clock.advance(30)
    assert certificates.private_key("g-2") is not None
    for _ in range(3):
        assert certificates.private_key("g-9") is None
    assert len(vault.reads) == 2


def test_those_who_ask_while_one_looks_wait_for_what_it_finds(clock: FakeClock) -> None:
    asked, answer = threading.Event(), threading.Event()
    answer.set()

    class Slow(MemorySecrets):
        def read(self, name: str) -> str:
            asked.set()
            assert answer.wait(5)
            return super().read(name)

    vault = Slow(a="1")
    text = Reread(vault, "a", str, clock)
    assert text.value() == "1"
    clock.advance(31)
    vault.secrets["a"] = "2"
    asked.clear()
    answer.clear()

    def looked() -> str:
        text.anew()
        return text.value()

    with ThreadPoolExecutor(3) as threads:
        found = [threads.submit(looked) for _ in range(3)]
        assert asked.wait(5)
        answer.set()
        assert [one.result(5) for one in found] == ["2", "2", "2"]
    assert len(vault.reads) == 2


def test_an_own_key_is_remembered_for_the_silence_of_the_vault_alone(clock: FakeClock) -> None:
    own, clients = Vault(), Vault()
    vaults = {"k": own, "c": clients}
    secrets = VaultSecrets("k", "c", None, clock, lambda url, _: vaults[url])
    own.values[NAME] = "old"
    assert secrets.read(NAME) == "old"
    own.values[NAME] = "new"
    assert secrets.read(NAME) == "new"
    own.down = True
    clock.advance(86_400)
    assert secrets.read(NAME) == "new"
