"""Two organizations in one deployment: neither sees, signs for, or learns of the other."""

import re
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from config_function.owners import Owners
from shared.ehr.backend import BackendTokens
from shared.errors import Refusal
from shared.keys import signing_keys_name
from shared.outbound import Answer
from shared.smart.token import Tokens
from tests.config.house import ADMIN, ANALYST, READER, Browser, House, Page, beginning
from tests.config.spied import Spied
from tests.fakes import FakeClock, SeededEntropy

NOBODYS = "a" + "b" * 15
PAGES: list[tuple[str, dict[str, str] | None]] = [
    ("", None),
    ("/edit/ehr", None),
    ("/edit/ehr", {"version": "v", "name": "Mine"}),
    ("/edit/people", {"version": "v", "action": "search", "q": "Tomas"}),
    ("/submit", {"version": "v"}),
    ("/ehr", {}),
    ("/approve", {"number": "1"}),
    ("/reject", {"number": "1", "reason": "no"}),
    ("/registration", None),
    ("/records", None),
    ("/checks", None),
    ("/checks", {"probe": "discovery", "person": ""}),
    ("/history", None),
    ("/deadletters", None),
    ("/deadletters/send", {"all": "yes"}),
    ("/deadletters/discard", {"cause": "gave-up", "confirmed": "yes"}),
]
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"settings": {"name": "Mine"}}),
    ("POST", "/submit", None),
    ("POST", "/reject", {"number": 1, "reason": "no"}),
    ("GET", "/records", None),
    ("GET", "/records?download=1", None),
    ("GET", "/registration", None),
    ("POST", "/checks/discovery", None),
    ("GET", "/deadletters", None),
    ("POST", "/deadletters/send", {"all": True}),
    ("POST", "/deadletters/discard", {"cause": "gave-up"}),
    ("POST", "/checks/access-policy", {"person": ADMIN}),
]


def said(page: Page) -> tuple[int, str, str]:
    """What a stranger can compare: all but the reference of the log line, which is new every time."""
    text = re.sub(r"(&middot; |urn:antesala:reference:)[\w-]+", "", page.text)
    return page.status, page.headers["content-type"], text


@pytest.fixture
def other(house: House) -> House:
    """The second organization; ``house`` is the first."""
    return house.neighbour()


@pytest.fixture
def theirs(house: House, other: House) -> str:
    """A connection of the first organization, in service."""
    return house.in_service(house.browser(ADMIN))


@pytest.mark.parametrize("person", [ADMIN, ANALYST, READER])
def test_pages_of_a_neighbours_connection_are_those_of_none(
    house: House, other: House, theirs: str, person: str
) -> None:
    """The neighbour's people have the same object ids, the approver's among them."""
    owner, stranger = house.browser(person), other.browser(person)
    for tail, form in PAGES:

        def ask(browser: Browser, connection: str, tail: str = tail, form: Any = form) -> Page:
            path = f"/config/connections/{connection}{tail}"
            return browser.get(path) if form is None else browser.post(path, form)

        seen, unknown = ask(stranger, theirs), ask(stranger, NOBODYS)
        assert said(seen) == said(unknown), tail
        assert seen.status == 404, tail
        assert ask(owner, theirs).status != 404, tail


@pytest.mark.parametrize("person", [ADMIN, ANALYST, READER])
def test_calls_on_a_neighbours_connection_are_those_on_none(
    house: House, other: House, theirs: str, person: str
) -> None:
    owner, stranger = house.browser(person), other.browser(person)
    for method, tail, body in CALLS:

        def ask(browser: Browser, connection: str, call: Any = (method, tail, body)) -> Page:
            path = f"/config/api/connections/{connection}{call[1]}"
            return browser.call(call[0], path, call[2], if_match='"v"')

        seen, unknown = ask(stranger, theirs), ask(stranger, NOBODYS)
        assert said(seen) == said(unknown), (method, tail)
        assert seen.status == 404, (method, tail)
        assert ask(owner, theirs).status != 404, (method, tail)


def test_no_more_is_read_for_a_neighbours_connection_than_for_none(
    house: House, other: House, theirs: str
) -> None:
    """Else the time that an answer takes would tell them apart."""
    asked: list[str] = []
    stores = house.stores

    def of(connection: str) -> Any:
        return SimpleNamespace(connections=Spied(stores.of(connection).connections, asked))

    stranger, owner = other.browser(ADMIN), house.browser(ADMIN)
    house.services.stores = SimpleNamespace(of=of, all=stores.all)
    house.list_tenants(house.tenant, other.tenant)
    reads = {}
    for who, connection in ((stranger, theirs), (stranger, NOBODYS), (owner, theirs)):
        asked.clear()
        who.get(f"/config/connections/{connection}/registration")
        reads[who, connection] = list(asked)
    assert reads[stranger, theirs] == reads[stranger, NOBODYS] == ["get"]
    assert len(reads[owner, theirs]) > 1


