"""What is wrong with keys is found, all of it at once, and what stops a start is told from what does not."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.clock import timestamp
from shared.key_review import Finding, KeyReview, KeysError
from shared.keys import signing_keys_name
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
