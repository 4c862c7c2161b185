"""Join links of meetings: the long, the short and the virtual-appointment form (graph.md 7.1).

A link is opaque to everybody else. One that was altered leads nowhere.
"""

import json
from urllib.parse import quote, unquote

LONG, SHORT, VIRTUAL = "/l/meetup-join/", "/meet/", "/webrtc-svc/api/route"


def long_link(site: str, thread: str, tenant: str, organizer: str) -> str:
    """The form with the thread in the path and tenant and organizer in `context`."""
    return f"{site}{LONG}{_escape(thread)}/0?context={_escape(_context(tenant, organizer))}"


def short_link(site: str, digits: str, passcode: str) -> str:
    """The form with a number and a hashed passcode."""
    return f"{site}{SHORT}{digits}?p={passcode}"


def virtual_link(site: str, tenant: str, thread: str) -> str:
    """The browser-join form for patients (graph.md 2.1)."""
    return f"{site}{VIRTUAL}?tid={tenant}&convId={thread}"


def name_in(path: str, query: dict[str, str]) -> str | None:
    """The thread or the number by which a link names its meeting; None if the path is no join link."""
    if path.startswith(LONG):
        return unquote(path.removeprefix(LONG)).split("/")[0]
    if path.startswith(SHORT):
        return path.removeprefix(SHORT)
    return query.get("convId") if path == VIRTUAL else None


def agrees(path: str, query: dict[str, str], tenant: str, organizer: str, passcode: str) -> bool:
    """Whether the rest of a link is that of the meeting it names."""
    if path.startswith(SHORT):
        return query.get("p") == passcode
    if path == VIRTUAL:
        return query.get("tid") == tenant
    return query.get("context") == _context(tenant, organizer)


def _context(tenant: str, organizer: str) -> str:
    return json.dumps({"Tid": tenant, "Oid": organizer}, separators=(",", ":"))


def _escape(text: str) -> str:
    """Percent-escapes in lower case, as join links carry them."""
    pieces = quote(text, safe="").split("%")
    return pieces[0] + "".join("%" + piece[:2].lower() + piece[2:] for piece in pieces[1:])
