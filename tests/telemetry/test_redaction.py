"""What is found in a line and what is left: one row a kind of secret, and texts that must stay whole."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from shared.redaction import RULES, TALKATIVE, Redacting, Rule, guard, redacted
from tests.telemetry.capture import Captured

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJaZXBoeXJpbmEifQ.c2lnbmF0dXJl-_"
SEALED = "gAAAAABl" + "Ab-_9" * 30

# What a text holds, what must be gone of it, and what somebody would gain who finds it in the log.
SECRETS = [
    (f"token {JWT} refused", JWT, "a token that still works"),
    (f"Authorization: Bearer {JWT[:40]}", JWT[:40], "the same, cut short"),
    ("headers {'Authorization': 'Basic czNjcmV0OnMzY3JldA=='}", "czNjcmV0", "a client's secret"),
    ("sent Bearer opaque-token-1234567", "opaque-token", "an opaque token"),
    ("Cookie: __Host-flow-abc=s3cret; other=1", "s3cret", "a launch under way"),
    ("set-cookie: __Host-session=s3cret; Path=/", "s3cret", "a session"),
    ("GET /launch/patient/callback/x?code=s3cret&state=st4te HTTP/1.1", "s3cret", "a code, once"),
    ("?code=c0de&state=st4te", "st4te", "a flow's name"),
    ("iss=https%3A%2F%2Fehr&launch=l4unch", "l4unch", "a launch"),
    ("POST /attendance/notifications?c=sea1ed", "sea1ed", "which visit"),
    ("https://ehr.example/Patient?identifier=MRN-77309415", "MRN-77309415", "a patient"),
    ("see https://login.example/a#access_token=s3cret", "s3cret", "a token"),
    ('{"access_token": "s3cret", "expires_in": 300}', "s3cret", "a token"),
    ("{'client_assertion': 's3cret', 'grant_type': 'x'}", "s3cret", "our name for five minutes"),
    ('{"displayName": "Zephyrina Quill"}', "Zephyrina", "a name"),
    ('{"validationTokens": ["s3cret"]}', "s3cret", "what Graph signed"),
    ("clientState=s3cret", "s3cret", "to speak as Graph"),
    ("code_verifier=s3cret", "s3cret", "to redeem a code"),
    ("GET /devstore/EhrUsers(PartitionKey='a',RowKey='EMP-88101') 200", "EMP-88101", "a clinician"),
    ("GET /devstore/EhrUsers(PartitionKey=%27a%27,RowKey=%27EMP-88101%27)", "EMP-88101", "a clinician"),
    ("$filter=PartitionKey eq 'a' and RowKey ge 'EMP-88101'", "EMP-88101", "a clinician"),
    ("GET /fhir/Appointment/eAppt4417731 404", "eAppt4417731", "an appointment"),
    ("mail to ana.lopez+x@clinic.example failed", "ana.lopez", "an address"),
    ("login_hint=ana%40clinic.example", "clinic.example", "an address"),
    ("upn ana%40clinic.example", "ana%40", "an address"),
    ("call tel:+34 600 123 456 now", "600 123", "a number"),
    ("call (555) 010-4477", "010-4477", "a number"),
    ("https://teams.microsoft.com/l/meetup-join/19%3ameeting_x/0", "meeting_x", "the way into a visit"),
    (f"context {SEALED}", SEALED, "what may be opened when a key is lost"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ", "a key"),
]
WHOLE = [
    "GET /launch/provider/{connection} 303 - 12 ms abcdefghijklmnop",
    "parked: refused 422",
    "refused wrong-front-door (kQ3): Patient",
    "surprise ValueError (kQ3): fail test_edge.py:50 < answer edge.py:180",
    "2026-03-02T14:00:00.123Z ehr-token (ehr.sierra.example): no answer in time",
    "graph refused POST with 403 Forbidden",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736 of 5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10",
    "visit " + "k" * 43,
    "status 400 invalid_client",
    "https://ehr.example/fhir/metadata answered",
]


@pytest.mark.parametrize(
    ("text", "secret", "gain"), SECRETS, ids=[f"{row[2]}: {row[0][:24]}" for row in SECRETS]
)
def test_a_secret_should_be_taken_out(text: str, secret: str, gain: str) -> None:
    assert secret in text, gain
    assert secret not in redacted(text), gain


@pytest.mark.parametrize("text", WHOLE)
def test_a_line_of_ours_should_stay_whole(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("text", [row[0] for row in SECRETS])
def test_redacting_twice_should_change_nothing_more(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_rule_should_be_needed(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.redaction.RULES", tuple(one for one in RULES if one is not rule))
    assert any(secret in redacted(text) for text, secret, _ in SECRETS)


@pytest.mark.parametrize("text", [row[0] for row in SECRETS])
@pytest.mark.parametrize("dressed", [str, str.upper, str.title, "{} ñ".format])
def test_looking_for_marks_first_should_change_nothing(text: str, dressed: Callable[[str], str]) -> None:
    told = plain = dressed(text)
    for rule in RULES:
        plain = rule.pattern.sub(rule.left, plain)
    assert redacted(told) == plain


def record(text: str, *args: object, exc_info: Any = None, **extra: object) -> logging.LogRecord:
    logger = logging.getLogger("azure.somewhere")
    return logger.makeRecord(
        logger.name,
        logging.ERROR,
        "",
        0,
        text,
        args,
        exc_info,
        extra=extra,
    )


def test_arguments_and_what_stands_beside_the_text_should_be_redacted() -> None:
    one = record("answer of %s: %s", "x.example/?code=s3cret", {"id_token": "s3cret"}, url="?code=s3cret")
    assert Redacting().filter(one)
    assert "s3cret" not in one.getMessage() + str(vars(one))


def test_arguments_that_do_not_fit_should_not_be_printed() -> None:
    one = record("answer of %s and %s", "s3cret")
    Redacting().filter(one)
    assert (one.getMessage(), one.args) == ("answer of %s and %s", None)


def test_a_traceback_and_its_causes_should_be_redacted_for_whoever_formats_it() -> None:
    handler = Captured()
    raised = RuntimeError("refresh_token=s3cret")
    raised.__cause__ = ValueError("https://ehr.example/token?code=s3cret")
    one = record("failed", exc_info=(RuntimeError, raised, None))
    Redacting().filter(one)
    handler.handle(one)
    assert "RuntimeError" in handler.text
    assert "ValueError" in handler.text
    assert "s3cret" not in handler.text
    assert one.exc_info is None


def test_every_handler_should_redact_first_and_once_and_libraries_be_quiet() -> None:
    root = logging.RootLogger(logging.INFO)
    handler = Captured()
    handler.addFilter(lambda _: True)
    root.addHandler(handler)
    levels = {name: logging.getLogger(name).level for name in TALKATIVE}
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.DEBUG)
    guard(root)
    guard(root)
    assert [isinstance(one, Redacting) for one in handler.filters] == [True, False]
    assert {logging.getLogger(name).level for name in TALKATIVE} == {logging.WARNING}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
