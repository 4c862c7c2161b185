"""What every adapter promises, whichever EHR it tells: tokens, and what the far end may do to us."""

from dataclasses import replace
from threading import Barrier, Thread

import pytest

from shared.connection import Approved, Writeback
from shared.ehr.catalogue import SHEETS
from shared.ehr.registry import Adapters
from shared.errors import AnswerRefused, StatusRefused, Unreachable
from shared.outbound import Answer
from tests.ehr.line import Desk, adapters, answer, approved, late, telling
from tests.fakes import FakeClock, MemorySecrets


@pytest.fixture(params=["epic", "oracle", "fhir"])
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
    declared = {kind: registry.of(approved(kind)).semantics for kind in SHEETS}
    assert declared == {"epic": "state", "oracle": "state", "fhir": "event", "none": "state"}


@pytest.mark.smart(264, 236)
@pytest.mark.parametrize("status", [200, 201])
def test_success_is_told_once_with_our_token(kind: str, registry: Adapters, desk: Desk, status: int) -> None:
    desk.answers = [answer(status)]
    tell(registry, approved(kind))
    assert [one.headers["Authorization"] for one in desk.told] == ["Bearer token-1"]
    form = desk.tokens[0].form or {}
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == SHEETS[kind].scopes({})
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
    assert len(desk.told) + len(desk.reads) >= 8
    assert len(desk.tokens) == 1


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
        (301, False),
        (302, False),
        (307, False),
        (308, False),
        (400, False),
        (403, False),
        (404, False),
        (410, False),
        (422, False),
        (429, True),
        (408, True),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_refusals_say_whether_later_helps(
    kind: str, registry: Adapters, desk: Desk, status: int, transient: bool
) -> None:
    # An address elsewhere is not followed, whatever it promises.
    desk.answers = [answer(status, retry_after="17", location="https://elsewhere.test/")]
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


@pytest.mark.parametrize("status", [423, 424])
def test_a_locked_record_is_no_refusal_for_good(registry: Adapters, desk: Desk, status: int) -> None:
    for kind in ("oracle", "fhir"):
        desk.answers = [answer(status, retry_after="60")]
        with pytest.raises(StatusRefused) as refused:
            tell(registry, approved(kind))
        found = (refused.value.status, refused.value.transient, refused.value.retry_after)
        assert found == (status, True, 60.0)


def test_told_twice_is_one_effect(kind: str, registry: Adapters, desk: Desk) -> None:
    tell(registry, approved(kind))
    tell(registry, approved(kind))
    effects = {(one.method, one.url, str(one.form), str(one.json)) for one in desk.told}
    assert len(effects) == 1
    # Where a repetition would be a change of its own, there is none.
    assert kind != "oracle" or len(desk.told) == 1


def test_an_answer_that_got_lost_is_no_second_effect(kind: str, registry: Adapters, desk: Desk) -> None:
    """The EHR has it, but its answer did not arrive: the next attempt finds it or repeats it word by word."""
    desk.meanwhile = [lambda: desk.appointment.set("arrived")]
    desk.answers = [late()]
    with pytest.raises(Unreachable):
        tell(registry, approved(kind))
    tell(registry, approved(kind))
    first, *again = desk.told
    assert all((one.url, one.form, one.json) == (first.url, first.form, first.json) for one in again)
    assert desk.appointment.version == 2 or kind != "oracle"


def test_every_call_has_its_limits(kind: str, registry: Adapters, desk: Desk) -> None:
    tell(registry, approved(kind))
    calls = desk.told + desk.reads + desk.tokens
    assert all(0 < one.timeout <= 15 and one.max_bytes <= 1_000_000 for one in calls)
    assert all(one.max_bytes <= 8_000_000 for one in desk.metadata)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_without_end_is_cut_off(kind: str, registry: Adapters, desk: Desk, status: int) -> None:
    desk.answers = [Answer(status, {}, b"x" * 1_000_001)]
    with pytest.raises(AnswerRefused):
        tell(registry, approved(kind))


HOSTILE = [
    b"Patient/pat-1 880014417731 WPR-1",
    b'{"issue": [{"code": "Patient/pat-1", "diagnostics": "pat-1"}]}',
    b'{"issue": [{"code": "invalid\n\nforged line of pat-1"}]}',
    b'{"issue": {"code": "pat-1"}}',
    b'{"issue": [["pat-1"]]}',
    b'{"resourceType": "OperationOutcome", "issue": null, "text": "pat-1"}',
    b"<html><script>pat-1</script></html>",
    b"executing the command: pat-1 details: pat-1 is unknown",
    b"\xff\xfe\x00pat-1",
    b"[" * 100_000,
    b"",
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:30]))
def test_a_refusal_repeats_nothing_that_the_ehr_says(
    kind: str, registry: Adapters, desk: Desk, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    desk.answers = [Answer(400, {}, body)]
    with caplog.at_level("DEBUG"), pytest.raises(StatusRefused) as refused:
        tell(registry, approved(kind))
    shown = f"{refused.value} {refused.value!r} {refused.value.__cause__} {caplog.text}"
    assert not any(secret in shown for secret in ("pat-1", "appt-1", "880014417731", "token-1", "s3cret"))
    assert refused.value.code == ""


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
    one = approved("none")
    tell(registry, one)
    assert not desk.told + desk.tokens + desk.reads
    with pytest.raises(LookupError):
        registry.of(replace(one, revision=replace(one.revision, writeback=Writeback("gone"))))


def test_a_telling_shows_nobody() -> None:
    shown = repr(telling())
    assert "pat-1" not in shown
    assert "880014417731" not in shown
