"""The queries of the alerts and the workbook read the lines that the app really writes."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from shared import edge
from shared.clock import Clock, Entropy
from shared.errors import Refusal
from shared.log_fields import FieldsInText
from shared.pages import Pages
from shared.settings import Settings
from shared.web import Request, Response, redirect
from tests.fakes import FakeClock, SeededEntropy

QUERIES = Path(__file__).resolve().parents[2] / "infra" / "queries"
CONNECTION = "eabcdefghijkmnop"
OF_LINES = ("server-errors", "launches", "legs", "slow")


@dataclass(frozen=True)
class Services:
    settings: Settings
    clock: Clock
    entropy: Entropy
    pages: Pages


@pytest.fixture
def services(clock: FakeClock, entropy: SeededEntropy) -> Services:
    environ = {
        "ANTESALA_ENVIRONMENT": "sandbox",
        "ANTESALA_PUBLIC_URL": "http://localhost:7071",
        "ANTESALA_REGIONS": "emea",
        "AntesalaEmea": "UseDevelopmentStorage=true",
        "ANTESALA_TENANTS": "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10",
        "ANTESALA_CLIENT_ID": "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631",
        "ANTESALA_SECRETS_DIR": "/nonexistent",
    }
    return Services(Settings.from_environ(environ), clock, entropy, Pages())


def fields_of(
    services: Services, caplog: pytest.LogCaptureFixture, error: Exception | None
) -> list[dict[str, Any]]:
    """The lines of a leg that ends with a redirect, or with this error, as the queries read them."""

    def handler(_: Request) -> Response:
        if error is not None:
            raise error
        return redirect("https://teams.microsoft.com/l/meetup-join/x")

    request = func.HttpRequest(
        "GET",
        f"https://connector.example/launch/patient/callback/{CONNECTION}",
        headers={},
        params={},
        route_params={"connection": CONNECTION},
        body=b"",
    )
    with caplog.at_level(logging.INFO, "antesala.edge"):
        edge.page(request, handler, audience="patient", services=services, leg="return")
    for record in caplog.records:
        FieldsInText().filter(record)
    texts = [record.getMessage() for record in caplog.records]
    return [json.loads(re.search(r'(\{"event":.*\})$', text)[1]) for text in texts]  # type: ignore[index]


def chosen(name: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that the query keeps by their event; every field that it reads must be there."""
    query = (QUERIES / f"{name}.kql").read_text("utf-8")
    events = re.findall(r'fields\.event == "([^"]+)"', query)
    kept = [line for line in lines if line["event"] in events]
    wanted = set(re.findall(r"fields\.(\w+)", query))
    assert all(wanted <= set(line) for line in kept)
    return kept


@pytest.mark.parametrize("name", OF_LINES)
def test_a_query_should_read_the_line_of_a_launch(
    name: str, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    (found,) = chosen(name, fields_of(services, caplog, None))
    assert (found["status"], found["reason"], found["connection"]) == (303, "-", CONNECTION)
    assert (
        found.get("route", "/launch/patient/callback/{connection}") == "/launch/patient/callback/{connection}"
    )


@pytest.mark.parametrize("name", OF_LINES)
def test_a_query_should_read_the_reason_of_a_refusal(
    name: str, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    (found,) = chosen(name, fields_of(services, caplog, Refusal("wrong-front-door")))
    assert found["reason"] == "wrong-front-door"


def test_a_surprise_should_be_found_by_its_alert(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    (found,) = chosen("surprises", fields_of(services, caplog, ValueError("nobody foresaw it")))
    assert found["kind"] == "ValueError"


def test_every_query_should_read_the_fields_where_they_are() -> None:
    for path in sorted(QUERIES.glob("*.kql")):
        query = path.read_text("utf-8")
        assert """parse_json(extract(@'(\\{"event":.*\\})$', 1, message))""" in query, path.name


def test_visits_should_be_those_that_are_over_and_each_once() -> None:
    query = (QUERIES / "visits.kql").read_text("utf-8")
    assert 'fields.event == "visit-closed"' in query
    assert "dcount(tostring(fields.visit))" in query
