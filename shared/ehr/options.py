"""What an analyst may set of an adapter: a table of options each. Pure, without a line of HTTP.

The portal's form and API read it, and the adapter itself. Whatever is not verified of an EHR's contract is
an option with its usual value, never a constant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.clock import Clock
from shared.ehr.port import Adapter
from shared.texts import Sentence

if TYPE_CHECKING:
    from shared.ehr.senders import Senders

type Make = Callable[[Senders, Clock], Adapter]
type Faults = Mapping[str, Sentence]
type Check = Callable[[Mapping[str, str], str], Faults]
type Scopes = Callable[[Mapping[str, str]], str]
type Needs = Callable[[Mapping[str, str]], bool]

# Scope tokens of RFC 6749 section 3.3, without what begins a tag.
_SCOPES = r"[!#-;=?-\[\]-~]+( [!#-;=?-\[\]-~]+)*"


@dataclass(frozen=True)
class Option:
    """One option. ``default``: what counts where it is not set; ``pattern``: of the whole value.

    ``choices``: (value, label) where only a few are right. ``most``: characters. ``says``: what a right value
    is, for whoever typed a wrong one.
    """

    name: str
    label: str
    hint: str
    says: str
    default: str = ""
    pattern: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    most: int = 64


def no_faults(_: Mapping[str, str], __: str) -> Faults:
    """For an adapter whose options do not depend on each other."""
    return {}


def no_scopes(_: Mapping[str, str]) -> str:
    """For an adapter whose usual scopes do for all of its options."""
    return ""


def no_secret(_: Mapping[str, str]) -> bool:
    """For an adapter that takes a backend client of either kind."""
    return False


@dataclass(frozen=True)
class Sheet:
    """One adapter as the portal knows it. ``make`` builds it, and imports it no earlier.

    ``check``: what is wrong with options that are right one by one, by option name; it is given what was set
    and the FHIR base. ``more_scopes``: what these values need beside the usual scopes. ``needs_secret``:
    whether with these values the backend client must have a secret.
    """

    code: str
    label: str
    make: Make
    options: tuple[Option, ...] = ()
    check: Check = no_faults
    more_scopes: Scopes = no_scopes
    needs_secret: Needs = no_secret

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Every option by name: as set, or its default where it is not set or empty."""
        return {option.name: given.get(option.name, "").strip() or option.default for option in self.options}

    def scopes(self, given: Mapping[str, str]) -> str:
        """What the backend client asks for, space-separated: as set, or what the other options need."""
        values = self.values(given)
        usual = values.get("scope", "")
        return usual if given.get("scope", "").strip() else f"{usual} {self.more_scopes(values)}".strip()


def scope(default: str) -> Option:
    """The option that every adapter with a backend client has: what that client asks for."""
    return Option(
        "scope",
        "Scopes",
        "What the backend app asks for, separated by spaces. The registration sheet shows the same.",
        "Up to 200 characters: scopes separated by one space each.",
        default,
        _SCOPES,
        most=200,
    )
