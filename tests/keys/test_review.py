"""What is wrong with keys is found, all of it at once, and what stops a start is told from what does not."""

import base64
import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared import wiring
from shared.clock import timestamp
from shared.errors import Unreachable
from shared.key_gate import KeyGate
from shared.key_review import Finding, KeyReview, KeysError
from shared.keys import signing_keys_name
from shared.settings import Settings
from shared.texts import Text
from tests.fakes import FakeClock, MemorySecrets
from tests.keys.making import certificate_row, ec_key, listed, rsa_key, signing_row, sound, symmetric

type Spoil = Callable[[FakeClock], str]

ONE = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
TWO = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"
ES = ("es", "ES384", ec_key())


def typed(text: bytes) -> str:
    return listed(base64.urlsafe_b64encode(text).decode())


def fixed(text: str) -> Spoil:
    return lambda _: text


# Each row: what an attacker, or a mistake, would gain if it passed.
WEAK: dict[str, tuple[str, Spoil, str]] = {
    "all zero": ("sealing-keys", fixed(typed(bytes(32))), "Key 1 of sealing-keys is not random."),
    "half repeated": (
        "visit-keys",
        fixed(typed(bytes([15, 58, 113, 201, 158, 77, 43, 104, 1, 240, 130, 23, 212, 102, 181, 60]) * 2)),
        "Key 1 of visit-keys is not random.",
    ),
    "counted": ("sealing-keys", fixed(typed(bytes(range(32)))), "Key 1 of sealing-keys is not random."),
    "a passphrase": (
        "sealing-keys",
        fixed(typed(b"correcT horse#battery-stAple 9!x")),
        "Key 1 of sealing-keys is not random.",
    ),
    "twice": (
        "visit-keys",
        fixed(listed(symmetric(3), symmetric(3))),
        "Key 2 of visit-keys stands there twice.",
    ),
    "shorter": (
        "sealing-keys",
        fixed(typed(b"0123456789abcdef")),
        "The secret sealing-keys is not of the shape that it needs.",
    ),
    "one key for two purposes": (
        "visit-keys",
        fixed(listed(symmetric(1))),
        "sealing-keys and visit-keys have a key in common.",
    ),
    "an unresolved reference": (
        "sealing-keys",
        fixed("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/n/)"),
        "The secret sealing-keys is a Key Vault reference that Azure could not resolve.",
    ),
    "no JSON": (
        "ehr-signing-keys",
        fixed("-----BEGIN"),
        "The secret ehr-signing-keys is not of the shape that it needs.",
    ),
    "a key of a sandbox": (
        "sealing-keys",
        fixed(listed({"key": symmetric(3), "sandbox": True})),
        "The secret sealing-keys was made for a sandbox.",
    ),
    "RSA of 1024 bits": (
        "ehr-signing-keys",
        lambda _: listed(signing_row("rs", "RS384", rsa_key(1024)), signing_row(*ES)),
        "Key rs of ehr-signing-keys: it is too weak, or does not fit its algorithm.",
    ),
    "another curve": (
        "ehr-signing-keys",
        lambda _: listed(signing_row("es", "ES384", ec_key("256"))),
        "Key es of ehr-signing-keys: it is too weak, or does not fit its algorithm.",
    ),
    "another kind": (
        "ehr-signing-keys",
        lambda _: listed(signing_row("rs", "RS384", ec_key())),
        "Key rs of ehr-signing-keys: it is too weak, or does not fit its algorithm.",
    ),
    "none that signs": (
        "ehr-signing-keys",
        lambda _: listed(signing_row(*ES, "next")),
        "ehr-signing-keys: one key for ES384 must be current, 0 are.",
    ),
    "no key at all": (
        "ehr-signing-keys",
        fixed("[]"),
        "ehr-signing-keys: one key for RS384 must be current, 0 are.",
    ),
    "two that sign": (
        "ehr-signing-keys",
        lambda _: listed(signing_row("a", "RS384", rsa_key()), signing_row("b", "RS384", rsa_key(name="b"))),
        "ehr-signing-keys: one key for RS384 must be current, 2 are.",
    ),
    "one key under two names": (
        "ehr-signing-keys",
        lambda _: listed(signing_row(*ES), signing_row("again", *ES[1:], "old")),
        "Key again of ehr-signing-keys: it, or its name, stands there twice.",
    ),
    "an unknown state": (
        "ehr-signing-keys",
        lambda _: listed(
            signing_row(*ES),
            signing_row("rs", "RS384", rsa_key(), "retired"),
            signing_row("r2", "RS384", rsa_key(name="b")),
        ),
        "Key rs of ehr-signing-keys: its state is none that is known.",
    ),
    "a weak certificate": (
        "graph-certificates",
        lambda clock: listed(certificate_row(clock.now(), key=rsa_key(1024))),
        "Key g-1 of graph-certificates: it is too weak, or its private key is another's.",
    ),
    "another's certificate": (
        "graph-certificates",
        lambda clock: listed(certificate_row(clock.now(), certified=rsa_key(name="b"))),
        "Key g-1 of graph-certificates: it is too weak, or its private key is another's.",
    ),
    "two certificates of one id": (
        "graph-certificates",
        lambda clock: listed(certificate_row(clock.now()), certificate_row(clock.now())),
        "Two certificates of graph-certificates have one id.",
    ),
    "a certificate of tomorrow": (
        "graph-certificates",
        lambda clock: listed(certificate_row(clock.now(), begins=1)),
        "Certificate g-1 of graph-certificates is not valid before 2026-03-03.",
    ),
}


