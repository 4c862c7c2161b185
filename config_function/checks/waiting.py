"""What waits in the region's queues, and what lies beside them because the EHR could not be told."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config_function.access import View
from config_function.checks.verdict import Outcome, Trial, Verdict, remedy_for, said
from config_function.letter_words import cause_of, said_of, words_of
from shared.clock import Clock, parse_timestamp
from shared.errors import AntesalaError
from shared.parked import NOBODYS
from shared.store import Stores
from shared.store.dead_letters import DeadLetter
from shared.store.region import RegionStore
from shared.texts import Text, Together

FRESH = timedelta(days=1)


@dataclass(frozen=True)
class Line:
    """One queue, and for how many seconds its oldest message may have waited."""

    queue: str
    name: str
    slow: float
    stuck: float


# A call event waits for nothing. What an EHR did not take in passing comes again after up to a quarter of an
# hour, and is then as old as that.
LINES = (
    Line("attendance", "Call events", 60, 600),
    Line("writeback", "Write-backs", 1_200, 3_600),
)

# In seconds, for the oldest operation that an EHR was not told yet.
LATE = 15 * 60
MUCH_TOO_LATE = 4 * 3_600

# Why one waits (writeback_function.patience); all the others wait for an EHR in trouble.
MENDING = Text(
    "The EHR does not accept this app's own client. Check the token for the write-back; compare client ID, "
    "JWKS URL, algorithm, secret and scopes with the registration sheet. What waits is told by itself then."
)
TROUBLE = Text(
    "Ask the EHR team whether its service is up and open to us. What waits is told by itself once it answers."
)
OPERATOR = Text("Ask the operator of this app: its queue functions are behind, or do not run.")
STORAGE = Text("Ask the operator of this app: its storage does not do what it should.")


class WaitingProbes:
    """What is looked up in our own storage."""

    def __init__(self, stores: Stores, clock: Clock, *, shared: bool) -> None:
        """``shared``: several organizations are served, and none may count what is waiting for the others."""
        self._shared = shared
        self._stores = stores
        self._clock = clock

    def queues(self, view: View, _: str) -> Verdict:
        """How old the oldest message of each queue is, and how much is parked; for the whole region.

        Where that is other organizations' too, only whether each queue keeps up.
        """
        trial = Trial("queue-age", Text("Looked into the queues of this connection's region"))
        store = self._stores.of(view.connection.id)
        try:
            said_of = [self._aged(line, store.queue(line.queue).oldest()) for line in LINES]
            said_of += [] if self._shared else [_parked(store)]
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, STORAGE))
        outcomes = {outcome for outcome, _ in said_of}
        found = Together(*(text for _, text in said_of))
        worst: Outcome = "failed" if "failed" in outcomes else "warning" if "warning" in outcomes else "ok"
        return trial.ends(worst, found, None if worst == "ok" else OPERATOR)

    def undelivered(self, view: View, _: str) -> Verdict:
        """How many operations of this connection wait for their EHR, and for how long the oldest has."""
        trial = Trial("undelivered", Text("Counted what this connection's EHR was not told yet"))
        connection = view.connection.id
        try:
            left = self._stores.of(connection).operations.undelivered(connection)
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, STORAGE))
        if not left.count:
            return trial.ok(Text("Nothing waits for the EHR."))
        outcome: Outcome = "failed" if left.age > MUCH_TOO_LATE else "warning" if left.age > LATE else "ok"
        found = Text(
            "Operations that wait for the EHR: %(number)s. The oldest has waited for %(age)s minutes.",
            number=left.count,
            age=int(left.age // 60),
        )
        remedy = MENDING if left.reason == "people" else TROUBLE
        return trial.ends(outcome, found, None if outcome == "ok" else remedy)

    def dead_letters(self, view: View, _: str) -> Verdict:
        """What of this connection was parked; the newest says why."""
        trial = Trial("dead-letters", Text("Looked for messages that were parked"))
        connection = view.connection.id
        try:
            letters = self._stores.of(connection).dead_letters.of_connection(connection)
        except AntesalaError as error:
            return trial.failed(said(error), remedy_for(error, STORAGE))
        if not letters:
            return trial.ok(Text("There are none."))
        newest = max(letters, key=lambda letter: letter.at)
        fresh = self._clock.now() - parse_timestamp(newest.at) < FRESH
        found = Together(Text("Parked messages: %(number)s.", number=len(letters)), _newest(newest))
        remedy = Text(words_of(cause_of(newest)).remedy)
        verdict = trial.ends("failed" if fresh else "warning", found, remedy)
        return replace(verdict, link=f"/config/connections/{connection}/deadletters")

    def _aged(self, line: Line, oldest: datetime | None) -> tuple[Outcome, Text]:
        name = Text(line.name)
        age = 0.0 if oldest is None else max(0.0, (self._clock.now() - oldest).total_seconds())
        outcome: Outcome = "failed" if age > line.stuck else "warning" if age > line.slow else "ok"
        if self._shared and outcome == "ok":
            return outcome, Text("%(queue)s: on time.", queue=name)
        if self._shared:
            return outcome, Text("%(queue)s: behind.", queue=name)
        if oldest is None:
            return outcome, Text("%(queue)s: nothing waits.", queue=name)
        if age < 120:
            return outcome, Text("%(queue)s: the oldest is %(age)s seconds old.", queue=name, age=round(age))
        return outcome, Text("%(queue)s: the oldest is %(age)s minutes old.", queue=name, age=int(age // 60))


def _parked(store: RegionStore) -> tuple[Outcome, Text]:
    """What is parked is told by each connection's dead letters; what is nobody's would be told by none."""
    number = sum(queue.length() for queue in store.parked())
    if store.dead_letters.of_connection(NOBODYS, limit=1):
        return "warning", Text(
            "Parked in this region: %(number)s, some of which belong to no known connection.", number=number
        )
    return "ok", Text("Parked in this region: %(number)s.", number=number)


def _newest(letter: DeadLetter) -> Text:
    moment = f"{letter.at[:16].replace('T', ' ')} UTC"
    return Text("The newest, of %(moment)s: %(why)s.", moment=moment, why=said_of(cause_of(letter)))
