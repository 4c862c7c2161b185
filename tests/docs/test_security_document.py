"""``docs/security.md`` says what the code does: lifetimes, headers, cookies, algorithms."""

import re

import azure.functions as func
import pytest

from scripts.audit import COMMAND
from shared import edge
from shared.sealing import LIFETIMES
from shared.web import Cookie, Response
from tests.docs.reading import bold, code, read, rows, section
from tests.docs.said import is_said

TEXT = read("docs/security.md")
COOKIES = section(TEXT, "Cookies and headers")
NUMBERS = {"minute": 60, "minutes": 60, "hour": 3_600, "hours": 3_600, "days": 86_400}


def seconds(text: str) -> int:
    number, unit = text.split()
    return int(number) * NUMBERS[unit]


def sent(cookie: Cookie | None = None) -> func.HttpResponse:
    return edge.outgoing(Response(200, cookies=(cookie,) if cookie else ()), https=True)


def test_every_purpose_of_a_seal_should_have_its_lifetime_and_nothing_else() -> None:
    said = {code(row[0]): seconds(row[2]) for row in rows(COOKIES) if len(row) == 3}
    others = re.findall(r"`(\w+)`\s+\((\d+ \w+);", COOKIES)
    assert len(others) == 4
    assert said | {name: seconds(text) for name, text in others} == LIFETIMES


def test_every_header_of_a_response_should_be_named_and_nothing_else() -> None:
    listed = {code(row[0]).lower() for row in rows(COOKIES) if len(row) == 2}
    given = {name.lower() for name, _ in sent().headers.items()} - {"content-type"}
    assert listed == given


@pytest.mark.parametrize("name", ["Referrer-Policy", "X-Content-Type-Options", "Cross-Origin-Opener-Policy"])
def test_a_header_should_have_the_value_that_is_said(name: str) -> None:
    said = {code(row[0]): code(row[1]) for row in rows(COOKIES) if len(row) == 2}
    assert sent().headers[name] == said[name]


def test_a_cookie_should_have_every_mark_that_is_said() -> None:
    header = sent(Cookie("__Host-x", "v", 60)).headers["Set-Cookie"]
    line = next(line for line in COOKIES.splitlines() if line.startswith("Every cookie is"))
    marks = re.findall(r"`([^`]+)`", line)
    assert marks == ["__Host-", "Secure", "HttpOnly", "Path=/", "SameSite=Lax"]
    assert all(mark in header for mark in marks)


def test_the_limit_of_a_foreign_key_and_the_algorithms_should_be_those_of_the_code() -> None:
    table = {row[0]: row[1] for row in rows(section(TEXT, "Cryptography"))}
    (least,) = re.findall(r'"key_size", 0\) < (\d+)', read("shared/oidc.py"))
    assert f"RSA of {least} bits at least" in table["an EHR's id_token"]
    assert re.findall(r"\b(?:RS|ES)384\b", table["client assertions to EHRs"]) == ["RS384", "ES384"]
    assert 'algorithms=("RS256",)' in read("shared/entra/claims.py")


def test_the_audit_should_check_what_is_pinned_with_hashes() -> None:
    assert "--require-hashes" in COMMAND
    assert "--hash=sha256:" in read("requirements.txt")


def test_no_address_should_be_invented() -> None:
    assert re.findall(r"[\w.]+@[\w.]+\.\w+|https?://", TEXT) == []


def test_what_is_printed_bold_should_be_a_name_of_the_portal() -> None:
    assert bold(TEXT)
    assert [name for name in bold(TEXT) if not is_said(name)] == []
