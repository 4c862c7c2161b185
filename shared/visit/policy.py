"""The join window: from when until when a visit may be entered, decided once, on the server, in UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal


@dataclass(frozen=True)
class Window:
    """``opens`` counts for ``early`` only: the moment from which the visit may be entered."""

    state: Literal["open", "early", "late"]
    opens: datetime | None = None


def window(
    starts: datetime | None,
    ends: datetime | None,
    now: datetime,
    *,
    enforced: bool,
    opens_before: int,
    closes_after: int,
) -> Window:
    """Whether the door is open; ``opens_before`` and ``closes_after`` in minutes around start and end.

    A visit whose time is not known is always open: nobody is turned away because an EHR did not say when.
    """
    if not enforced or starts is None:
        return Window("open")
    opens = starts - timedelta(minutes=opens_before)
    if now < opens:
        return Window("early", opens)
    return Window("late" if now > (ends or starts) + timedelta(minutes=closes_after) else "open")
