"""All calls of one attempt together end before the claim of whoever makes it: measured on a slow EHR."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import pytest

from shared.connection import Approved
from shared.ehr.attempt import MOST, Attempt
from shared.ehr.backend import RENEWAL_SECONDS
from shared.ehr.registry import Adapters
from shared.errors import OutsideError, StatusRefused, Unreachable
from shared.outbound import Answer
from shared.store.operations import LEASE
from tests.ehr.line import TOKEN_URL, Desk, Sent, adapters, answer, approved, device, late, outcome, telling
from tests.ehr.test_tokens import Endpoint, tokens_of
from tests.fakes import FakeClock, MemorySecrets

# Claims, the visit and the outcome have to be read and written in what is left.
STORAGE = timedelta(seconds=20)
PROVIDER = telling(role="provider", user="Practitioner/p-1")
CREATE_ONLY = {"type": "AuditEvent", "interaction": [{"code": "create"}]}
OPTIONS = {
    "epic": {"device_path": "/api/device"},
    "oracle": {"took_place": "fulfilled"},
    "fhir": {"outcome": "yes", "encounter_status": "yes"},
}


class Slow:
    """An EHR whose every answer takes ``share`` of what the call allows; the clock goes on by as much."""

    def __init__(self, desk: Desk, clock: FakeClock, share: float, refuses: bool = False) -> None:
        self.desk, self.clock, self.share, self.refuses = desk, clock, share, refuses
        self.calls = 0

    def __call__(self, sent: Sent) -> Answer:
        self.calls += 1
        assert sent.timeout > 0
        self.clock.advance(sent.timeout * self.share)
        if self.refuses and "token-1" in sent.headers.get("Authorization", ""):
            return answer(401)
        if self.share == 1 and sent.headers.get("Authorization"):
            raise late()
        if sent.url.endswith("smart-configuration") and self.refuses:
            return answer(404)
        if sent.url.endswith("/metadata") and "Authorization" not in sent.headers:
            return answer(200, OLD)
        return self.desk(sent)


OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
OLD = {
    "resourceType": "CapabilityStatement",
    "rest": [
        {
            "mode": "server",
            "security": {
                "extension": [
                    {
                        "url": OAUTH,
                        "extension": [
                            {"url": "authorize", "valueUri": "https://ehr.test/oauth2/authorize"},
                            {"url": "token", "valueUri": "https://ehr.test/oauth2/token"},
                        ],
                    }
                ]
            },
        }
    ],
}


def tell(registry: Adapters, one: Approved) -> None:
    registry.of(one).tell(one, PROVIDER)


def tell_outcome(registry: Adapters, one: Approved) -> None:
    if (found := registry.outcome(one)) is not None:
        found.tell_outcome(one, outcome())


def tell_device(registry: Adapters, one: Approved) -> None:
    if (found := registry.device(one)) is not None:
        found.tell_device(one, device())


@pytest.mark.parametrize("kind", list(OPTIONS))
@pytest.mark.parametrize("what", [tell, tell_outcome, tell_device])
@pytest.mark.parametrize("share", [1.0, 0.99, 0.7, 0.4])
@pytest.mark.parametrize("refuses", [False, True], ids=["token good", "token refused"])
@pytest.mark.parametrize("declared", [Desk().audit_event, CREATE_ONLY], ids=["by id", "plain"])
def test_an_attempt_should_end_before_its_claim(
    kind: str,
    what: Callable[[Adapters, Approved], None],
    share: float,
    refuses: bool,
    declared: dict[str, object],
) -> None:
    clock = FakeClock()
    races: list[Answer | Exception] = [answer(200), *(answer(409) for _ in range(20))]
    line = Slow(Desk(audit_event=declared, answers=races), clock, share, refuses)
    one = approved(kind, **OPTIONS[kind])
    registry = adapters(line, clock, MemorySecrets(backend_secret="s3cret"))
    began = clock.now()
    failures: list[OutsideError] = []
    try:
        what(registry, one)
    except OutsideError as failure:
        failures.append(failure)
    assert all(failure.transient for failure in failures)
    assert clock.now() - began <= MOST <= LEASE - STORAGE
    assert line.calls or registry.outcome(one) is None or registry.device(one) is None


def test_a_call_should_get_what_is_left_and_none_when_nothing_is(clock: FakeClock) -> None:
    attempt = Attempt(approved("fhir"), clock)
    assert attempt.seconds(15) == 15
    clock.advance(MOST.total_seconds() - 4)
    assert attempt.seconds(15) == attempt.left() == 4
    clock.advance(5)
    with pytest.raises(Unreachable):
        attempt.seconds(15)
    assert attempt.left() == 0


def test_a_race_late_in_the_attempt_should_be_no_outage() -> None:
    """One record that others change says nothing about the EHR."""
    clock = FakeClock()
    desk = Desk(answers=[answer(409)])
    desk.meanwhile = [lambda: clock.advance(MOST.total_seconds() - 1)]
    one = approved("oracle")
    with pytest.raises(StatusRefused) as refused:
        adapters(desk, clock, MemorySecrets(backend_secret="s3cret")).of(one).tell(one, telling())
    assert (refused.value.status, refused.value.transient) == (409, True)


def test_a_token_should_not_be_fetched_without_the_time_for_it(clock: FakeClock) -> None:
    endpoint = Endpoint()
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    with pytest.raises(Unreachable):
        tokens.get(one, RENEWAL_SECONDS - 1)
    assert endpoint.asked == 0
    token = tokens.get(one)
    # One that is there takes no time.
    assert tokens.get(one, 0.5) == token


class Held(Endpoint):
    """It answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.free = Event(), Event()

    def __call__(self, sent: Sent) -> Answer:
        if sent.url == TOKEN_URL:
            self.reached.set()
            self.free.wait(5)
        return self.desk(sent)


def test_who_waits_for_anothers_token_should_wait_no_longer_than_there_is_time(clock: FakeClock) -> None:
    endpoint = Held()
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    other = Thread(target=lambda: tokens.get(one))
    other.start()
    assert endpoint.reached.wait(5)
    with pytest.raises(Unreachable):
        tokens.get(one, 0.05)
    # Nor does who finds the old one refused: it is being replaced already.
    tokens.forget(one, "an old one")
    assert other.is_alive()
    endpoint.free.set()
    other.join(5)
    assert tokens.get(one, 0.05) == "token-1"
