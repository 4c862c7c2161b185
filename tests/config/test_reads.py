"""How often a page asks the tables: each request to the storage takes the reader some milliseconds."""

from collections import Counter
from typing import Any

import pytest

from shared.store.audit import Audit
from shared.store.connections import Connections
from shared.store.dead_letters import DeadLetters
from shared.store.ehr_users import EhrUsers
from shared.store.launches import Launches
from tests.config.house import ADMIN, ANALYST, Browser, House
from tests.config.spied import Spied
from tests.fakes import FakeClock

HEAD_AND_STANDING = {"Connections.get": 1, "Connections.rows": 1}
"""What one connection costs: whose it is, then how it stands."""


@pytest.fixture
def asked(house: House, clock: FakeClock) -> list[str]:
    """The reads of every table, by name."""
    noted: list[str] = []
    for store in house.stores.all():

        def table(name: str, store: Any = store) -> Any:
            return Spied(store.table(name), noted, f"{name}.")

        store.connections = Connections(table("Connections"), store.name)
        store.launches = Launches(table("Launches"))
        store.audit = Audit(table("Audit"))
        store.ehr_users = EhrUsers(table("EhrUsers"))
        store.dead_letters = DeadLetters(table("DeadLetters"), clock)
    return noted


def read(browser: Browser, path: str, asked: list[str]) -> dict[str, int]:
    asked.clear()
    assert browser.get(path).status == 200
    return dict(Counter(asked))


def in_all_states(house: House) -> list[str]:
    """A draft, a connection in service, and one in service with a newer draft."""
    admin, base = house.browser(ADMIN), house.base
    made = []
    for name, begin in (("draft", house.begun), ("serving", house.in_service), ("both", house.in_service)):
        house.base = f"{base}/{name}"
        house.ehr.serve(house.base)
        made.append(begin(admin))
    admin.save(made[-1], "ehr", {"name": "Changed"})
    return made


def test_the_list_costs_one_read_for_a_region_and_one_for_a_connection_in_whatever_state(
    house: House, asked: list[str]
) -> None:
    made, regions, admin = in_all_states(house), len(house.stores.all()), house.browser(ADMIN)
    connections = {"Connections.rows": regions + len(made)}
    glances = {"Launches.rows": len(made), "DeadLetters.rows": len(made)}
    assert read(admin, "/config/", asked) == connections | glances
    # The glances are remembered for half a minute.
    assert read(admin, "/config/", asked) == connections
    assert read(admin, "/config/api/connections", asked) == connections


@pytest.mark.parametrize(
    ("page", "beside"),
    [
        ("", {"DeadLetters.rows": 1}),
        ("/registration", {}),
        ("/records", {}),
        ("/checks", {}),
        ("/edit/ehr", {}),
        ("/clinicians", {"EhrUsers.rows": 1}),
        ("/deadletters", {"DeadLetters.rows": 1}),
        ("/launches", {"Launches.rows": 1, "DeadLetters.rows": 1}),
        ("/history", {"Connections.rows": 2, "Audit.rows": 2}),
    ],
)
def test_a_connections_page_reads_nothing_twice(
    house: House, asked: list[str], page: str, beside: dict[str, int]
) -> None:
    admin = house.browser(ADMIN)
    for connection in in_all_states(house):
        reads = read(admin, f"/config/connections/{connection}{page}", asked)
        assert reads == HEAD_AND_STANDING | beside, connection


def test_only_who_has_no_role_costs_a_look_through_the_connections_when_searching_people(
    house: House, asked: list[str]
) -> None:
    house.begun(house.browser(ADMIN))
    path = "/config/api/people?q=Tomas"
    assert read(house.browser(ADMIN), path, asked) == {}
    assert read(house.browser(ANALYST), path, asked) == {"Connections.rows": len(house.stores.all()) + 1}
