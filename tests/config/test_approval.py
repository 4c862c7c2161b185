"""The approver's proof: bound to person, connection and revision, and gone after an hour."""

import pytest

from config_function import revisions
from shared.clock import timestamp
from shared.connection import Proof, Revision
from shared.errors import Refusal
from tests.config.house import ADMIN, ANALYST, CLINICIAN, House, Page
from tests.fakes import FakeClock


@pytest.mark.parametrize("user_type", ["Patient", "RelatedPerson"])
def test_a_patients_sign_in_proves_nothing(house: House, user_type: str) -> None:
    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    house.flow.user_type = user_type
    approver.post(f"/config/connections/{connection}/ehr", {})
    assert "wrong-front-door" in approver.get(f"/config/ehr/callback/{connection}?state=s").text
    assert approver.post(f"/config/connections/{connection}/approve", {"number": "1"}).status == 403
    assert house.approved(connection) is None


def test_approval_without_a_proof_is_refused(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    page = house.browser(ANALYST).post(f"/config/connections/{connection}/approve", {"number": "1"})
    assert page.status == 403
    assert "proof-missing" in page.text


def test_a_proof_lapses_after_an_hour(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    approver.get(f"/config/ehr/callback/{connection}?state=s")
    house.clock.advance(3601)
    approver.sign_in(house, ANALYST)
    assert "proof-missing" in approver.post(f"/config/connections/{connection}/approve", {"number": "1"}).text
    assert "First sign in to the EHR" in approver.get(f"/config/connections/{connection}").text


def test_a_sign_in_that_another_person_began_proves_nothing(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    house.flow.extra = {"oid": CLINICIAN}
    assert "proof-missing" in approver.get(f"/config/ehr/callback/{connection}?state=s").text


def test_an_answer_at_another_connections_address_proves_nothing(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    assert house.flow.redirect_uri == f"{house.settings.public_url}/config/ehr/callback/{connection}"
    assert "flow-unknown" in approver.get("/config/ehr/callback/azzzzzzzzzzzzzzz?state=s").text
    assert approver.get(f"/config/ehr/callback/{connection}?state=s").status == 303


def test_an_edit_voids_the_proof(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    approver.get(f"/config/ehr/callback/{connection}?state=s")
    admin.save(connection, "visits", {"chat": "enabled"})
    # The page that the approver still has open names the old revision.
    assert approver.post(f"/config/connections/{connection}/approve", {"number": "1"}).status == 409
    assert approver.post(f"/config/connections/{connection}/approve", {"number": "2"}).status == 409
    version = admin.get(f"/config/connections/{connection}").value("version")
    admin.post(f"/config/connections/{connection}/submit", {"version": version})
    assert "proof-missing" in approver.post(f"/config/connections/{connection}/approve", {"number": "2"}).text
    assert house.approved(connection) is None


def test_another_persons_proof_counts_for_nobody_else(clock: FakeClock) -> None:
    proof = Proof(CLINICIAN, timestamp(clock.now()))
    revision = Revision("a" * 16, 1, "verified", "Sierra", approver=ANALYST, proof=proof)
    revisions.need_fresh_proof(revision, CLINICIAN, clock.now())
    with pytest.raises(Refusal, match="proof-missing"):
        revisions.need_fresh_proof(revision, ANALYST, clock.now())


def test_a_draft_has_proven_and_found_nothing(clock: FakeClock) -> None:
    proof = Proof(ANALYST, timestamp(clock.now()))
    verified = Revision("a" * 16, 4, "verified", "Sierra", proof=proof, rejected_because="x", etag="e")
    draft = revisions.draft_of(verified, verified, ADMIN, "now")
    assert (draft.number, draft.state, draft.proof, draft.etag) == (5, "draft", Proof(), "")
    again = revisions.draft_of(draft, draft, ADMIN, "later")
    assert again.number == 5


def test_a_proof_of_one_revision_is_none_for_the_next(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    admin.save(connection, "visits", {"chat": "enabled"})
    assert approver.get(f"/config/ehr/callback/{connection}?state=s").status == 409


def test_endpoints_that_move_between_submission_and_approval_are_refused(house: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    approver = house.browser(ANALYST)
    approver.post(f"/config/connections/{connection}/ehr", {})
    approver.get(f"/config/ehr/callback/{connection}?state=s")
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    page = approver.post(f"/config/connections/{connection}/approve", {"number": "1"})
    assert "endpoint-changed" in page.text
    assert house.approved(connection) is None


def test_a_rejection_needs_a_reason_and_shows_it(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    approver = house.browser(ANALYST)
    path = f"/config/connections/{connection}/reject"
    assert approver.post(path, {"number": "1", "reason": " "}).status == 422
    assert approver.post(path, {"number": "1", "reason": "The base is the test one."}).status == 303
    assert "The base is the test one." in admin.get(f"/config/connections/{connection}").text
    assert house.approved(connection) is None


def test_what_names_visits_and_users_is_frozen_by_approval(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    path = f"/config/connections/{connection}/edit/ehr"
    for change in (
        {"visit_kind": "appointment"},
        {"visit_key": "other"},
        {"provider_user_key": ""},
        {"patient_user_key": "other"},
    ):
        version = admin.get(path).value("version")
        page = admin.post(path, {"version": version, **change})
        assert page.status == 422, change
        assert "Make a new connection" in page.text


@pytest.mark.smart(8)
def test_the_ehrs_token_is_nowhere_in_what_is_stored(house: House) -> None:
    connection = house.in_service(house.browser(ADMIN))
    rows = house.stores.of(connection).connections.revisions(connection)
    assert "thrown away" not in str([row.document() for row in rows])
    assert rows[0].proof.by == ANALYST


def test_another_form_of_the_base_is_held_against_the_same_servers(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    other = house.base.replace("/R4", "/DSTU2")
    admin.save(connection, "ehr", {"issuers": other})
    path = f"/config/connections/{connection}"

    def submit() -> Page:
        return admin.post(f"{path}/submit", {"version": admin.get(path).value("version")})

    page = submit()
    assert f"The sign-in servers of {other} cannot be read." in page.text
    house.ehr.serve(other, host="https://evil.example/oauth2")
    page = submit()
    assert page.status == 422
    assert f"{other} signs people in at other servers than the FHIR base." in page.text
    house.ehr.serve(other, issuer=house.base)
    assert submit().status == 303


def test_another_form_that_moves_after_the_submission_is_not_approved(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    other = house.base.replace("/R4", "/DSTU2")
    house.ehr.serve(other, issuer=house.base)
    admin.save(connection, "ehr", {"issuers": other})
    path = f"/config/connections/{connection}"
    assert admin.post(f"{path}/submit", {"version": admin.get(path).value("version")}).status == 303
    house.ehr.serve(other, host="https://evil.example/oauth2", issuer=house.base)
    page = house.approve(house.browser(ANALYST), connection)
    assert "endpoint-changed" in page.text
    assert house.approved(connection) is None
