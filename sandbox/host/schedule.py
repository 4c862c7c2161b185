"""NCRONTAB, the Functions host's six-field schedule: second, minute, hour, day, month, day of week, in UTC.

Each field takes ``*``, numbers, names of months and weekdays, ranges, lists and steps. When day and day of
week are both restricted both must hold, as in NCrontab (cron itself would take either).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FARTHEST = timedelta(days=4 * 366)


@dataclass(frozen=True)
class Schedule:
    """The moments at which a timer fires."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read six fields; anything else raises ValueError that names the field."""
        fields = text.split()
        if len(fields) != 6:
            raise ValueError(f"schedule {text!r} must have six fields, seconds first")
        months = {name: number for number, name in enumerate(_MONTHS, start=1)}
        weekdays = {name: number for number, name in enumerate(_DAYS)}
        return cls(
            _field(fields[0], 0, 59, {}),
            _field(fields[1], 0, 59, {}),
            _field(fields[2], 0, 23, {}),
            _field(fields[3], 1, 31, {}),
            _field(fields[4], 1, 12, months),
            _field(fields[5], 0, 6, weekdays),
        )

    def next_after(self, moment: datetime) -> datetime:
        """The first moment strictly later than `moment`; ValueError if there is none (30 February)."""
        candidate = moment.replace(microsecond=0) + timedelta(seconds=1)
        limit = moment + _FARTHEST
        while candidate < limit:
            step = self._mismatch(candidate)
            if step is None:
                return candidate
            candidate = step
        raise ValueError("this schedule never fires")

    def _mismatch(self, moment: datetime) -> datetime | None:
        """The start of the next unit worth looking at, or None if `moment` fits."""
        midnight = moment.replace(hour=0, minute=0, second=0)
        weekday = (moment.weekday() + 1) % 7
        if moment.month not in self.months or moment.day not in self.days or weekday not in self.weekdays:
            return midnight + timedelta(days=1)
        if moment.hour not in self.hours:
            return moment.replace(minute=0, second=0) + timedelta(hours=1)
        if moment.minute not in self.minutes:
            return moment.replace(second=0) + timedelta(minutes=1)
        if moment.second not in self.seconds:
            return moment + timedelta(seconds=1)
        return None


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        body, _, step = part.partition("/")
        first, last = _range(body, low, high, names, stepped=bool(step))
        size = int(step) if step.isdecimal() and int(step) else 1 if not step else 0
        if not size or not low <= first <= last <= high:
            raise ValueError(f"schedule field {text!r} is not between {low} and {high}")
        found.update(range(first, last + 1, size))
    return frozenset(found)


def _range(body: str, low: int, high: int, names: dict[str, int], *, stepped: bool) -> tuple[int, int]:
    if body == "*":
        return low, high
    first, dash, last = body.partition("-")
    start = _number(first, names)
    if dash:
        return start, _number(last, names)
    return start, high if stepped else start


def _number(text: str, names: dict[str, int]) -> int:
    number = names.get(text.lower()[:3]) if text.isalpha() else int(text) if text.isdecimal() else None
    if number is None:
        raise ValueError(f"schedule: {text!r} is neither a number nor a name")
    # Both 0 and 7 are Sunday.
    return 0 if names and len(names) == 7 and number == 7 else number
