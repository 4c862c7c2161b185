"""NCRONTAB and the timer trigger."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.host import Host, HostOptions
from sandbox.host.schedule import Schedule

SAMPLE = Path(__file__).parent / "sample_app"
MOMENT = datetime(2026, 11, 23, 10, 29, 58, 500, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * * *", datetime(2026, 11, 23, 10, 29, 59, tzinfo=UTC)),
        ("0 */5 * * * *", datetime(2026, 11, 23, 10, 30, tzinfo=UTC)),
        ("0 30 9 * * *", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("15,45 0 0 1 jan *", datetime(2027, 1, 1, 0, 0, 15, tzinfo=UTC)),
        ("0 0 12 * * sat-sun", None),
        ("0 0 12 * * 6", datetime(2026, 11, 28, 12, tzinfo=UTC)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 8-10/2 * * Mon", datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("0 0 0 13 * 5", datetime(2027, 8, 13, tzinfo=UTC)),
    ],
)
def test_a_schedule_should_fire_at_its_next_moment(text: str, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="sat-sun"):
            Schedule.parse(text)
    else:
        assert Schedule.parse(text).next_after(MOMENT) == expected


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "a * * * * *",
        "*/0 * * * * *",
        "5-1 * * * * *",
    ],
)
def test_a_schedule_that_is_none_should_be_refused(text: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        Schedule.parse(text)


def test_a_day_that_never_comes_should_be_refused() -> None:
    with pytest.raises(ValueError, match="never fires"):
        Schedule.parse("0 0 0 30 2 *").next_after(MOMENT)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 59))
def test_the_next_moment_should_be_later_and_fit(moment: datetime, step: int) -> None:
    moment = moment.replace(year=2026 + moment.year % 20, day=min(moment.day, 28))
    found = Schedule.parse(f"*/{step} */7 * * * *").next_after(moment)
    assert found > moment
    assert found.second % step == 0
    assert found.minute % 7 == 0


def test_a_timer_should_fire_each_second_until_the_host_closes() -> None:
    environ = {"SAMPLE_QUEUE": "unused", "SampleStorage": _nowhere()}
    with Host(SAMPLE, HostOptions(environ=environ)) as host:
        time.sleep(2.3)
        ticks = json.loads(host.invoke_http("GET", "/received")[2])["ticks"]
    assert 2 <= len(ticks) <= 3
    assert all(tick % 1 < 0.3 for tick in ticks)


def _nowhere() -> str:
    """An account that does not answer: a queue that cannot be read must not stop the timers."""
    return "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:9/a"
