import pytest

from shared.errors import AddressRefused, AnswerRefused, NoToken, OutsideError, StatusRefused, Unreachable
from writeback_function.patience import (
    CONTENDED,
    NEVER,
    OUTAGE,
    PEOPLE,
    RECORD,
    Patience,
    patience_for,
    status_of,
)

TABLE: list[tuple[OutsideError, Patience]] = [
    (Unreachable("ehr"), OUTAGE),
    (StatusRefused(408), OUTAGE),
    (StatusRefused(429), OUTAGE),
    (StatusRefused(500), OUTAGE),
    (StatusRefused(502), OUTAGE),
    (StatusRefused(503), OUTAGE),
    (StatusRefused(504), OUTAGE),
    (StatusRefused(507), OUTAGE),
    (StatusRefused(599), OUTAGE),
    (StatusRefused(400, "temporarily_unavailable"), OUTAGE),
    (StatusRefused(400, "server_error"), OUTAGE),
    (StatusRefused(423), RECORD),
    (StatusRefused(424), RECORD),
    (StatusRefused(425), RECORD),
    (StatusRefused(409), CONTENDED),
    (StatusRefused(412), CONTENDED),
    (StatusRefused(401), PEOPLE),
    (NoToken("the key is being rotated", 401), PEOPLE),
    (NoToken("no secret"), PEOPLE),
    (StatusRefused(302), NEVER),
    (StatusRefused(400), NEVER),
    (StatusRefused(403), NEVER),
    (StatusRefused(404), NEVER),
    (StatusRefused(405), NEVER),
    (StatusRefused(410), NEVER),
    (StatusRefused(413), NEVER),
    (StatusRefused(415), NEVER),
    (StatusRefused(422), NEVER),
    (AnswerRefused("shape"), NEVER),
    (AddressRefused("inside"), NEVER),
]


@pytest.mark.parametrize(("failure", "patience"), TABLE, ids=lambda value: getattr(value, "name", str(value)))
def test_every_failure_should_have_its_class(failure: OutsideError, patience: Patience) -> None:
    assert patience_for(failure) is patience


@pytest.mark.parametrize("status", range(100, 600))
def test_no_status_should_be_without_one(status: int) -> None:
    patience = patience_for(StatusRefused(status))
    # What the rest of the app tries again is never refused for good here.
    assert (patience is not NEVER) >= StatusRefused(status).transient
    assert patience.outage <= (patience in (OUTAGE, PEOPLE))


@pytest.mark.parametrize(
    ("patience", "delays"),
    [
        (OUTAGE, [10, 20, 40, 80, 160, 320, 640, 900, 900]),
        (CONTENDED, [10, 20, 40, 80, 160, 320, 640, 900, 900]),
        (PEOPLE, [900] * 9),
    ],
)
def test_delays_should_grow_up_to_a_quarter_of_an_hour(patience: Patience, delays: list[float]) -> None:
    assert [patience.pause(attempt) for attempt in range(9)] == delays
    assert patience.pause(100_000) == 900


def test_each_should_be_tried_for_its_time() -> None:
    day = 24 * 3_600
    assert [one.seconds(day) for one in (OUTAGE, RECORD, PEOPLE)] == [day] * 3
    assert (CONTENDED.seconds(day), CONTENDED.seconds(60), NEVER.seconds(day)) == (3_600, 60, 0)


def test_a_status_should_be_kept_where_there_is_one() -> None:
    found = [
        status_of(one) for one in (StatusRefused(404), NoToken("x", 400), NoToken("x"), AnswerRefused("y"))
    ]
    assert found == [404, 400, 0, 0]
