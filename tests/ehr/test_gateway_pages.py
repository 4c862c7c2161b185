"""A gateway's login or maintenance page in the place of an answer: nobody was told, and later may help."""

import pytest

from shared.ehr.registry import Adapters
from shared.errors import OutsideError, Unreachable
from shared.outbound import Answer
from tests.ehr.line import Desk, adapters, answer, approved, device, outcome, telling
from tests.fakes import FakeClock, MemorySecrets

HTML = b"<!DOCTYPE html>\n<html><body>We are back at 6 am</body></html>"
PAGES = {
    "html": Answer(200, {"content-type": "text/html; charset=utf-8"}, HTML),
    "capitals": Answer(200, {"content-type": "Text/HTML"}, b"Back soon"),
    "xhtml": Answer(200, {"content-type": "application/xhtml+xml"}, b"<div/>"),
    "no type": Answer(200, {}, HTML),
    "plain": Answer(200, {"content-type": "text/plain"}, b"\xef\xbb\xbf\r\n <HTML lang=en>"),
    "comment": Answer(200, {}, b"<?xml version='1.0'?><!-- edge 7 -->\n<!-- x --><!doctype HTML>"),
    "said to be json": Answer(200, {"content-type": "application/fhir+json"}, HTML),
    "created": Answer(201, {"content-type": "text/html"}, HTML),
}
CREATE_ONLY = {"type": "AuditEvent", "interaction": [{"code": "create"}]}
CONDITIONAL = CREATE_ONLY | {"conditionalCreate": True, "searchParam": [{"name": "entity"}]}
# What comes as 200 and is no resource of FHIR, beside pages.
NO_RESOURCE = {
    "empty": answer(200),
    "text": Answer(200, {"content-type": "text/plain"}, b"Service Unavailable"),
    "json": answer(200, {"message": "down for maintenance"}),
    "list": answer(200, [{"resourceType": "Appointment"}]),
    "nothing": answer(204),
    "number": answer(200, {"resourceType": 1}),
}
EVERY = pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
UNREADABLE = pytest.mark.parametrize(
    "page", [*PAGES.values(), *NO_RESOURCE.values()], ids=[*PAGES, *NO_RESOURCE]
)


def registry(desk: Desk) -> Adapters:
    return adapters(desk, FakeClock(), MemorySecrets(backend_secret="s3cret"))


def tell(desk: Desk, kind: str, **options: str) -> None:
    one = approved(kind, **options)
    registry(desk).of(one).tell(one, telling())


def in_passing(desk: Desk, kind: str, **options: str) -> None:
    with pytest.raises(OutsideError) as refused:
        tell(desk, kind, **options)
    assert type(refused.value) is Unreachable
    assert "6 am" not in str(refused.value)


@EVERY
@pytest.mark.parametrize("declared", [Desk().audit_event, CONDITIONAL, CREATE_ONLY])
def test_a_page_should_not_count_as_an_event_that_is_kept(page: Answer, declared: dict[str, object]) -> None:
    in_passing(Desk(audit_event=declared, answers=[page]), "fhir")


@EVERY
@pytest.mark.parametrize("options", [{}, {"method": "GET"}, {"auth": "basic"}], ids=["post", "get", "basic"])
def test_a_page_should_not_count_as_a_status_that_is_set(page: Answer, options: dict[str, str]) -> None:
    in_passing(Desk(answers=[page]), "epic", **options)


@EVERY
def test_a_page_should_not_count_as_an_appointment_that_is_moved(page: Answer) -> None:
    in_passing(Desk(answers=[page]), "oracle")


@EVERY
def test_a_page_should_not_count_as_a_device_test_that_is_kept(page: Answer) -> None:
    one = approved("fhir")
    found = registry(Desk(answers=[page])).device(one)
    assert found is not None
    with pytest.raises(Unreachable):
        found.tell_device(one, device())


@UNREADABLE
def test_what_is_no_resource_should_not_be_taken_for_the_servers_statement(page: Answer) -> None:
    desk = Desk(metadata_answers=[page])
    in_passing(desk, "fhir")
    assert not desk.told


@UNREADABLE
def test_what_is_no_resource_should_not_be_taken_for_the_appointment(page: Answer) -> None:
    desk = Desk(read_answers=[page])
    in_passing(desk, "oracle")
    assert not desk.told


@UNREADABLE
def test_what_is_no_resource_should_not_be_taken_for_the_encounter(page: Answer) -> None:
    one = approved("fhir", encounter_status="yes")
    found = registry(Desk(read_answers=[page])).outcome(one)
    assert found is not None
    with pytest.raises(Unreachable):
        found.tell_outcome(one, outcome())


@pytest.mark.parametrize("kind", ["epic", "oracle", "fhir"])
@EVERY
def test_a_page_should_be_no_refusal_of_a_token(page: Answer, kind: str) -> None:
    desk = Desk(token_answers=[Answer(200, page.headers, page.body)])
    in_passing(desk, kind)
    assert not desk.told + desk.reads


@pytest.mark.parametrize("kind", ["epic", "oracle", "fhir"])
@pytest.mark.parametrize(
    "fine",
    [
        Answer(200),
        Answer(200, {"content-type": "text/html"}),
        Answer(200, {"content-type": "text/html"}, b"\r\n"),
        Answer(201, {"content-type": "application/fhir+json"}, b'{"resourceType": "AuditEvent"}'),
        Answer(200, {"content-type": "application/xml"}, b"<Response><Success>true</Success></Response>"),
        Answer(200, {}, b'{"text": {"div": "<html>"}}'),
        Answer(200, {"content-type": "text/plain"}, b"<htmlish>"),
    ],
)
def test_an_answer_that_is_no_page_should_count(kind: str, fine: Answer) -> None:
    desk = Desk(answers=[fine])
    tell(desk, kind)
    assert len(desk.told) == 1
