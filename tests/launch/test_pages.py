"""The pages of not getting in: what a patient reads, what a clinician reads, in whose language."""

import re

import pytest

from shared.errors import Refusal
from shared.patient_words import OTHERWISE, WORDS, patient_words
from shared.reasons import REASONS
from shared.web import Request
from tests.launch.conftest import PAGES, World

# What only staff and administrators understand.
JARGON = re.compile(
    r"\b(EHR|SMART|FHIR|OAuth|token|scope|iss|client|tenant|revision|endpoint|launch|parameter|JWKS|record|"
    r"administrator|API|URL)\b",
    re.IGNORECASE,
)


def failure(code: str, audience: str, **headers: str) -> str:
    request = Request("GET", "/launch/patient/callback/x", headers=headers)
    return PAGES.failure(request, Refusal(code), audience, "ref-1").body.decode()  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_patient_reads_plain_words_and_one_thing_to_do(code: str) -> None:
    text = failure(code, "patient")
    main = re.sub(r"<[^>]+>", " ", text.partition("<main")[2].partition('class="foot"')[0])
    assert not JARGON.search(main), JARGON.search(main)
    assert REASONS[code].staff not in text
    assert text.count('class="button primary') == 1
    assert f"{code} &middot; ref-1" in text


@pytest.mark.parametrize("audience", ["staff", "admin"])
def test_staff_read_what_to_fix(audience: str) -> None:
    text = failure("wrong-environment", audience)
    assert "Compare its FHIR base URL" in text
    assert ("data-close" in text) == (audience == "staff")


def test_every_row_of_words_belongs_to_a_reason() -> None:
    assert set(WORDS) <= set(REASONS)


@pytest.mark.parametrize("code", sorted(REASONS))
def test_whoever_cannot_begin_anew_is_told_to_call(code: str) -> None:
    words = patient_words(code)
    assert words.again == ("call" not in words.now.lower()) or "portal" in words.now
    assert len(words.now) < 160
    if words is OTHERWISE:
        assert "call your clinic" in words.now


def test_a_patient_is_told_to_begin_again_from_the_portal_where_that_helps() -> None:
    assert "go back to your portal and press Begin virtual visit again" in failure("flow-expired", "patient")
    assert "Begin virtual visit again" not in failure("visit-cancelled", "patient")


def test_a_launchs_language_is_the_browsers_whatever_was_chosen_in_the_portal() -> None:
    def language(path: str) -> str:
        headers = {"accept-language": "es-MX,es;q=0.9,en;q=0.5"}
        return PAGES.language(Request("GET", path, headers=headers, cookies={"__Host-language": "en"}))

    assert language("/launch/patient/callback/x") == "es"
    assert language("/config/connections") == "en"


def test_a_wrong_door_is_told_to_patients_as_theirs(world: World) -> None:
    assert "your own patient portal" in failure("wrong-front-door", "patient")
    assert world.launch("patient", "Practitioner/prac-vidal").reason == "wrong-front-door"