def review(secrets: MemorySecrets, clock: FakeClock, *tenants: str) -> KeyReview:
    return KeyReview(secrets, clock, tenants or (ONE,), sandbox=False)


def told(found: tuple[Finding, ...]) -> list[str]:
    return [str(one.text) for one in found]


def test_a_sound_vault_has_no_finding(clock: FakeClock) -> None:
    assert review(sound(clock.now()), clock).findings() == ()


@pytest.mark.parametrize("name", WEAK)
def test_a_faulty_key_is_found_and_stops_the_start(clock: FakeClock, name: str) -> None:
    secret, spoil, words = WEAK[name]
    vault = sound(clock.now())
    vault.secrets[secret] = spoil(clock)
    found = review(vault, clock).findings()
    assert told(found) == [words]
    assert found[0].stops


def test_all_faults_are_told_at_once_a_line_each(clock: FakeClock) -> None:
    vault = sound(clock.now())
    vault.secrets["sealing-keys"] = typed(bytes(32))
    vault.secrets["ehr-signing-keys"] = "[]"
    del vault.secrets["graph-certificates"]
    found = review(vault, clock).findings()
    assert str(KeysError(found)).splitlines() == [
        "the keys cannot be used:",
        "- Key 1 of sealing-keys is not random.",
        "- ehr-signing-keys: one key for RS384 must be current, 0 are.",
        "- The secret graph-certificates is missing.",
    ]


@pytest.mark.parametrize(
    ("ends", "words", "soon"),
    [(31, "", False), (29, "runs out on 2026-03-31", True), (-1, "ran out on 2026-03-01", False)],
)
def test_the_end_of_a_certificate_is_told_and_stops_no_visit(
    clock: FakeClock, ends: int, words: str, soon: bool
) -> None:
    vault = sound(clock.now())
    vault.secrets["graph-certificates"] = listed(certificate_row(clock.now(), begins=-400, ends=ends))
    found = review(vault, clock).findings()
    assert [(one.stops, one.soon) for one in found] == ([(False, soon)] if words else [])
    assert words in "".join(told(found))


def test_a_certificate_that_only_opens_may_have_run_out(clock: FakeClock) -> None:
    vault = sound(clock.now())
    old = certificate_row(clock.now(), called="old", begins=-400, ends=-1, key=rsa_key(name="b"))
    new = {**certificate_row(clock.now(), called="new"), "from": timestamp(clock.now())}
    vault.secrets["graph-certificates"] = listed(old, new)
    assert review(vault, clock).findings() == ()
    # Not before the new one is in use: until then Graph encrypts for the old one.
    new["from"] = timestamp(clock.now() + timedelta(hours=1))
    vault.secrets["graph-certificates"] = listed(old, new)
    assert "Certificate old" in told(review(vault, clock).findings())[0]


def test_each_organization_s_signing_keys_are_judged_and_shown_to_itself_alone(clock: FakeClock) -> None:
    vault = sound(clock.now())
    vault.secrets[signing_keys_name(ONE)] = vault.secrets.pop("ehr-signing-keys")
    both = review(vault, clock, ONE, TWO)
    assert told(both.findings()) == [f"The secret ehr-signing-keys-{TWO} is missing."]
    assert both.findings([ONE]) == ()
    assert told(both.findings([TWO])) == [f"The secret ehr-signing-keys-{TWO} is missing."]


# -- the gate ----------------------------------------------------------------------------------------------

