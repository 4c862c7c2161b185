"""Who may do what in the portal and its API (design 4.1). Pure.

administrator   app role Connector.Admin, or Global / Teams Administrator
reader          app role Connector.Reader; sees everything of the organization, changes nothing
approver        named by object id in a connection; sees, edits and approves that connection, but does not
                choose who approves it
guest           somebody of another directory; has no role here, whatever is assigned: may see what names them
                as its approver, and approve it or send it back, but neither edit it, unlink anybody, send
                anything again nor search the directory
program         a token without a person; may only read, and only with one of the two app roles
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shared.connection import Connection, Revision

ADMIN_ROLE = "Connector.Admin"
READER_ROLE = "Connector.Reader"
# Directory role template ids: Global Administrator, Teams Administrator (graph.md section 5). Membership of
# this list counts, not that the claim is there: every member has some id in it.
ADMIN_DIRECTORY_ROLES = frozenset(
    {"62e90394-69f5-4237-9190-012177145e10", "69091246-20e8-4a56-aa4d-066075b2a7a8"}
)


@dataclass(frozen=True)
class Caller:
    """Who asks. ``name`` is for the page's header only; rules look at the object id and the roles."""

    tenant: str
    oid: str
    admin: bool = False
    reader: bool = False
    program: bool = False
    guest: bool = False
    name: str = field(default="", repr=False)


@dataclass(frozen=True)
class View:
    """One connection as its owner sees it: the newest revision and the one that serves launches."""

    connection: Connection
    latest: Revision
    approved: Revision | None = None

    @property
    def approvers(self) -> frozenset[str]:
        """Object ids of those who approve it now or will."""
        serving = self.approved.approver if self.approved is not None else ""
        return frozenset({self.latest.approver, serving}) - {""}


def caller_of(
    tenant: str,
    oid: str,
    roles: Iterable[str],
    wids: Iterable[str],
    *,
    guest: bool,
    program: bool = False,
    name: str = "",
) -> Caller:
    """The rights that a verified token gives. Directory roles are for people, not for programs."""
    held = frozenset() if guest else frozenset(roles)
    directory = frozenset() if guest or program else ADMIN_DIRECTORY_ROLES & set(wids)
    admin = ADMIN_ROLE in held or bool(directory)
    return Caller(tenant, oid, admin, READER_ROLE in held, program, guest, name)


def may_see(caller: Caller, view: View) -> bool:
    """Whether this connection exists for the caller at all."""
    if view.connection.tenant != caller.tenant:
        return False
    return caller.admin or caller.reader or (not caller.program and caller.oid in view.approvers)


def may_edit(caller: Caller, view: View) -> bool:
    """Administrators edit everything of their organization, approvers what they are asked to approve."""
    if view.connection.tenant != caller.tenant or caller.program or caller.guest:
        return False
    return caller.admin or caller.oid == view.latest.approver


def may_unlink(caller: Caller, view: View) -> bool:
    """Administrators, and who approves the connection now or will, part EHR users from their accounts."""
    if view.connection.tenant != caller.tenant or caller.program or caller.guest:
        return False
    return caller.admin or caller.oid in view.approvers


def may_redrive(caller: Caller, view: View) -> bool:
    """The same decide what becomes of a record that the EHR did not take."""
    return may_unlink(caller, view)


def may_answer_for(caller: Caller, view: View) -> bool:
    """Only an administrator takes out or erases what is stored about one person."""
    return view.connection.tenant == caller.tenant and caller.admin and not (caller.program or caller.guest)


def may_search(caller: Caller, views: Callable[[], Iterable[View]]) -> bool:
    """Administrators, and whoever may edit a connection: it takes people to fill in its fields.

    ``views``: reads every connection that the caller may see; only asked where the role does not decide.
    """
    if caller.program or caller.guest:
        return False
    return caller.admin or any(may_edit(caller, view) for view in views())


def may_appoint(caller: Caller) -> bool:
    """Only an administrator says who approves: an approver could hand on what they were given."""
    return caller.admin and not caller.program


def may_create(caller: Caller) -> bool:
    """Only an administrator begins a connection."""
    return caller.admin and not caller.program


def is_approver(caller: Caller, view: View) -> bool:
    """Whether the newest revision waits for this very person."""
    return (
        not caller.program and view.connection.tenant == caller.tenant and caller.oid == view.latest.approver
    )
