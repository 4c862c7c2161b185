"""Scopes that launches ask for (SMART 2.2 section 3.0.1); and that reasons for leaving rows out are true."""

import itertools
import re

import pytest

from shared.connection import Policy, Revision, Side, VisitKind, VisitSource, Writeback
from shared.ehr.catalogue import SHEETS
from shared.ehr.scopes import backend_scope
from shared.smart.authorize import approval_scopes, launch_scopes
from shared.smart.discovery import SmartConfiguration
from tests.launch.conftest import revision
from tests.launch.ehr import AUTHORIZE, TOKEN

V1, V2 = "permission-v1", "permission-v2"
KINDS: tuple[VisitKind, ...] = ("session", "conference", "appointment", "encounter")
SIDES: tuple[Side, ...] = ("provider", "patient")
REVISIONS: list[Revision] = [
    revision(visit_source=VisitSource(kind, ""), policy=Policy(window=window))
    for kind, window in itertools.product(KINDS, (False, True))
]


def asked(side: Side, *capabilities: str) -> set[str]:
    """Every scope that a launch of this side may ask for at a server of these capabilities."""
    config = SmartConfiguration(AUTHORIZE, TOKEN, capabilities=frozenset(capabilities))
    return {word for one in REVISIONS for word in launch_scopes(one, side, config).split()}


def resources(side: Side, *capabilities: str) -> set[str]:
    return asked(side, *capabilities) - {"launch", "openid", "fhirUser"}


@pytest.mark.smart(121, 135)
@pytest.mark.parametrize("side", SIDES)
def test_reading_is_asked_for_in_the_grammar_that_the_server_announces(side: Side) -> None:
    assert all(re.fullmatch(r"(user|patient)/[A-Z][A-Za-z]+\.r", word) for word in resources(side, V2))
    assert all(re.fullmatch(r"(user|patient)/[A-Z][A-Za-z]+\.read", word) for word in resources(side, V1))
    assert resources(side) == resources(side, V1), "a server that announces neither is an old one"
    assert resources(side, V1, V2) == resources(side, V2)


@pytest.mark.smart(137, 141)
def test_clinicians_ask_as_users_and_patients_for_one_patient() -> None:
    assert {word.partition("/")[0] for word in resources("provider", V2)} == {"user"}
    assert {word.partition("/")[0] for word in resources("patient", V2)} == {"patient"}


@pytest.mark.smart(131)
@pytest.mark.parametrize("side", SIDES)
def test_no_scope_is_asked_for_twice_or_in_parts(side: Side) -> None:
    for one in REVISIONS:
        words = launch_scopes(one, side, SmartConfiguration(AUTHORIZE, TOKEN)).split()
        types = [word.partition(".")[0] for word in words]
        assert len(set(types)) == len(types)


@pytest.mark.smart(148)
def test_what_is_said_not_to_be_asked_for_is_not() -> None:
    """The reasons of reasons.csv: no refresh, no wildcard, no query, no launch/ scope, no change of data."""
    launches = set().union(*(asked(side, *form) for side in SIDES for form in ((), (V1,), (V2,))))
    backend = {word for name in SHEETS for word in backend_scope(Writeback(name)).split()}
    everything = launches | backend | set(approval_scopes().split())
    assert not everything & {"offline_access", "online_access"}
    assert not any("*" in word or "?" in word or word.startswith(("launch/", "http")) for word in everything)
    permissions = {word.rpartition(".")[2] for word in launches if "/" in word}
    assert permissions == {"r", "read"}
    assert {word.rpartition(".")[2] for word in backend} <= {"read", "write"}
