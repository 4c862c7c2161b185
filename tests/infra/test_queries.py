"""The queries of the alerts and the workbook read the lines that the app really writes."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import azure.functions as func
import pytest

from shared import edge
from shared.clock import Clock, Entropy
from shared.errors import Refusal
from shared.pages import Pages
from shared.settings import Settings
from shared.web import Request, Response, redirect
from tests.fakes import FakeClock, SeededEntropy

QUERIES = Path(__file__).resolve().parents[2] / "infra" / "queries"
CONNECTION = "e-abcdefghijkmnpqrstuv"
OF_LINES = ("server-errors", "launches", "visits", "slow")


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


def line_of(services: Services, caplog: pytest.LogCaptureFixture, error: Exception | None) -> str:
    """The line that the edge writes for a launch that ends with a redirect, or with this error."""

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
        edge.page(request, handler, audience="patient", services=services)
    return caplog.records[-1].getMessage()


def read_line(name: str, line: str) -> dict[str, str]:
    """What the query's ``matches regex`` and ``parse`` make of a line: Kusto's rules, as an expression."""
    query = (QUERIES / f"{name}.kql").read_text("utf-8")
    matches = re.search(r'matches regex @"([^"]+)"', query)
    parse = re.search(r"\| parse message with (.+)", query)
    assert matches
    assert parse
    if not re.search(matches[1], line):
        return {}
    pattern = ""
    for text, column in re.findall(r'"([^"]*)"|(\w+(?::\w+)?)', parse[1]):
        named, _, kind = column.partition(":")
        value = {"int": r"\d+", "real": r"[\d.]+"}.get(kind, ".*?")
        pattern += f"(?P<{named}>{value})" if column else re.escape(text)
    found = re.fullmatch(pattern, line)
    assert found
    return found.groupdict()


@pytest.mark.parametrize("name", OF_LINES)
def test_a_query_should_read_the_line_of_a_launch(
    name: str, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    found = read_line(name, line_of(services, caplog, None))
    assert found["method"] == "GET"
    assert found["route"] == "/launch/patient/callback/{connection}"
    assert (found["status"], found["reason"]) == ("303", "-")


@pytest.mark.parametrize("name", OF_LINES)
def test_a_query_should_read_the_reason_of_a_refusal(
    name: str, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    found = read_line(name, line_of(services, caplog, Refusal("wrong-front-door")))
    assert found["reason"] == "wrong-front-door"


@pytest.mark.parametrize(
    "line", ["told later: no answer", "refused wrong-front-door (abc): x", "GET done 1 ms"]
)
def test_a_query_should_leave_other_lines_alone(line: str) -> None:
    assert read_line("launches", line) == {}


def test_a_surprise_should_begin_as_the_alert_expects(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    line_of(services, caplog, ValueError("nobody foresaw it"))
    begin = re.search(r'startswith "([^"]+)"', (QUERIES / "surprises.kql").read_text("utf-8"))
    assert begin
    assert any(record.getMessage().startswith(begin[1]) for record in caplog.records)


def test_visits_should_be_counted_where_a_launch_ends() -> None:
    query = (QUERIES / "visits.kql").read_text("utf-8")
    assert 'route has "callback" and status == 303 and reason == "-"' in query
