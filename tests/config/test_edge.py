"""The edge: limits, headers, cookies, and what the log may hold."""

import logging

import azure.functions as func
import pytest

from shared import edge
from shared.errors import FieldRefusal, Refusal, SealBroken, Unreachable
from shared.web import Cookie, Request, Response
from tests.config.house import ADMIN, House


def _request(url: str = "http://localhost:7071/x", **given: object) -> func.HttpRequest:
    values = {
        "method": "GET",
        "url": url,
        "headers": {},
        "params": {},
        "route_params": {},
        "body": b"",
        **given,
    }
    return func.HttpRequest(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refusal("not-found"), 404),
        (Unreachable("table"), 503),
        (SealBroken("x"), 400),
        (ValueError("Zephyrina Quillfeather"), 500),
    ],
)
def test_whatever_goes_wrong_becomes_a_page_and_a_problem(
    house: House, error: Exception, status: int
) -> None:
    def fail(_: Request) -> Response:
        raise error

    page = edge.page(_request(), fail, audience="patient", services=house.services)
    problem = edge.api(_request(), fail, services=house.services)
    assert page.status_code == problem.status_code == status
    assert problem.mimetype == "application/problem+json"
    assert b"Zephyrina" not in page.get_body() + problem.get_body()


def test_a_surprise_is_logged_by_its_place_and_never_by_its_text(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Request) -> Response:
        raise ValueError("Zephyrina Quillfeather MRN-7730941552")

    with caplog.at_level(logging.INFO, "antesala.edge"):
        url = "http://localhost:7071/launch/provider/abcdefghijklmnop?launch=SECRET"
        given = {"connection": "abcdefghijklmnop"}
        edge.page(_request(url, route_params=given), fail, audience="staff", services=house.services)
    assert "ValueError" in caplog.text
    assert "test_edge.py" in caplog.text
    assert "/launch/provider/{connection} 500 internal-error" in caplog.text
    for secret in ("Zephyrina", "MRN", "SECRET"):
        assert secret not in caplog.text


def test_patients_are_told_what_to_do_and_staff_what_to_fix(house: House) -> None:
    def fail(_: Request) -> Response:
        raise Refusal("wrong-environment")

    patient = edge.page(_request(), fail, audience="patient", services=house.services).get_body()
    staff = edge.page(_request(), fail, audience="staff", services=house.services).get_body()
    assert b"FHIR base" not in patient
    assert b"FHIR base" in staff
    assert b"wrong-environment" in patient


def test_a_refusal_may_set_cookies(house: House) -> None:
    def fail(_: Request) -> Response:
        refusal = Refusal("flow-unknown")
        refusal.cookies = (Cookie("__Host-flow-a", "", 0),)
        raise refusal

    page = edge.page(_request(), fail, audience="staff", services=house.services)
    assert "__Host-flow-a=;" in page.headers["Set-Cookie"]


def test_too_much_is_refused_before_any_handler_runs(house: House) -> None:
    def never(_: Request) -> Response:
        raise AssertionError("the handler ran")

    long_query = _request("http://localhost:7071/x?a=" + "b" * edge.QUERY_LIMIT)
    long_body = _request(method="POST", body=b"x" * (edge.BODY_LIMIT + 1))
    fields = "&".join(f"a{n}=b" for n in range(edge.FORM_FIELDS + 1)).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    many_fields = _request(method="POST", body=fields, headers=form)
    not_text = _request(method="POST", body=b"a=%ff%fe", headers=form)
    for request, status in ((long_query, 413), (long_body, 413), (many_fields, 400), (not_text, 400)):
        assert edge.page(request, never, audience="admin", services=house.services).status_code == status


def test_https_is_kept_to_where_the_portal_is_https(house: House) -> None:
    from dataclasses import replace

    def fine(_: Request) -> Response:
        return Response(200, b"ok")

    plain = edge.page(_request(), fine, audience="admin", services=house.services)
    assert "Strict-Transport-Security" not in plain.headers
    house.services.settings = replace(house.settings, public_url="https://antesala.example")
    secure = edge.page(_request(), fine, audience="admin", services=house.services)
    assert "max-age" in secure.headers["Strict-Transport-Security"]


def test_of_two_cookies_with_one_name_the_first_counts(house: House) -> None:
    seen: list[Request] = []

    def look(request: Request) -> Response:
        seen.append(request)
        return Response()

    cookies = {"Cookie": "__Host-a=one; junk; __Host-a=two; b=%41"}
    edge.page(_request(headers=cookies), look, audience="admin", services=house.services)
    assert seen[0].cookies == {"__Host-a": "one", "b": "A"}


def test_static_files_are_served_by_name_and_nothing_else(house: House) -> None:
    browser = house.browser()
    css = browser.get("/config/static/antesala.css")
    assert css.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert css.headers["content-type"].startswith("text/css")
    assert browser.get("/config/static/pages.py").status == 404
    assert browser.get("/healthz").text == "ok"
    assert browser.get("/").location == "/config/"
    assert browser.get("/config/jwks/abcdefghijklmnop").json()["keys"]


def test_names_that_a_caller_made_up_are_counted_and_not_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin)
    made_up = {"x\nERROR antesala.edge: forged EMP-88101": 1, "Maria Lopez": 1}
    path = f"/config/api/connections/{connection}/checks/discovery"
    assert admin.call("POST", path, made_up).status == 422
    said = [record.getMessage() for record in caplog.records]
    assert any(line.endswith(": 2 of other names") for line in said)
    assert not any(word in line for line in said for word in ("forged", "EMP-", "Maria"))
    mixed = FieldRefusal({"writeback_options.document_type": "", "Name": "", "chat": "", "chat\n": ""})
    assert mixed.detail == "chat, writeback_options.document_type, 2 of other names"
    assert FieldRefusal({"cursor": ""}).detail == "cursor"
