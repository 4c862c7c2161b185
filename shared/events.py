"""Every line that this app logs: one table, held against the code by a test, read by documents and queries.

    note("told", connection=…, attempt=…, age_seconds=…)

A line has the event's text for whoever reads along, and beside it (``extra``) the fields ``event``, ``trace``
(the chain that it belongs to), ``visit`` (the visit's key, where one is known) and the event's own. Fields
hold ids and codes of our own, numbers, and the words of ``failure``: nothing that a person, an EHR or
Microsoft 365 typed. What slips in all the same is taken out by ``shared.redaction``.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import trace
from shared.errors import AntesalaError
from shared.redaction import redacted

COMMON = ("event", "trace", "visit")
"""Beside every line; ``visit`` only where it is known."""


@dataclass(frozen=True)
class Event:
    """One row. ``room``: the logger is ``antesala.<room>``. ``text``: %-style, over ``fields``."""

    name: str
    room: str
    level: int
    fields: tuple[str, ...]
    text: str
    meaning: str


_I, _W, _E = logging.INFO, logging.WARNING, logging.ERROR
_TRY = ("connection", "attempt", "age_seconds")
_FAILED = ("connection", "failure")

# fmt: off
_TABLE = (
    # -- requests ---------------------------------------------------------------------------------------
    Event("request", "edge", _I, ("method", "route", "status", "reason", "duration_ms", "connection"),
          "%(method)s %(route)s %(status)d %(reason)s %(duration_ms).0f ms %(connection)s",
          "A request was answered. `route` without its values; `reason` `-` where nothing was refused."),
    Event("launch", "edge", _I, ("connection", "side", "leg", "reason", "status", "duration_ms", "own_ms",
                                 "ehr_ms", "entra_ms", "graph_ms"),
          "launch %(side)s %(leg)s %(reason)s %(duration_ms).0f ms",
          "One leg of a launch ended. Side by side counts once in the milliseconds of each; `own_ms` is what "
          "nobody else was waited for, our storage and vault included."),
    Event("refused", "edge", _W, ("reason", "reference", "detail"),
          "refused %(reason)s (%(reference)s): %(detail)s",
          "Why a request was refused. `reference` is on the page that the person saw. The level is the "
          "reason's own."),
    Event("surprise", "edge", _E, ("where", "kind", "reference", "places"),
          "surprise %(kind)s (%(reference)s): %(places)s",
          "Something nobody foresaw: the exception's type and the places it passed, never its text. `where`: "
          "the route, or the queue whose message comes again."),
    # -- launches ---------------------------------------------------------------------------------------
    Event("sign-in-refused", "signin", _W, ("connection", "reason", "detail"),
          "refused %(reason)s: %(detail)s",
          "Microsoft 365 signed in somebody who cannot be linked; they are asked for another account."),
    Event("times-unread", "launch", _W, _FAILED, "appointment's time not readable: %(failure)s",
          "The visit goes on without its join window."),
    Event("outcome-unwritten", "launch", _W, ("connection", "reason", "failure"),
          "launch outcome %(reason)s not recorded: %(failure)s",
          "The portal's list of recent launches lacks this one."),
    Event("device-untold", "device", _W, _FAILED, "device test not told: %(failure)s",
          "The EHR did not take the result of a device test."),
    # -- meetings ---------------------------------------------------------------------------------------
    Event("organizer-replaced", "meeting", _W, _FAILED, "organizer replaced: %(failure)s",
          "Microsoft 365 refused an organizer, and the next one of the pool organizes this visit."),
    Event("meeting-not-moved", "meeting", _W, _FAILED, "meeting not moved: %(failure)s",
          "The appointment has another time now, the meeting's calendar entry does not."),
    Event("policy-not-followed", "meeting", _W, _FAILED, "meeting follows an older policy: %(failure)s",
          "A clinician was let in, although the policy approved since could not be applied."),
    Event("subscription-late", "meeting", _W, ("connection",), "subscription late",
          "The launch went on; call events may be missing until the reports are read."),
    Event("subscription-failed", "meeting", _W, _FAILED, "subscription failed: %(failure)s",
          "The same, because Microsoft Graph refused."),
    Event("subscription-lost", "meeting", _W, _FAILED, "late subscription lost: %(failure)s",
          "A late subscription could not be written down; `tend` finds it."),
    Event("link-missing", "meeting", _I, _FAILED, "no virtual appointment link: %(failure)s",
          "The patient gets the meeting's own link, which leads to the same lobby."),
    Event("tend-not-queued", "meeting", _E, _FAILED, "tend not queued: %(failure)s",
          "Nobody looks after the visit until the next launch into it."),
    Event("tend-not-woken", "meeting", _E, _FAILED, "tend not woken: %(failure)s",
          "The visit was moved; its next look learns that later."),
    Event("graph-refused", "graph", _W, ("method", "status", "error", "request_id"),
          "graph refused %(method)s with %(status)s %(error)s",
          "Microsoft Graph's status and error code. Its support asks for `request_id`."),
    Event("keys-unread", "entra", _W, ("tenant", "failure"), "no keys of %(tenant)s: %(failure)s",
          "Entra's signing keys could not be read, so a bearer token was not accepted."),
    Event("wrong-region", "store", _E, ("connection",), "a connection's row lies in the wrong region",
          "It is served to nobody."),
    # -- attendance -------------------------------------------------------------------------------------
    Event("notified", "attendance", _I, ("connection", "items"), "notified: %(items)d",
          "Microsoft Graph's notification is queued."),
    Event("not-ours", "attendance", _W, ("reason",), "notification not ours: %(reason)s",
          "What came to a webhook names no visit of ours, or no longer."),
    Event("item-too-large", "attendance", _E, (), "notification too large",
          "It fits into no message; the attendance reports tell."),
    Event("folded", "attendance", _I, ("connection", "kind", "age_seconds"), "folded: %(kind)s",
          "A notification is in the visit's roster, and what is due is queued for the EHR."),
    Event("fold-later", "attendance", _W, ("connection", "reason"), "notification later: %(reason)s",
          "A failure in passing; a copy comes again."),
    Event("not-genuine", "attendance", _W, ("reason",), "notification refused: %(reason)s",
          "Not signed by Microsoft Graph, not for this subscription, or not one of our messages."),
    # -- write-back -------------------------------------------------------------------------------------
    Event("told", "writeback", _I, _TRY, "told", "The EHR took it. `age_seconds` since it was first queued."),
    Event("deferred", "writeback", _I, _TRY, "deferred",
          "The EHR is in trouble and left alone for a while; no attempt is counted."),
    Event("retry", "writeback", _W, (*_TRY, "reason", "failure"), "told later: %(failure)s",
          "A failure in passing; a copy comes again after a growing pause."),
    Event("claim-kept", "writeback", _W, (*_TRY, "failure"), "claim not given back: %(failure)s",
          "Until it lapses nobody else tells this operation."),
    Event("parked", "writeback", _E, (*_TRY, "reason", "status"), "parked: %(reason)s %(status)d",
          "The EHR refused for good, or for too long. The portal shows it and sends it again."),
    Event("dropped", "writeback", _I, (*_TRY, "reason"), "dropped: %(reason)s",
          "Nobody is told, and that is right: overtaken by a newer state, about nobody who could be named, "
          "or no write-back is set up any more."),
    Event("encounter-left", "ehr", _W, ("connection", "operation", "reason", "status"),
          "encounter left as it is: %(reason)s %(status)d",
          "The event was told; the Encounter's status, which goes with it by option, was refused."),
    Event("poisoned", "writeback", _E, ("connection", "queue", "reason"), "parked from %(queue)s: %(reason)s",
          "The host gave a message up; it is parked as it was."),
    # -- keys -------------------------------------------------------------------------------------------
    Event("keys-expiring", "keys", _W, ("finding",), "%(finding)s", "A key of ours has to be rotated soon."),
    Event("keys-expired", "keys", _E, ("finding",), "%(finding)s",
          "A key of ours has lapsed; what it is for goes on for as long as others accept it."),
    Event("keys-refused", "keys", _E, ("finding",), "%(finding)s", "With such keys the app does not start."),
    Event("own-keys-unread", "keys", _W, ("failure",), "the keys could not be looked at: %(failure)s",
          "The vault is silent; what was read before goes on."),
    Event("keys-unusable", "keys", _E, ("secret", "reason"),
          "%(secret)s cannot be used (%(reason)s): what was read before stays",
          "A new version of a secret is not what it should be."),
    Event("link-not-renamed", "launch", _W, ("connection", "failure"),
          "link not moved to the key in use: %(failure)s",
          "The older visit key knows the clinician still; the next launch tries again."),
    # -- storage ----------------------------------------------------------------------------------------
    Event("aside-full", "store", _W, (), "too much waits: not done",
          "So many rows of recent launches wait to be written that one is let go."),
    Event("aside-failed", "store", _W, ("failure",), "not done: %(failure)s",
          "A row of recent launches could not be written; nothing else rests on it."),
    # -- retention ----------------------------------------------------------------------------------------
    Event("retention", "retention", _I, ("region", "deleted", "counts"),
          "kept long enough in %(region)s: %(counts)s",
          "What was kept for as long as it may be is deleted."),
    Event("retention-failed", "retention", _W, ("region", "table", "failure"),
          "not deleted in %(region)s of %(table)s: %(failure)s",
          "The next hour's run goes on; nothing else is left out for it."),
    # -- tending ----------------------------------------------------------------------------------------
    Event("visit-closed", "tend", _I, ("connection", "outcome", "reported"), "visit closed: %(outcome)s",
          "Nothing more will be read. `reported`: attendance reports were found. A visit that the process "
          "died over says it twice: count `visit`."),
    Event("tend-refused", "tend", _W, ("reason",), "tend message refused: %(reason)s",
          "Not one of our messages, or one too old to be opened."),
    Event("tend-later", "tend", _W, _FAILED, "tended later: %(failure)s",
          "Storage failed in passing; the message comes again."),
    Event("lifecycle-failed", "tend", _W, ("connection", "lifecycle", "failure"),
          "%(lifecycle)s: %(failure)s",
          "What Microsoft Graph said of a subscription could not be answered; the next look tries."),
    Event("not-subscribed", "tend", _W, _FAILED, "not subscribed: %(failure)s",
          "The visit has no call events; the next look tries again."),
    Event("subscription-left", "tend", _W, ("connection",), "subscription left to expire",
          "It could not be deleted at the visit's end."),
    Event("not-reconciled", "tend", _W, _FAILED, "not reconciled: %(failure)s",
          "Attendance reports could not be read; the next look tries again."),
    Event("no-reports", "tend", _W, _FAILED, "no reports: %(failure)s",
          "Reports are refused or given up; the record rests on call events alone."),
    # -- the app itself ---------------------------------------------------------------------------------
    Event("telemetry-failed", "telemetry", _E, ("failure",), "OpenTelemetry not set up: %(failure)s",
          "Lines go through the host alone."),
)
# fmt: on

EVENTS: Mapping[str, Event] = {event.name: event for event in _TABLE}


def note(event: str, /, *, level: int | None = None, **fields: Any) -> None:
    """Logs one event with all of its fields; KeyError for one that is not in the table, or lacks a field.

    ``level`` in place of the table's, where something else decides how grave it is.
    """
    row = EVENTS[event]
    logger = logging.getLogger(f"antesala.{row.room}")
    if not logger.isEnabledFor(level or row.level):
        return
    told = {name: redacted(value) if isinstance(value, str) else value for name, value in fields.items()}
    logger.log(level or row.level, "%s", row.text % told, extra={**_common(event), **told})


def failure(error: BaseException) -> str:
    """An error as a field: the words of ours, which hold no values; of any other only its type."""
    return str(error) if isinstance(error, AntesalaError) else type(error).__name__


def _common(event: str) -> dict[str, str]:
    scope = trace.current()
    common = {"event": event, "trace": scope.trace if scope is not None else ""}
    return {**common, "visit": scope.visit} if scope is not None and scope.visit else common
