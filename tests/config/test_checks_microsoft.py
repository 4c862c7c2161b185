"""Verdicts on Microsoft 365's side."""

import pytest

from shared.errors import AnswerRefused, AntesalaError, Unreachable
from shared.graph.licences import TEAMS_PLANS, ServicePlan
from shared.graph.service import GraphRefused
from tests.config.checking import drafted, outcome, verdict
from tests.config.house import ADMIN, CLINICIAN, Browser, House

TEAMS = next(iter(TEAMS_PLANS))
DENIED = GraphRefused(403, "Authorization_RequestDenied", "Insufficient privileges")
POLICY, LICENCE, LINK = "access-policy", "licence", "virtual-appointment"


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


def test_a_missing_access_policy_shows_the_exact_lines(house: House, admin: Browser) -> None:
    found = verdict(admin, drafted(house, admin), POLICY, ADMIN)
    assert (found["verdict"], found["person"]) == ("failed", ADMIN)
    assert found["commands"] == [
        "Connect-MicrosoftTeams",
        (
            f'New-CsApplicationAccessPolicy -Identity Antesala -AppIds "{house.settings.client_id}" '
            '-Description "Antesala virtual visits"'
        ),
        f'Grant-CsApplicationAccessPolicy -PolicyName Antesala -Identity "{ADMIN}"',
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GraphRefused(403, "Forbidden", "Missing role permissions"), "OnlineMeetings.ReadWrite.All"),
        (GraphRefused(404, "NotFound", "no such user"), "account exists"),
        (GraphRefused(503), "Wait a minute"),
        (Unreachable("graph"), "Wait a minute"),
        (AnswerRefused("graph join link"), "account exists"),
    ],
    ids=["no permission", "nobody", "down", "silent", "nonsense"],
)
def test_a_meeting_that_is_not_made_is_explained(
    house: House, admin: Browser, error: AntesalaError, words: str
) -> None:
    connection = drafted(house, admin)
    house.microsoft.refusals["create_or_get"] = error
    found = verdict(admin, connection, POLICY)
    assert (found["verdict"], found["commands"]) == ("failed", [])
    assert words in found["remedy"]


def test_a_token_that_is_refused_is_explained(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.microsoft.down = True
    found = verdict(admin, connection, "graph-token")
    assert (found["verdict"], found["found"]) == ("failed", "The answer was 400 (invalid_client).")
    assert "admin consent" in found["remedy"]


@pytest.mark.parametrize(
    ("plans", "expected", "words"),
    [
        ([ServicePlan(TEAMS, "Success")], "ok", "is licensed"),
        ([ServicePlan(TEAMS, "Disabled"), ServicePlan(TEAMS, "Success")], "ok", "is licensed"),
        ([ServicePlan(TEAMS, "PendingActivation")], "warning", "not ready yet"),
        ([ServicePlan(TEAMS, "Disabled")], "failed", "switched off"),
        ([ServicePlan("efb87545-963c-4e0d-99df-69c6916d9eb0", "Success")], "warning", "none that is known"),
        ([], "failed", "no licence"),
    ],
    ids=["licensed", "one of two", "pending", "switched off", "other services", "none"],
)
def test_every_way_of_holding_a_licence_has_its_verdict(
    house: House, admin: Browser, plans: list[ServicePlan], expected: str, words: str
) -> None:
    connection = drafted(house, admin)
    house.microsoft.plans = plans
    found = verdict(admin, connection, LICENCE, CLINICIAN)
    assert (found["verdict"], found["person"]) == (expected, CLINICIAN)
    assert words in found["found"]
    assert bool(found["remedy"]) is (expected != "ok")


def test_licences_that_we_may_not_read_are_no_failure(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.microsoft.refusals["service_plans"] = DENIED
    found = verdict(admin, connection, LICENCE)
    assert found["verdict"] == "skipped"
    assert "LicenseAssignment.Read.All" in found["remedy"]


@pytest.mark.parametrize(
    ("error", "words"),
    [(GraphRefused(404, "Request_ResourceNotFound"), "account exists"), (Unreachable("graph"), "Wait")],
    ids=["nobody", "silent"],
)
def test_licences_that_cannot_be_read_are_explained(
    house: House, admin: Browser, error: AntesalaError, words: str
) -> None:
    connection = drafted(house, admin)
    house.microsoft.refusals["service_plans"] = error
    found = verdict(admin, connection, LICENCE)
    assert found["verdict"] == "failed"
    assert words in found["remedy"]


def test_a_missing_browser_link_is_a_warning_that_names_the_permission(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.microsoft.browser_link = None
    found = verdict(admin, connection, LINK)
    assert found["verdict"] == "warning"
    assert "ordinary join link" in found["found"]
    assert "VirtualAppointment.Read.All" in found["remedy"]


def test_a_browser_link_that_does_not_come_is_a_warning(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.microsoft.refusals["virtual_join_url"] = Unreachable("graph")
    assert outcome(admin, connection, LINK) == ("warning", "There was no answer.")


def test_no_browser_link_is_asked_for_without_a_meeting(house: House, admin: Browser) -> None:
    connection = drafted(house, admin)
    house.microsoft.refusals["create_or_get"] = DENIED
    result, found = outcome(admin, connection, LINK)
    assert (result, "access policy" in found) == ("skipped", True)


@pytest.mark.parametrize("probe", [POLICY, LICENCE, LINK])
def test_nothing_is_tried_while_there_is_no_organizer(house: House, admin: Browser, probe: str) -> None:
    connection = drafted(house, admin, organizers=[])
    found = verdict(admin, connection, probe)
    assert (found["verdict"], found["tried"]) == ("skipped", "Nothing")
    assert found["found"] == "No organizer is chosen yet."
