"""Chains of work: where their ids come from, what carries them, and what they never decide."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest

from shared import edge, trace
from shared.clock import parse_timestamp
from shared.context import MOST_CHARACTERS, ContextSeal, VisitContext
from shared.messages import AttendanceMessage, WritebackMessage
from shared.sealing import Sealer
from tests.fakes import FakeClock, SeededEntropy

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CONTEXT = VisitContext("aabcdefghijklmno", "k" * 43, "session", "880014417731", trace=TRACE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PARENT, TRACE),
        (TRACE, TRACE),
        ("", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (PARENT.upper(), ""),
        (f"{PARENT}\n", ""),
        ("<script>", ""),
    ],
)
def test_a_chain_s_id_should_be_read_from_what_w3c_allows(text: str, found: str) -> None:
    assert trace.trace_of(text) == found


def test_a_step_should_go_on_in_the_chain_it_is_given_under_an_id_of_its_own() -> None:
    with trace.entered(PARENT) as scope:
        assert scope.trace == trace.trace_id() == TRACE
        assert scope.span != SPAN
        assert trace.traceparent() == f"00-{TRACE}-{scope.span}-01"
    assert trace.current() is None


def test_a_step_without_a_chain_should_begin_one_and_may_follow_another() -> None:
    with trace.entered("what a stranger sends") as scope:
        assert trace.trace_of(scope.trace)
        trace.follow("nothing")
        assert trace.trace_id() == scope.trace
        trace.follow(PARENT)
        assert trace.trace_id() == TRACE
        with trace.entered():
            assert trace.trace_id() not in (TRACE, scope.trace)
        assert trace.trace_id() == TRACE


def test_two_threads_should_not_mix_their_chains() -> None:
    seen: list[str] = []
    with trace.entered(PARENT):
        other = threading.Thread(target=lambda: seen.append(trace.trace_id()))
        other.start()
        other.join()
    assert seen == [""]


def test_waiting_for_several_at_once_should_count_once() -> None:
    calls = [trace.Call("ehr", 0.0, 1.0), trace.Call("graph", 0.5, 2.0), trace.Call("graph", 0.6, 1.0)]
    scope = trace.Scope(TRACE, SPAN, calls=[*calls, trace.Call("entra", 3.0, 3.25)])
    assert trace.others_ms(scope) == 2_250
    assert [trace.others_ms(scope, one) for one in ("ehr", "graph", "entra")] == [1_000, 1_500, 250]


def test_a_call_outward_should_be_counted_as_whose_it_is() -> None:
    with trace.entered() as scope:
        for service in ("ehr-token", "graph", "microsoft-365", "key-set"):
            with trace.calling(service):
                pass
        with pytest.raises(ValueError, match="no"), trace.calling("ehr-fhir"):
            raise ValueError("no")
    assert [call.whom for call in scope.calls] == ["ehr", "graph", "entra", "", "ehr"]


# -- the host ------------------------------------------------------------------------------------------


def test_a_trigger_should_run_in_the_chain_of_the_host_s_invocation() -> None:
    seen: list[str] = []

    @edge.traced
    def trigger(req: func.HttpRequest) -> None:
        """Says where it is."""
        seen.append(trace.trace_id())

    context = cast("Any", SimpleNamespace(trace_context=SimpleNamespace(trace_parent=PARENT)))
    request = func.HttpRequest("GET", "https://x.example/", headers={"traceparent": PARENT}, body=b"")
    trigger(req=request, context=context)
    trigger(request)
    assert seen[0] == TRACE
    # A header is a stranger's word: whoever sends it does not choose whose lines stand beside theirs.
    assert seen[1] not in ("", TRACE)
    assert trigger.__name__ == "trigger"
    assert trigger.__annotations__["context"] is func.Context


# -- what carries it -----------------------------------------------------------------------------------


def test_messages_should_carry_the_chain_and_those_of_before_be_read_without() -> None:
    sealer, at = Sealer([b"s" * 32], FakeClock()), parse_timestamp("2026-03-02T14:00:00.123Z")
    carried = AttendanceMessage("c", {}, (), at, PARENT)
    assert AttendanceMessage.read(carried.text()).traceparent == PARENT
    message = WritebackMessage("c", "patient", "connected", 1, False, "2026-03-02T14:00:00.000Z")
    known = replace(message, traceparent=PARENT)
    assert WritebackMessage.read(known.again().text(sealer), sealer).traceparent == PARENT
    assert PARENT not in known.text(sealer)
    old = carried.text().replace(f',"traceparent":"{PARENT}"', "")
    assert AttendanceMessage.read(old).traceparent == ""


def test_a_sealed_context_should_carry_the_chain_where_it_has_room(entropy: SeededEntropy) -> None:
    contexts = ContextSeal(Sealer([b"k" * 32], FakeClock()))
    assert contexts.open(contexts.seal(CONTEXT)).trace == TRACE
    # It does not decide which visit it is.
    assert replace(CONTEXT, trace="") == CONTEXT
    assert contexts.open(contexts.seal(replace(CONTEXT, trace="<script>"))).trace == ""
    for length in range(600, 1_000, 3):
        long = replace(CONTEXT, visit_id=entropy.token(length)[:length])
        sealed = contexts.seal(long)
        assert len(sealed) <= MOST_CHARACTERS
        if not contexts.open(sealed).trace:
            break
    else:
        pytest.fail("no context was too long for its chain")