def test_lists_hold_ones_own_and_nothing_else(house: House, other: House, theirs: str) -> None:
    mine = other.begun(other.browser(ADMIN))
    for house_, own, foreign in ((house, theirs, mine), (other, mine, theirs)):
        browser = house_.browser(ADMIN)
        page = browser.get("/config/")
        assert own in page.text
        assert foreign not in page.text
        listed = browser.call("GET", "/config/api/connections").json()["connections"]
        assert [row["id"] for row in listed] == [own]


def test_audit_and_launches_hold_ones_own_and_nothing_else(house: House, other: House, theirs: str) -> None:
    mine = other.begun(other.browser(ADMIN))
    for store in house.stores.all():
        assert {row.connection for row in store.audit.recent(other.tenant)} <= {mine}
        assert mine not in {row.connection for row in store.audit.recent(house.tenant)}
    page = other.browser(ADMIN).get(f"/config/connections/{mine}/history")
    assert "Revision 1" in page.text
    assert "approved" not in page.text
    assert theirs not in page.text


def test_a_sign_in_to_the_ehr_counts_for_nobody_of_another_organization(house: House, other: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    browser = house.browser(ANALYST)
    assert browser.post(f"/config/connections/{connection}/ehr", {}).status == 200
    # The same browser, and a person with the same object id, but of the other organization.
    browser.sign_in(other, ANALYST)
    page = browser.get(f"/config/ehr/callback/{connection}?state=s&code=c")
    assert (page.status, "proof-missing" in page.text) == (403, True)
    row = house.stores.of(connection).connections.revision(connection, 1)
    assert row is not None
    assert (row.state, row.proof.by) == ("submitted", "")


def test_a_proof_approves_nothing_from_next_door(house: House, other: House) -> None:
    connection = house.submitted(house.browser(ADMIN))
    owner = house.browser(ANALYST)
    owner.post(f"/config/connections/{connection}/ehr", {})
    owner.get(f"/config/ehr/callback/{connection}?state=s&code=c")
    form = {"number": "1"}
    path = f"/config/connections/{connection}/approve"
    assert other.browser(ANALYST).post(path, form).status == 404
    assert house.approved(connection) is None
    assert owner.post(path, form).status == 303


def test_both_may_connect_one_hosted_base_and_neither_hears_of_it(
    house: House, other: House, theirs: str
) -> None:
    other.base = house.base
    mine = other.begun(other.browser(ADMIN))
    assert mine != theirs
    # Within one organization the base is named once, and the refusal names one's own connection.
    twice = house.browser(ADMIN).post("/config/connections/new", beginning(house.base, name="Again"))
    assert twice.status == 422
    assert "Sierra test already connects this base." in twice.text


def kids(page: Page) -> set[str]:
    assert page.status == 200, page.text
    return {row["kid"] for row in page.json()["keys"]}


def test_each_publishes_its_own_keys_and_the_shared_ones_are_gone(
    house: House, other: House, theirs: str
) -> None:
    mine = other.begun(other.browser(ADMIN))
    server = Browser()
    first, second = (kids(server.get(f"/config/jwks/{one}")) for one in (theirs, mine))
    assert first
    assert second
    assert not first & second
    assert signing_keys_name() not in house.vault.reads
    nobodys = [server.get(f"/config/jwks/{one}") for one in (NOBODYS, "z" + "b" * 15, "short")]
    assert {page.status for page in nobodys} == {404}
    assert len({said(page) for page in nobodys}) == 1


def test_a_single_organization_publishes_its_keys_whatever_the_address_names(house: House) -> None:
    connection = house.begun(house.browser(ADMIN))
    published = [kids(Browser().get(f"/config/jwks/{one}")) for one in (connection, NOBODYS)]
    assert published[0] == published[1]
    assert house.vault.reads == [signing_keys_name()]


@pytest.mark.parametrize("owner", ["first", "second"])
def test_what_signs_for_one_verifies_with_no_key_of_the_other(
    house: House, other: House, theirs: str, owner: str
) -> None:
    """The second organization enters the first one's base and client ID: its assertion must not count."""
    other.base = house.base
    mine = other.in_service(other.browser(ADMIN))
    connection, foreign = (theirs, mine) if owner == "first" else (mine, theirs)
    assertion = _backend_assertion(house, connection)
    kid = jwt.get_unverified_header(assertion)["kid"]
    server = Browser()
    keys = {one: server.get(f"/config/jwks/{one}").json()["keys"] for one in (connection, foreign)}
    (own,) = (row for row in keys[connection] if row["kid"] == kid)
    claims = jwt.decode(assertion, jwt.PyJWK(own), algorithms=[own["alg"]], options=_ANY_TIME)
    assert claims["sub"] == "backend-1"
    for row in keys[foreign]:
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(assertion, jwt.PyJWK(row), algorithms=[row["alg"]], options=_ANY_TIME)


_ANY_TIME: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}


