import base64
from collections import Counter

from shared.meeting.organizers import candidates, following
from shared.meeting.persons import Launcher
from tests.graph.fakes import ELENA, POOL

KEYS = [base64.urlsafe_b64encode(bytes([number]) * 32).rstrip(b"=").decode() for number in range(64)]
PATIENT = Launcher("patient", "p")


def test_a_visit_always_gets_the_same_order() -> None:
    for key in KEYS:
        assert candidates(POOL, key, PATIENT) == candidates(POOL, key, PATIENT)
        assert {one.oid for one in candidates(POOL, key, PATIENT)} == set(POOL)


def test_visits_are_spread_over_the_pool() -> None:
    firsts = Counter(candidates(POOL, key, PATIENT)[0].oid for key in KEYS)
    assert min(firsts.values()) > 16


def test_the_launching_provider_comes_first_and_once() -> None:
    order = candidates((*POOL, ELENA), KEYS[1], Launcher("provider", "EMP", ELENA))
    assert [one.source for one in order] == ["launcher", "pool", "pool"]
    assert [one.oid for one in order].count(ELENA) == 1


def test_a_patient_never_organizes() -> None:
    assert candidates((), KEYS[0], Launcher("patient", "p", ELENA)) == ()
    assert candidates((), KEYS[0], Launcher("provider", "EMP", "")) == ()


def test_who_was_tried_is_not_tried_again() -> None:
    order = candidates(POOL, KEYS[0], PATIENT)
    assert following(order, frozenset()) == order[0]
    assert following(order, frozenset({order[0].oid})) == order[1]
    assert following(order, frozenset(POOL)) is None
