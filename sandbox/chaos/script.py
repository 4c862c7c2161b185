"""Who does what when in every visit: made from a seed alone, before anything runs."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sandbox.microsoft365.cast import LINDQVIST, OUTSIDER, RENATA, VIDAL

type Act = Literal["join", "admit", "leave", "end"]
type Side = Literal["provider", "patient"]

CLINICIANS: Mapping[str, str] = {"evidal": VIDAL.oid, "nlindqvist": LINDQVIST.oid}
"""The clinicians' logins at every hospital, and their accounts."""


@dataclass(frozen=True)
class Actor:
    """One person of a visit. `side`: launches there, with `login` at the hospital; empty: does not launch.

    `account`: how they join Teams, empty as a guest; `home`: of the hospital's own tenant.
    """

    name: str
    side: Side | Literal[""] = ""
    login: str = ""
    account: str = ""
    home: bool = False


@dataclass(frozen=True)
class Step:
    """Seconds after the beginning of the visit; of `end` the actor is who presses the button."""

    at: float
    actor: str
    act: Act


@dataclass(frozen=True)
class Plot:
    """One visit as it is to be played; `number` names it in the report, `begins` counts from the start."""

    number: int
    kind: str
    clinician: str
    begins: float
    group: bool
    actors: Mapping[str, Actor]
    steps: tuple[Step, ...]

    @property
    def patient(self) -> str:
        """The login of the patient of this visit, and of no other."""
        return f"patient{self.number:04d}"

    @property
    def proxy(self) -> str:
        """The login of who acts for that patient."""
        return f"proxy{self.number:04d}"

    @property
    def launchers(self) -> list[Actor]:
        """Those who come by way of the EHR, clinicians first."""
        found = [one for one in self.actors.values() if one.side]
        return sorted(found, key=lambda one: one.side, reverse=True)


@dataclass
class Book:
    """Writes down one visit. `unit`: seconds for which a disconnect is held; all times are parts of it."""

    rng: random.Random
    unit: float
    at: float = 0.0
    steps: list[Step] = field(default_factory=list)

    def wait(self, low: float = 0.3, high: float = 1.1) -> None:
        """Between two parts of the unit."""
        self.at += self.rng.uniform(low, high) * self.unit

    def does(self, actor: str, *acts: Act) -> None:
        """One thing after the other, a while before each."""
        for act in acts:
            self.wait()
            self.steps.append(Step(self.at, actor, act))

    def comes_in(self, actor: str) -> None:
        """Through the lobby."""
        self.does(actor, "join", "admit")

    def returns(self, actor: str, *, soon: bool, lobby: bool = False) -> None:
        """Leaves and comes back: so soon that it is no gap, or after a true one."""
        self.does(actor, "leave")
        # Half a second of the script's own for its calls: a gap must not be in doubt.
        self.wait(*((0.1, 0.3) if soon else (2.0, 3.0)))
        self.steps.append(Step(self.at, actor, "join"))
        if lobby:
            self.does(actor, "admit")

    def perhaps(self, chance: float) -> bool:
        """Whether something happens."""
        return self.rng.random() < chance


def _opening(book: Book) -> None:
    """Either of the two is first."""
    if book.perhaps(0.5):
        book.does("clinician", "join")
        book.comes_in("patient")
    else:
        book.does("patient", "join")
        book.does("clinician", "join")
        book.does("patient", "admit")


def _clinician_moves(book: Book) -> None:
    if book.perhaps(0.4):
        book.returns("clinician", soon=book.perhaps(0.6))
    if book.perhaps(0.2):
        book.does("staff", "join", "leave")
    if book.perhaps(0.2):
        book.returns("clinician", soon=book.perhaps(0.4))


def _closing(book: Book, *others: str) -> None:
    """All leave, or the clinician ends it for all, or somebody stays on."""
    choice = book.rng.random()
    if choice < 0.25:
        book.does("clinician", "end")
        return
    for one in others:
        book.does(one, "leave")
    if choice < 0.85:
        book.does("clinician", "leave")


def _plain(book: Book) -> None:
    _opening(book)
    _clinician_moves(book)
    _closing(book, "patient")


def _signed_in(book: Book) -> None:
    """A patient with a Microsoft account of elsewhere, who is the same person when they come back."""
    _opening(book)
    for _ in range(book.rng.randint(1, 3)):
        book.returns("patient", soon=book.perhaps(0.5), lobby=True)
    _clinician_moves(book)
    _closing(book, "patient")