def _backend_assertion(house: House, connection: str) -> str:
    """What a write-back of this connection shows the EHR's token endpoint."""
    sent: list[dict[str, str]] = []

    def send(*_: object, form: dict[str, str], **__: object) -> Answer:
        sent.append(form)
        return Answer(200, {}, b'{"access_token": "a", "token_type": "Bearer", "expires_in": 300}')

    line: Any = SimpleNamespace(send=send)
    tokens = Tokens(line, house.services.keys, house.secrets, house.clock, SeededEntropy())
    approved = house.approved(connection)
    assert approved is not None
    BackendTokens(house.services.discovery, tokens, house.clock).get(approved)
    return sent[0]["client_assertion"]


def _without_keys(house: House, other: House) -> str:
    """A connection of the second organization, whose keys the operator forgot."""
    del house.vault.secrets[signing_keys_name(other.tenant)]
    house.list_tenants(house.tenant, other.tenant)
    return other.begun(other.browser(ADMIN))


def test_without_keys_nothing_is_submitted_and_the_operators_part_is_said(house: House, other: House) -> None:
    connection = _without_keys(house, other)
    admin = other.browser(ADMIN)
    version = admin.get(f"/config/connections/{connection}").value("version")
    page = admin.post(f"/config/connections/{connection}/submit", {"version": version})
    assert page.status == 503
    assert "keys-missing" in page.text
    assert "signing keys are not in the key vault" in page.text
    path = f"/config/api/connections/{connection}"
    problem = admin.call("POST", f"{path}/submit", if_match=f'"{version}"')
    assert (problem.status, problem.json()["code"]) == (503, "keys-missing")
    assert admin.call("GET", path).json()["latest"]["state"] == "draft"
    # The neighbour, whose keys are there, is not concerned.
    assert house.submitted(house.browser(ADMIN))


def test_clients_that_do_not_sign_need_no_keys(house: House, other: House) -> None:
    connection = _without_keys(house, other)
    admin = other.browser(ADMIN)
    admin.save(connection, "ehr", {"provider_auth": "none", "patient_auth": "none"})
    admin.save(connection, "writeback", {"adapter": "none", "backend_client_id": ""})
    version = admin.get(f"/config/connections/{connection}").value("version")
    assert admin.post(f"/config/connections/{connection}/submit", {"version": version}).status == 303


def test_without_keys_the_checks_say_who_has_to_do_what(house: House, other: House) -> None:
    connection = other.submitted(other.browser(ADMIN))
    del house.vault.secrets[signing_keys_name(other.tenant)]
    house.list_tenants(house.tenant, other.tenant)
    published = Browser().get(f"/config/jwks/{connection}")
    assert (published.status, published.json()["code"]) == (503, "keys-missing")
    url = f"{house.settings.server_url}/config/jwks/{connection}"
    house.ehr.pages[url] = Answer(503, {}, published.text.encode())

    def refuse(*_: object, tenant: str, **__: object) -> None:
        house.services.keys.current(tenant, "RS384")

    house.services.tokens = SimpleNamespace(backend=refuse)
    house.list_tenants(house.tenant, other.tenant)
    admin = other.browser(ADMIN)
    for probe in ("jwks", "backend-token"):
        found = admin.call("POST", f"/config/api/connections/{connection}/checks/{probe}").json()
        assert found["verdict"] == "failed"
        assert "operator of this service" in found["remedy"], probe


def test_a_removed_organization_loses_sessions_connections_and_keys(
    house: House, other: House, theirs: str
) -> None:
    mine = other.begun(other.browser(ADMIN))
    removed, stays = house.browser(ADMIN), other.browser(ADMIN)
    third = "99999999-9999-4999-8999-999999999999"
    house.list_tenants(other.tenant, third)
    assert removed.get("/config/").location == "/config/signin?return=%2Fconfig%2F"
    assert removed.get(f"/config/connections/{theirs}").status == 303
    assert removed.call("GET", "/config/api/connections").status == 401
    version = {"version": "v"}
    assert removed.post(f"/config/connections/{theirs}/submit", version).status == 401
    gone, unknown = (Browser().get(f"/config/jwks/{one}") for one in (theirs, NOBODYS))
    assert said(gone) == said(unknown)
    assert stays.get(f"/config/connections/{mine}").status == 200
    # Nobody signs for it either, even with the only set that is left when one organization stays.
    house.vault.secrets[signing_keys_name()] = house.vault.secrets[signing_keys_name(house.tenant)]
    house.list_tenants(other.tenant)
    with pytest.raises(Refusal, match="keys-missing"):
        house.services.keys.current(house.tenant, "RS384")


def test_the_owner_of_a_connection_is_read_once_and_the_memory_is_bounded() -> None:
    asked: list[str] = []

    def owner(connection: str) -> str | None:
        asked.append(connection)
        return None if connection == "none" else f"tenant of {connection}"

    connections: Any = SimpleNamespace(owner=owner)
    owners = Owners(connections, FakeClock(), size=2)
    for _ in range(3):
        assert owners.tenant("one") == "tenant of one"
    assert asked == ["one"]
    for _ in range(2):
        with pytest.raises(Refusal, match="not-found"):
            owners.tenant("none")
    for name in ("two", "one", "three", "one", "two"):
        owners.tenant(name)
    # Of two places the one that was not asked for longest was given up.
    assert asked == ["one", "none", "none", "two", "three", "two"]
