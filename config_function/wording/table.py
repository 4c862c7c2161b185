"""The row that each EHR fills in: what its own people call things, and what they do with what they are given.

Labels (of forms, applications, mnemonics) stand as they stand there and are never translated; sentences are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mistake:
    """One common mistake; ``codes``: the reason codes it shows up with in the recent launches."""

    name: str
    title: str
    sign: str
    cure: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wording:
    """``form`` and ``fields``: their label for each of our values, in the registration and in the record.

    ``audiences``: their choice per client. ``fixed``: what a record needs beside our values. ``attach``:
    where each record goes, by its purpose. Tuples of sentences are steps, in their order.
    """

    record: str
    window: str
    audiences: Mapping[str, str]
    form: Mapping[str, str]
    at_hand: tuple[str, ...]
    register: tuple[str, ...]
    build: tuple[str, ...]
    attach: Mapping[str, str]
    context: tuple[str, ...]
    production: tuple[str, ...]
    mistakes: tuple[Mistake, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    fixed: tuple[tuple[str, str], ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Everything that is translated."""
        said = (*self.at_hand, *self.register, *self.build, *self.context, *self.production)
        wrong = (text for one in self.mistakes for text in (one.title, one.sign, one.cure))
        return (self.record, self.window, *self.attach.values(), *said, *wrong)


def steps(text: str) -> tuple[str, ...]:
    """The paragraphs of a text, each as one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))


OPTIONAL_VIEW = (
    "Optional: a second button beside the first, for clinicians who want to see who waits without joining."
)
OWN_WINDOW = "A window or tab of its own, not a frame: a video visit does not run inside another page."
