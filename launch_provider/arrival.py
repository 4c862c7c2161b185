"""A clinician who has come through the EHR's door, as the sealed cookies between two pages carry it."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from shared.errors import Refusal


@dataclass(frozen=True)
class Arrival:
    """``context`` is the sealed visit, ``sub_mac`` the keyed HMAC of the id_token's subject, if any.

    ``opens``: ``view`` for the live view, else the meeting. ``state`` names the SMART flow it came from.
    """

    connection: str
    revision: int
    ehr_user: str
    sub_mac: str
    context: str = field(repr=False)
    opens: str = ""
    state: str = field(default="", repr=False)

    def document(self) -> list[Any]:
        """As JSON values."""
        return [
            self.connection,
            self.revision,
            self.ehr_user,
            self.sub_mac,
            self.context,
            self.opens,
            self.state,
        ]

    @classmethod
    def read(cls, document: Any) -> Self:
        """Reads ``document`` back; Refusal sign-in-expired for what another release of this app sealed."""
        try:
            return cls(*document)
        except TypeError as error:
            raise Refusal("sign-in-expired", "another release's cookie") from error


@dataclass(frozen=True)
class Stage:
    """Where somebody stands between the EHR and the meeting.

    ``name``: ``sign-in`` (at Microsoft 365, ``flow`` is what comes back), ``confirm`` (signed in as ``oid``),
    ``refused`` (that account will not do, ``reason`` says why), ``continue`` (linked, but the browser last
    opened Teams for somebody else), ``wait`` (early; linked to ``oid``, if at all) or ``account`` (at the
    page that unlinks; no ``arrival``).
    """

    name: str
    connection: str
    arrival: Arrival | None = None
    ehr_name: str = field(default="", repr=False)
    oid: str = ""
    account_name: str = field(default="", repr=False)
    reason: str = ""
    flow: dict[str, Any] = field(default_factory=dict, repr=False)

    def document(self) -> dict[str, Any]:
        """As JSON values, without what is empty: it travels in a cookie."""
        values = {
            "s": self.name,
            "c": self.connection,
            "a": self.arrival.document() if self.arrival else None,
            "n": self.ehr_name,
            "o": self.oid,
            "y": self.account_name,
            "r": self.reason,
            "f": self.flow,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def read(cls, document: Any) -> Self:
        """Reads ``document`` back."""
        arrival = document.get("a")
        return cls(
            name=document["s"],
            connection=document["c"],
            arrival=Arrival.read(arrival) if arrival else None,
            ehr_name=document.get("n", ""),
            oid=document.get("o", ""),
            account_name=document.get("y", ""),
            reason=document.get("r", ""),
            flow=document.get("f", {}),
        )

    def at(self, name: str, **changes: Any) -> Self:
        """The next stage of the same person; the Microsoft 365 flow is over by then."""
        return replace(self, name=name, **{"flow": {}, **changes})

    @property
    def came(self) -> Arrival:
        """The arrival; Refusal sign-in-expired at a stage that has none."""
        if self.arrival is None:
            raise Refusal("sign-in-expired", "no launch behind this sign-in")
        return self.arrival
