"""What came of a probe, in sentences, and the sentences for what others answer."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import AddressRefused, AnswerRefused, OutsideError, Refusal, StatusRefused
from shared.secrets import SecretMissing
from shared.texts import Text, Translate

type Outcome = Literal["ok", "warning", "failed", "skipped"]

NOTHING = Text("Nothing")
MOVED = Text("It names other hosts than were approved.")
NO_ANSWER = Text("There was no answer.")
WAIT = Text("Wait a minute and try again; then ask the team that runs the other system.")


@dataclass(frozen=True)
class Verdict:
    """``tried``: what was done; ``found``: what came of it; ``remedy`` and ``commands``: what to do now.

    ``link``: the portal's page where it is done.
    """

    probe: str
    verdict: Outcome
    tried: Text
    found: Text
    remedy: Text | None = None
    commands: tuple[str, ...] = ()
    person: str = ""
    link: str = ""

    def document(self, translate: Translate) -> dict[str, Any]:
        """For the API, in the reader's language."""
        return {
            "probe": self.probe,
            "verdict": self.verdict,
            "tried": self.tried.said(translate),
            "found": self.found.said(translate),
            "remedy": self.remedy.said(translate) if self.remedy is not None else "",
            "commands": list(self.commands),
            "person": self.person,
            "link": self.link,
        }


@dataclass(frozen=True)
class Trial:
    """One attempt of a probe: what it tries and for whom; gives its verdict."""

    probe: str
    tried: Text = NOTHING
    person: str = ""

    def ok(self, found: Text) -> Verdict:
        """It works."""
        return self.ends("ok", found)

    def warning(self, found: Text, remedy: Text | None = None) -> Verdict:
        """Visits take place, but not as they should."""
        return self.ends("warning", found, remedy)

    def failed(self, found: Text, remedy: Text, commands: tuple[str, ...] = ()) -> Verdict:
        """Something will not work until somebody does what the remedy says."""
        return self.ends("failed", found, remedy, commands)

    def skipped(self, found: Text, remedy: Text | None = None) -> Verdict:
        """Nothing can be said."""
        return self.ends("skipped", found, remedy)

    def ends(
        self, outcome: Outcome, found: Text, remedy: Text | None = None, commands: tuple[str, ...] = ()
    ) -> Verdict:
        """The verdict with this outcome."""
        return Verdict(self.probe, outcome, self.tried, found, remedy, commands, self.person)


def said(error: Exception) -> Text:
    """What somebody else's failure looked like from here, without a word of their answer."""
    if isinstance(error, Refusal):
        return MOVED if error.reason.code == "endpoint-changed" else Text(error.reason.title)
    if isinstance(error, StatusRefused):
        code = f"{error.status} ({error.code})" if error.code else error.status
        return Text("The answer was %(code)s.", code=code)
    if isinstance(error, AddressRefused):
        return Text("The address points inside, or is not https.")
    if isinstance(error, OutsideError) and error.transient:
        return NO_ANSWER
    if isinstance(error, AnswerRefused):
        return Text("The answer was not of the expected form.")
    if isinstance(error, SecretMissing):
        return Text("A secret or key of ours is missing.")
    return Text("It could not be tried.")


def remedy_for(error: Exception, otherwise: Text) -> Text:
    """To wait, where that can help; else what the probe has to say."""
    if isinstance(error, OutsideError) and error.transient:
        return WAIT
    return otherwise