STOPS, EXPIRED = Finding(Text("It is weak.")), Finding(Text("It ran out."), stops=False)


class Looks:
    """What each look finds, in turn; the last again and again."""

    def __init__(self, *found: tuple[Finding, ...] | Exception) -> None:
        self.found = list(found)
        self.number = 0

    def __call__(self) -> tuple[Finding, ...]:
        found = self.found[min(self.number, len(self.found) - 1)]
        self.number += 1
        if isinstance(found, Exception):
            raise found
        return found


def test_faulty_keys_refuse_every_request_until_they_are_mended(clock: FakeClock) -> None:
    looks = Looks((STOPS,), (STOPS,), ())
    gate = KeyGate(looks, clock)
    gate.wait(5)
    for _ in range(3):
        with pytest.raises(KeysError, match="It is weak"):
            gate.need_passed()
    assert looks.number == 1
    clock.advance(30)
    with pytest.raises(KeysError):
        gate.need_passed()
    gate.wait(5)
    assert looks.number == 2
    clock.advance(30)
    # Begins the look that finds it mended, and may be told so already.
    with contextlib.suppress(KeysError):
        gate.need_passed()
    gate.wait(5)
    gate.need_passed()
    clock.advance(3_600)
    gate.need_passed()
    assert looks.number == 3


def test_a_start_waits_for_no_look(clock: FakeClock) -> None:
    answer = threading.Event()

    def look() -> tuple[Finding, ...]:
        assert answer.wait(5)
        return (STOPS,)

    gate = KeyGate(look, clock)
    gate.need_passed()
    clock.advance(60)
    gate.need_passed()
    answer.set()
    gate.wait(5)
    with pytest.raises(KeysError):
        gate.need_passed()


def test_a_silent_vault_refuses_nobody_and_is_asked_again(clock: FakeClock) -> None:
    looks = Looks(Unreachable("vault"), (STOPS,))
    gate = KeyGate(looks, clock)
    gate.wait(5)
    gate.need_passed()
    clock.advance(30)
    gate.need_passed()
    gate.wait(5)
    with pytest.raises(KeysError):
        gate.need_passed()


def test_every_finding_is_a_line_of_its_own_event(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    soon = Finding(Text("It runs out."), stops=False, soon=True)
    KeyGate(Looks((STOPS, EXPIRED, soon)), clock).wait(5)
    assert [(vars(one)["event"], one.levelno) for one in caplog.records] == [
        ("keys-refused", logging.ERROR),
        ("keys-expired", logging.ERROR),
        ("keys-expiring", logging.WARNING),
    ]


# -- the start ---------------------------------------------------------------------------------------------


def production(**changes: str) -> Settings:
    environ = {
        "ANTESALA_ENVIRONMENT": "production",
        "ANTESALA_PUBLIC_URL": "https://unset.invalid",
        "ANTESALA_REGIONS": "emea",
        "ANTESALA_TENANTS": ONE,
        "ANTESALA_CLIENT_ID": TWO,
        "ANTESALA_KEY_VAULT_URL": "https://keys.invalid",
        "ANTESALA_CLIENT_SECRETS_VAULT_URL": "https://clients.invalid",
        "AZURE_CLIENT_ID": TWO,
        "AntesalaEmea__tableServiceUri": "https://t.invalid",
        "AntesalaEmea__queueServiceUri": "https://q.invalid",
        "AntesalaEmea__clientId": TWO,
        **changes,
    }
    return Settings.from_environ(environ)


@pytest.mark.parametrize("keys", [typed(bytes(32)), "[]", listed({"key": symmetric(3), "sandbox": True})])
def test_production_builds_nothing_on_keys_that_somebody_could_guess(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    vault = sound(clock.now())
    vault.secrets["visit-keys"] = keys
    vault.secrets["ehr-signing-keys"] = "[]"
    monkeypatch.setattr(wiring, "secrets_of", lambda *_: vault)
    with pytest.raises(KeysError) as refused:
        wiring.build(production(), clock)
    # Told together with what was not looked at yet.
    assert len(refused.value.faults) == 2
    assert "visit-keys" in refused.value.faults[0]
    assert "ehr-signing-keys" in refused.value.faults[1]


def test_production_reads_two_secrets_before_its_first_answer(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = sound(clock.now())
    monkeypatch.setattr(wiring, "secrets_of", lambda *_: vault)
    made = wiring.build(production(), clock)
    assert vault.reads == ["sealing-keys", "visit-keys"]
    assert made.key_review.findings() == ()