def _two_clinicians(book: Book) -> None:
    _opening(book)
    book.does("second", "join")
    if book.perhaps(0.6):
        book.returns("second", soon=book.perhaps(0.5))
    _clinician_moves(book)
    if book.perhaps(0.7):
        book.does("second", "leave")
    _closing(book, "patient")


def _guest_beside(book: Book) -> None:
    """Somebody sits down beside the patient and stays longer; who is who cannot be told any more."""
    _opening(book)
    book.wait()
    book.comes_in("guest")
    _clinician_moves(book)
    _closing(book, "patient", "guest")


def _returns_as_another(book: Book) -> None:
    """A guest who comes back is somebody new to Teams."""
    _opening(book)
    book.returns("patient", soon=False, lobby=True)
    _clinician_moves(book)
    _closing(book, "patient")


def _gives_up(book: Book) -> None:
    """Nobody comes: the patient leaves the lobby."""
    book.does("patient", "join")
    book.wait(2.0, 4.0)
    book.does("patient", "leave")


def _consult(book: Book) -> None:
    """Clinicians among themselves."""
    book.does("clinician", "join")
    book.does("second", "join")
    book.returns("second", soon=book.perhaps(0.5))
    _clinician_moves(book)
    _closing(book, "second")


def _with_proxy(book: Book) -> None:
    """Patient and parent both launch."""
    _opening(book)
    book.comes_in("proxy")
    _clinician_moves(book)
    _closing(book, "proxy", "patient")


def _group(book: Book) -> None:
    book.does("clinician", "join")
    for one in ("patient", "guest", "proxy"):
        book.comes_in(one)
    _clinician_moves(book)
    _closing(book, "guest", "proxy", "patient")


KINDS: Mapping[str, tuple[int, Callable[[Book], None]]] = {
    "plain": (26, _plain),
    "signed-in patient": (24, _signed_in),
    "two clinicians": (14, _two_clinicians),
    "guest beside": (10, _guest_beside),
    "returns as another": (6, _returns_as_another),
    "gives up": (4, _gives_up),
    "consult": (6, _consult),
    "with proxy": (6, _with_proxy),
    "group": (4, _group),
}
"""Kinds of visits: how many of a hundred, and how they go."""


def plots(seed: int, visits: int, seconds: float, unit: float) -> tuple[Plot, ...]:
    """The same visits for the same arguments, all begun within `seconds`."""
    rng = random.Random(seed)  # noqa: S311 (the same script again is the point)
    kinds = _kinds(rng, visits)
    return tuple(_plot(rng, number, kind, seconds, unit) for number, kind in enumerate(kinds))


def _kinds(rng: random.Random, visits: int) -> Sequence[str]:
    """Every kind once where there is room, then by weight."""
    weights = [weight for weight, _ in KINDS.values()]
    found = [*KINDS, *rng.choices(list(KINDS), weights, k=max(0, visits - len(KINDS)))][:visits]
    rng.shuffle(found)
    return found


def _plot(rng: random.Random, number: int, kind: str, seconds: float, unit: float) -> Plot:
    book = Book(rng, unit)
    KINDS[kind][1](book)
    logins = rng.sample(list(CLINICIANS), 2)
    cast = _cast(number, kind, *logins)
    used = {step.actor for step in book.steps} | {"clinician", *(() if kind == "consult" else ("patient",))}
    actors = {name: one for name, one in cast.items() if name in used}
    begins = rng.uniform(0, seconds)
    return Plot(number, kind, logins[0], begins, kind == "group", actors, tuple(book.steps))


def _cast(number: int, kind: str, clinician: str, second: str) -> Mapping[str, Actor]:
    elsewhere = OUTSIDER.oid if kind == "signed-in patient" else ""
    people = (
        Actor("clinician", "provider", clinician, CLINICIANS[clinician], home=True),
        Actor("second", "provider", second, CLINICIANS[second], home=True),
        Actor("patient", "patient", f"patient{number:04d}", elsewhere),
        Actor("proxy", "patient", f"proxy{number:04d}"),
        Actor("guest"),
        Actor("staff", account=RENATA.oid, home=True),
    )
    return {one.name: one for one in people}
