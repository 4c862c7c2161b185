"""What every adapter promises, whichever EHR it tells."""

from threading import Barrier, Thread

import pytest

from shared.connection import Approved, Writeback
from shared.ehr.registry import Adapters
from shared.errors import AnswerRefused, StatusRefused, Unreachable
from tests.ehr.line import Desk, adapters, answer, approved, late, telling
from tests.fakes import FakeClock, MemorySecrets


@pytest.fixture(params=["epic", "fhir"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry(desk: Desk, clock: FakeClock) -> Adapters:
    return adapters(desk, clock, MemorySecrets(backend_secret="s3cret"))


def tell(registry: Adapters, one: Approved) -> None:
    registry.of(one).tell(one, telling())


def test_semantics(registry: Adapters) -> None:
    assert registry.of(approved("epic")).semantics == "state"
    assert registry.of(approved("fhir")).semantics == "event"


@pytest.mark.smart(264, 236)
@pytest.mark.parametrize("status", [200, 201])
def test_success_is_told_once_with_our_token(kind: str, registry: Adapters, desk: Desk, status: int) -> None:
    desk.answers = [answer(status)]
    tell(registry, approved(kind))
    assert [one.headers["Authorization"] for one in desk.told] == ["Bearer token-1"]
    form = desk.tokens[0].form or {}
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == {"epic": "system/Encounter.read", "fhir": "system/AuditEvent.write"}[kind]
    assert ("Epic-Client-ID" in desk.told[0].headers) == (kind == "epic")


@pytest.mark.smart(263)
def test_the_token_serves_until_a_minute_before_it_expires(
    kind: str, registry: Adapters, desk: Desk, clock: FakeClock
) -> None:
    one = approved(kind)
    tell(registry, one)
    clock.advance(239)
    tell(registry, one)
    assert len(desk.tokens) == 1
    clock.advance(2)
    tell(registry, one)
    assert len(desk.tokens) == 2


def test_many_at_once_fetch_one_token(kind: str, registry: Adapters, desk: Desk) -> None:
    one, together = approved(kind), Barrier(8)
    desk.slow = 0.05

    def run() -> None:
        together.wait(5)
        tell(registry, one)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert (len(desk.told), len(desk.tokens)) == (8, 1)


def test_401_is_answered_with_a_new_token(kind: str, registry: Adapters, desk: Desk) -> None:
    desk.answers = [answer(401), answer(200)]
    tell(registry, approved(kind))
    assert [one.headers["Authorization"] for one in desk.told] == ["Bearer token-1", "Bearer token-2"]


def test_401_twice_is_final(kind: str, registry: Adapters, desk: Desk) -> None:
    desk.answers = [answer(401), answer(401)]
    with pytest.raises(StatusRefused) as refused:
        tell(registry, approved(kind))
    assert (refused.value.status, refused.value.transient, len(desk.told)) == (401, False, 2)


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        (302, False),
        (400, False),
        (403, False),
        (404, False),
        (422, False),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_refusals_say_whether_later_helps(
    kind: str, registry: Adapters, desk: Desk, status: int, transient: bool
) -> None:
    desk.answers = [answer(status, retry_after="17")]
    with pytest.raises(StatusRefused) as refused:
        tell(registry, approved(kind))
    found = (refused.value.status, refused.value.transient, refused.value.retry_after)
    assert found == (status, transient, 17.0)
    assert len(desk.told) == 1


def test_no_answer_is_transient_and_names_nobody(kind: str, registry: Adapters, desk: Desk) -> None:
    desk.answers = [late()]
    with pytest.raises(Unreachable) as refused:
        tell(registry, approved(kind))
    assert refused.value.transient


def test_a_token_endpoint_elsewhere_is_refused(kind: str, registry: Adapters, desk: Desk) -> None:
    desk.token_url = "https://elsewhere.test/token"
    with pytest.raises(AnswerRefused):
        tell(registry, approved(kind))
    assert not desk.tokens
    assert not desk.told


def test_a_missing_secret_is_an_answer_that_waiting_does_not_mend(kind: str, clock: FakeClock) -> None:
    with pytest.raises(AnswerRefused):
        tell(adapters(Desk(), clock, MemorySecrets()), approved(kind))


def test_the_scope_is_an_option(kind: str, registry: Adapters, desk: Desk) -> None:
    tell(registry, approved(kind, scope="system/AuditEvent.cu"))
    assert (desk.tokens[0].form or {})["scope"] == "system/AuditEvent.cu"


def test_none_tells_nobody_and_unbuilt_is_no_adapter(registry: Adapters, desk: Desk) -> None:
    from dataclasses import replace

    one = approved("fhir")
    tell(registry, replace(one, revision=replace(one.revision, writeback=Writeback("none"))))
    assert not desk.told
    with pytest.raises(LookupError):
        registry.of(replace(one, revision=replace(one.revision, writeback=Writeback("oracle"))))


def test_a_telling_shows_nobody() -> None:
    shown = repr(telling())
    assert "pat-1" not in shown
    assert "880014417731" not in shown
