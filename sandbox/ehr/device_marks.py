"""What patients' device tests found, as the clinician's schedule shows it: from the AuditEvents alone."""

from datetime import datetime
from typing import Any

from sandbox.ehr.audit import visits_of
from sandbox.ehr.marks import clock_time
from sandbox.ehr.people import Visit
from sandbox.ehr.world import World

_TEST, _RESULT = "device-test", "device-test-"


def device_text(world: World, visit: Visit) -> str:
    """The newest result of this visit in words, or empty."""
    mine = [
        event
        for event in world.record.audit_events()
        if _TEST in _codes(event) and visit.key in {one.key for one in visits_of(world, event)}
    ]
    if not mine:
        return ""
    newest = max(mine, key=lambda event: str(event["recorded"]))
    found = [code.removeprefix(_RESULT) for code in _codes(newest) if code.startswith(_RESULT)]
    at = clock_time(datetime.fromisoformat(newest["recorded"]).timestamp())
    works = newest.get("outcome") == "0"
    return f"Device works ({at})" if works else f"Device fault: {', '.join(found)} ({at})"


def _codes(event: dict[str, Any]) -> list[str]:
    return [one.get("code", "") for one in event.get("subtype", [])]
