"""The directory: who has an account where, who is signed in, whom the access policy covers."""

import secrets
import threading
from collections.abc import Sequence

from sandbox.microsoft365.cast import SIERRA, TENANTS, Person, as_guest
from sandbox.microsoft365.failures import Failures

ANY_TENANT = ("common", "organizations")


class Directory:
    """Accounts by tenant; guests appear in the Sierra tenant while the failure mode invites them."""

    def __init__(self, people: Sequence[Person], failures: Failures) -> None:
        self._people = tuple(people)
        self._failures = failures

    def members(self, tenant: str) -> list[Person]:
        """Everybody with an account in `tenant`, guests last."""
        own = [person for person in self._people if person.tenant == tenant]
        if tenant == SIERRA and self._failures.outsider_is_guest:
            own += [as_guest(person, SIERRA) for person in self._people if person.tenant != SIERRA]
        return own

    def elsewhere(self, tenant: str) -> list[Person]:
        """Accounts of other tenants: what "use another account" offers."""
        return [person for person in self._people if person.tenant != tenant]

    def by_oid(self, tenant: str, oid: str) -> Person | None:
        """The member of `tenant` with this object id."""
        return next((one for one in self.members(tenant) if one.oid == oid.lower()), None)

    def by_upn(self, tenant: str, upn: str) -> Person | None:
        """The member of `tenant` with this user principal name, in any case."""
        return next((one for one in self.members(tenant) if one.upn.lower() == upn.lower()), None)

    def account(self, oid: str) -> Person | None:
        """The account with this object id in its home tenant."""
        return next((one for one in self._people if one.oid == oid), None)

    def signing_in(self, authority: str, person: Person) -> Person | None:
        """The account that `person` acts with at `authority`, a tenant or `organizations`, if any."""
        if authority in ANY_TENANT or person.tenant == authority:
            return person
        members = self.members(authority)
        return next((one for one in members if one.home == person.tenant and one.name == person.name), None)

    def policy_covers(self, person: Person) -> bool:
        """Whether the application access policy lets the app act for this user's meetings."""
        return (
            person.policy and not self._failures.no_policy and person.oid not in self._failures.no_policy_for
        )


def is_authority(name: str) -> bool:
    """Whether a path may name this tenant."""
    return name in TENANTS or name in ANY_TENANT


class SignedIn:
    """Browser sessions of Entra by the value of their cookie: who signed in last."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._lock = threading.Lock()

    def begin(self, person: Person) -> str:
        """Remember the person; returns the cookie's value."""
        cookie = secrets.token_urlsafe(24)
        with self._lock:
            self._sessions[cookie] = person.oid
        return cookie

    def who(self, cookie: str | None) -> str | None:
        """Object id of whoever is signed in under this cookie."""
        return self._sessions.get(cookie or "")

    def end(self, cookie: str | None) -> None:
        """Sign out."""
        with self._lock:
            self._sessions.pop(cookie or "", None)
