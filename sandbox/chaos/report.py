"""What came of the run: figures in a table, and the first differences by name."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.chaos.compare import WHATS, Difference, Entry, Reading, differences
from sandbox.chaos.hospitals import contact, visit_key
from sandbox.chaos.stage import Act
from sandbox.chaos.truth import SOMEBODY, expected
from sandbox.chaos.weather import Happened

_SHOWN = 12
_EHR_FINE = "answered"


@dataclass
class Judged:
    """How much one hospital's record speaks for. `unseen`: were to be told and never were as connected."""

    reading: Reading
    participants: int = 0
    entries: int = 0
    unseen: int = 0

    @property
    def sentence(self) -> str:
        """For the report."""
        how = "every transition" if self.reading == "events" else "the newest state, and no untrue one"
        return f"participants by {how}: {self.entries} entries; {self.unseen} never shown as connected"


@dataclass
class Findings:
    """`wrong`: every difference with its visit, None where it is none of the script's.

    `undelivered`: messages left, by where they lie; `judged`: what was compared, by hospital.
    """

    judged: dict[str, Judged] = field(default_factory=dict)
    wrong: list[tuple[Act | None, Difference]] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    undelivered: Mapping[str, int] = field(default_factory=dict)

    @property
    def participants(self) -> int:
        """Compared, of all hospitals."""
        return sum(one.participants for one in self.judged.values())

    @property
    def clean(self) -> bool:
        """Whether the record is the truth and nothing is left."""
        return not (self.wrong or self.letters or any(self.undelivered.values()))


def compared(acts: Sequence[Act], records: Mapping[str, Mapping[str, Any]], debounce: float) -> Findings:
    """Every visit of every hospital, by the hospitals' names."""
    found = Findings()
    for act in acts:
        truth = expected(act.plot, act.played)
        told = entries(records[act.scene.name], visit_key(act.plot))
        judged = found.judged.setdefault(act.scene.name, Judged(act.scene.reading))
        # A record of states names persons only.
        people = [who for who in truth if act.scene.reading == "events" or who != SOMEBODY]
        came = {one.person for one in told if one.status == "connected"}
        judged.participants += len(people)
        judged.entries += len(told)
        judged.unseen += sum(truth[who].must and who not in came for who in people)
        found.wrong += [(act, one) for one in differences(told, truth, act.scene.reading, debounce)]
    for name, record in records.items():
        mine = {contact(act.plot).appointment_id: act for act in acts if act.scene.name == name}
        found.wrong += [(mine.get(visit), one) for visit, one in _versions(record)]
        found.wrong += [
            (None, one) for one in _strays(record, {visit_key(act.plot) for act in mine.values()})
        ]
    return found


def _strays(record: Mapping[str, Any], visits: Collection[str]) -> Iterator[Difference]:
    """Entries for visits that nobody played."""
    for one in record["connections"]:
        if one["visit"] not in visits:
            detail = f"{one['status']} at {one['at']:.3f} in visit {one['visit']}"
            yield Difference("wrong person", one["person"], detail)


def entries(record: Mapping[str, Any], visit: str) -> list[Entry]:
    """What a hospital's record says of one visit, in the order of telling."""
    return [
        Entry(one["person"], one["status"], one["at"])
        for one in record["connections"]
        if one["visit"] == visit
    ]


def delays(acts: Sequence[Act], records: Mapping[str, Mapping[str, Any]], handovers: Any) -> list[float]:
    """Seconds from the app's accepting an event to the connect in the record, where records keep the time."""
    taken = {(one["subscription"], round(one["at"], 3)): one["taken"] for one in handovers}
    found = []
    for act in acts:
        if act.scene.reading != "events":
            continue
        for one in records[act.scene.name]["connections"]:
            accepted = taken.get((act.subscription, round(one["at"], 3)))
            if one["visit"] == visit_key(act.plot) and one["status"] == "connected" and accepted:
                found.append(one["received"] - accepted[0])
    return sorted(found)


def lines(
    findings: Findings,
    happened: Happened,
    handovers: Sequence[Mapping[str, Any]],
    records: Mapping[str, Mapping[str, Any]],
    waits: Sequence[float],
    memory: tuple[float, float],
) -> Iterator[str]:
    """The table, then the first differences."""
    counted = Counter(one.what for _, one in findings.wrong)
    yield from (_line(what, counted[what], sentence) for what, sentence in WHATS.items())
    yield _line("dead letters", len(findings.letters), ", ".join(sorted(set(findings.letters))[:4]))
    left = sum(findings.undelivered.values())
    where = ", ".join(f"{name} {count}" for name, count in findings.undelivered.items() if count)
    yield _line("not delivered", left, where or "messages left at the end")
    yield _line("participants", findings.participants, "compared, of every visit")
    for name, judged in findings.judged.items():
        yield _line(f"record {name}", judged.participants, judged.sentence)
    yield from _happenings(happened, handovers, records)
    if waits:
        p50, p95 = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
        yield _line("delay p50", f"{p50:.2f} s", f"event accepted to connect in the record ({len(waits)})")
        yield _line("delay p95", f"{p95:.2f} s", "with outage and restarts in it")
    yield _line("memory", f"{memory[0]:.0f} MiB", f"of the host at the begin, {memory[1]:.0f} MiB at the end")
    for act, one in findings.wrong[:_SHOWN]:
        where = (
            f"{act.scene.name} visit {act.plot.number} ({act.plot.kind})" if act else "outside the script,"
        )
        yield f"  ! {where} {one.person}: {one.what}: {one.detail}"


def _happenings(
    happened: Happened, handovers: Sequence[Mapping[str, Any]], records: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    twice = sum(one["wanted"] > 1 for one in handovers)
    again = sum(len(one["taken"]) - one["wanted"] for one in handovers if len(one["taken"]) > one["wanted"])
    yield _line("events", len(handovers), f"of calls; {sum(one['refused'] for one in handovers)} refusals")
    yield _line("duplicates", twice, f"events were sent twice on purpose, {again} more were taken again")
    yield _line("host killed", happened.kills, "times with SIGKILL")
    yield _line("storage", happened.restarts, "restarts with SIGTERM")
    yield _line("outages", happened.outages, "of every EHR at once")
    for name, record in records.items():
        troubles: Mapping[str, int] = record["troubles"]
        calls = sum(troubles.values())
        failed = calls - troubles.get(_EHR_FINE, 0)
        ways = ", ".join(f"{way} {count}" for way, count in sorted(troubles.items()) if way != _EHR_FINE)
        yield _line(f"EHR {name}", f"{failed}/{calls}", f"calls in trouble: {ways}")


def _versions(record: Mapping[str, Any]) -> Iterator[tuple[str, Difference]]:
    """AuditEvents that were changed by a second telling, operations that have two; each with its visit."""
    seen: set[str] = set()
    for one in record["audit_events"]:
        whats = [entity["what"] for entity in one["event"]["entity"]]
        operation = next(what["identifier"]["value"] for what in whats if "identifier" in what)
        places = [what.get("reference", "").partition("/") for what in whats]
        visit = next(name for kind, _, name in places if kind == "Appointment")
        if one["version"] != 1:
            detail = f"AuditEvent {one['id']} has {one['version']} versions"
            yield visit, Difference("duplicate", "", detail)
        if operation in seen:
            yield visit, Difference("duplicate", "", f"{operation} has several AuditEvents")
        seen.add(operation)


def _line(name: str, value: object, sentence: str) -> str:
    return f"{name:<18}{value!s:>12}  {sentence}"
