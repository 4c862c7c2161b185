"""Our own tokens when they are hard to get: who asks, how often, and what it is called."""

from collections.abc import Callable
from threading import Event, Lock, Thread
from time import sleep
from typing import Any

import pytest

from shared.ehr.backend import BackendTokens
from shared.errors import AnswerRefused, NoToken, OutsideError, StatusRefused, Unreachable
from shared.keys import SigningKeys
from shared.outbound import Answer
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from tests.ehr.line import TOKEN_URL, Desk, Line, Sent, answer, approved, late
from tests.fakes import FakeClock, MemorySecrets, SeededEntropy

MANY = 50


class Endpoint:
    """A token endpoint that counts; ``replies`` by call, then tokens. A crowd it lets wait."""

    def __init__(self, *replies: Answer | Exception) -> None:
        self.replies = list(replies)
        self.asked = 0
        self.desk = Desk()
        self._lock = Lock()
        self.crowd: Event | None = None

    def __call__(self, sent: Sent) -> Answer:
        if sent.url != TOKEN_URL:
            return self.desk(sent)
        with self._lock:
            self.asked += 1
            reply = self.replies.pop(0) if self.replies else None
        if self.crowd is not None:
            # Until all of them have asked, and the last a moment ago.
            self.crowd.wait(10)
            sleep(0.2)
        if isinstance(reply, Exception):
            raise reply
        return reply or self.desk(sent)


def tokens_of(endpoint: Endpoint, clock: FakeClock, secrets: MemorySecrets | None = None) -> BackendTokens:
    secrets = secrets or MemorySecrets(backend_secret="hush")
    line = Line(clock, endpoint)
    tokens = Tokens(line, SigningKeys(secrets, clock, {"t"}), secrets, clock, SeededEntropy())
    return BackendTokens(Discovery(line, clock, frozenset({"localhost"})), tokens, clock)


def together(endpoint: Endpoint, run: Callable[[], Any]) -> list[Any]:
    """What each of many threads at once got, or what was raised."""
    found: list[Any] = []
    asking: list[None] = []
    crowd = endpoint.crowd = Event()

    def one() -> None:
        asking.append(None)
        if len(asking) == MANY:
            crowd.set()
        try:
            found.append(run())
        except OutsideError as failure:
            found.append(failure)

    threads = [Thread(target=one) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    endpoint.crowd = None
    assert len(found) == MANY
    return found


def test_many_at_once_should_cause_one_token_request(clock: FakeClock) -> None:
    endpoint = Endpoint()
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    assert together(endpoint, lambda: tokens.get(one)) == ["token-1"] * MANY
    assert endpoint.asked == 1


def test_many_at_once_should_share_a_token_without_a_lifetime(clock: FakeClock) -> None:
    endpoint = Endpoint()
    endpoint.desk.expires_in = 0
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    assert together(endpoint, lambda: tokens.get(one)) == ["token-1"] * MANY
    # The next asks anew: nobody knows how long it lasts.
    assert tokens.get(one) == "token-2"


@pytest.mark.parametrize("reply", [late(), answer(503), answer(400, {"error": "invalid_client"})])
def test_many_at_once_should_share_a_failure_and_the_next_ask_anew(
    clock: FakeClock, reply: Answer | Exception
) -> None:
    endpoint = Endpoint(reply)
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    failures = together(endpoint, lambda: tokens.get(one))
    assert all(isinstance(failure, OutsideError) for failure in failures)
    assert endpoint.asked == 1
    assert tokens.get(one) == "token-1"


def test_many_at_once_should_renew_a_refused_token_once(clock: FakeClock) -> None:
    endpoint = Endpoint()
    tokens, one = tokens_of(endpoint, clock), approved("epic")
    refused = tokens.get(one)

    def again() -> str:
        tokens.forget(one, refused)
        return tokens.get(one)

    assert together(endpoint, again) == ["token-2"] * MANY
    assert endpoint.asked == 2


@pytest.mark.parametrize(
    ("reply", "kind", "transient"),
    [
        (late(), Unreachable, True),
        (answer(429, retry_after="40"), StatusRefused, True),
        (answer(500), StatusRefused, True),
        (answer(503, {"error": "temporarily_unavailable"}), StatusRefused, True),
        (answer(400, {"error": "temporarily_unavailable"}), StatusRefused, True),
        (answer(400, {"error": "invalid_client"}), NoToken, False),
        (answer(401, {"error": "invalid_client"}), NoToken, False),
        (answer(400, {"error": "invalid_grant"}), NoToken, False),
        (answer(400, {"error": "invalid_scope"}), NoToken, False),
        (answer(403), NoToken, False),
        # A page about maintenance in place of a token.
        (answer(200, "soon back"), NoToken, False),
    ],
)
def test_what_a_token_endpoint_says_should_have_its_name(
    clock: FakeClock, reply: Answer | Exception, kind: type[OutsideError], transient: bool
) -> None:
    with pytest.raises(OutsideError) as refused:
        tokens_of(Endpoint(reply), clock).get(approved("epic"))
    assert (type(refused.value), refused.value.transient) == (kind, transient)
    if isinstance(refused.value, StatusRefused) and refused.value.status == 429:
        assert refused.value.retry_after == 40


def test_a_missing_secret_should_be_for_people_to_mend(clock: FakeClock) -> None:
    with pytest.raises(NoToken):
        tokens_of(Endpoint(), clock, MemorySecrets()).get(approved("epic"))


def test_an_endpoint_that_moved_should_be_for_people_to_mend(clock: FakeClock) -> None:
    endpoint = Endpoint()
    endpoint.desk.token_url = "https://elsewhere.test/token"
    with pytest.raises(AnswerRefused) as refused:
        tokens_of(endpoint, clock).get(approved("epic"))
    assert isinstance(refused.value, NoToken)
    assert endpoint.asked == 0
