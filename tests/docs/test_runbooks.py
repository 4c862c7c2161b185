"""What can be asked about has one place: every cause, every check and every alert, and nothing else."""

import re
from collections import Counter

import pytest

from config_function.checks import PROBES
from config_function.letter_words import CAUSES
from shared.errors import StatusRefused, Unreachable
from tests.docs.reading import PAGES, code, read, rows, section
from writeback_function import patience

TROUBLES = read("docs/troubleshooting.md")
RUNBOOK = read("docs/operations.md")
ALERTS_BICEP = read("infra/modules/alerts.bicep") + read("infra/modules/expiry.bicep")


def alerts() -> dict[str, str]:
    """Every rule of the templates with its severity: those of the list, of metrics, and of vault events."""
    listed = re.findall(r"name: '([a-z-]+)'\n\s+severity: ([0-4])", ALERTS_BICEP)
    metric = re.findall(
        r"metricAlerts@.*?name: '\$\{prefix\}-([a-z-]+)'.*?severity: ([0-4])", ALERTS_BICEP, re.DOTALL
    )
    vault = re.findall(r"eventSubscriptions@.*?name: '([a-z-]+)'.*?'Sev([0-4])'", ALERTS_BICEP, re.DOTALL)
    return dict(listed + metric + vault)


def first_cells() -> Counter[str]:
    """How often each name begins a row, in all documents but those that list what is stored and logged."""
    pages = [page.read_text("utf-8") for page in PAGES if page.name not in ("privacy.md", "telemetry.md")]
    return Counter(code(row[0]) for page in pages for row in rows(page))


def test_the_templates_should_have_alerts_at_all() -> None:
    kinds = ("scheduledQueryRules@", "metricAlerts@", "'MonitorAlert'")
    assert all(ALERTS_BICEP.count(kind) == 1 for kind in kinds)
    assert len(alerts()) > 5


def test_every_alert_should_be_in_the_runbook_with_its_severity_and_nothing_else() -> None:
    table = {code(row[0]): row for row in rows(section(RUNBOOK, "Alerts"))}
    assert {name: row[1] for name, row in table.items()} == alerts()
    assert all(len(row) == 5 and all(row) for row in table.values())


def test_every_check_should_be_explained_under_its_label_and_nothing_else() -> None:
    table = {code(row[0]): row for row in rows(section(TROUBLES, "The checks"))}
    assert {name: row[1] for name, row in table.items()} == {
        probe.name: f"**{probe.label}**" for probe in PROBES
    }
    assert all(row[2] for row in table.values())


def test_every_cause_should_be_explained_in_the_words_of_the_page_and_nothing_else() -> None:
    named = {cause.reason for cause in CAUSES}
    table = [row for row in rows(section(TROUBLES, "Write-back")) if code(row[0]) in named]
    given = [(code(row[0]), "" if row[1] == "any other" else row[1], row[2]) for row in table]
    assert given == [
        (cause.reason, ", ".join(str(status) for status in sorted(cause.statuses)), cause.why)
        for cause in CAUSES
    ]


@pytest.mark.parametrize(
    "names", [[probe.name for probe in PROBES], sorted({cause.reason for cause in CAUSES}), sorted(alerts())]
)
def test_a_name_should_have_one_place(names: list[str]) -> None:
    often = first_cells()
    rows_of = Counter(cause.reason for cause in CAUSES)
    assert {name: often[name] for name in names} == {name: rows_of.get(name, 1) for name in names}


def test_the_patience_with_an_ehr_should_be_that_of_the_code() -> None:
    table = {found[1]: row for row in rows(TROUBLES) if (found := re.search(r"\(`(\w+)`\)", row[0]))}
    everyone = ("OUTAGE", "RECORD", "CONTENDED", "PEOPLE")
    for one in (getattr(patience, name) for name in everyone):
        _, hours, pauses = table.pop(one.name)
        assert hours == ("`ANTESALA_DELIVER_HOURS`" if one.hours is None else f"{one.hours:g} hour")
        assert pauses == f"{_short(one.delay)}, {_short(one.longest)}"
    assert set(table) == {patience.NEVER.name}


def test_the_statuses_of_each_patience_should_be_those_of_the_code() -> None:
    text = section(TROUBLES, "Write-back")
    for row in rows(text):
        for name in re.findall(r"\(`(\w+)`\)", row[0]):
            for status in re.findall(r"\b[45][0-9]{2}\b", row[0]):
                assert patience.patience_for(StatusRefused(int(status))).name == name
    listed = {int(status) for status in re.findall(r"\b4[0-9]{2}\b", text)}
    assert set(patience.STATUSES) <= listed
    assert patience.patience_for(Unreachable("ehr")).name == "outage"


def _short(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"
