"""A production app does not start with faulty keys, and waits for no look at them."""

import contextlib
import logging
import threading

import pytest

from shared import building, wiring
from shared.errors import Unreachable
from shared.key_gate import KeyGate
from shared.key_review import Finding, KeysError
from shared.settings import Settings
from shared.texts import Text
from tests.fakes import FakeClock
from tests.keys.making import listed, sound, symmetric

ONE = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
TWO = "0d2b6c84-91ef-4a37-b5d8-7c3e1f60a9b2"

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
    # Begins the second look, and may be told what it finds already.
    with contextlib.suppress(KeysError):
        gate.need_passed()
    gate.wait(5)
    assert looks.number == 2
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


@pytest.mark.parametrize("keys", [listed("A" * 43), "[]", listed({"key": symmetric(3), "sandbox": True})])
def test_production_builds_nothing_on_keys_that_somebody_could_guess(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    vault = sound(clock.now())
    vault.secrets["visit-keys"] = keys
    vault.secrets["ehr-signing-keys"] = "[]"
    monkeypatch.setattr(building, "secrets_of", lambda *_: vault)
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
    monkeypatch.setattr(building, "secrets_of", lambda *_: vault)
    made = wiring.build(production(), clock)
    assert vault.reads == ["sealing-keys", "visit-keys"]
    assert made.key_review.findings() == ()
