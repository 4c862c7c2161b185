"""Asking for verdicts as the page does."""

from typing import Any
from urllib.parse import urlsplit

from shared.connection import Region
from shared.store import Stores
from tests.config.house import ANALYST, POOL, Browser, House, beginning

AMERICAS: Region = "americas"
PATH = "/config/api/connections"


def drafted(house: House, admin: Browser, **settings: Any) -> str:
    """A connection with everything decided and nothing approved yet, made by one request; its id."""
    decided = {
        "provider_client_id": "provider-1",
        "patient_client_id": "patient-1",
        "backend_client_id": "backend-1",
        "approver": ANALYST,
        "organizers": [POOL],
        **settings,
    }
    answer = admin.call("POST", PATH, {**beginning(house.base), "settings": decided})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def path_of(connection: str) -> str:
    return f"{PATH}/{connection}/checks"


def verdict(browser: Browser, connection: str, probe: str, person: str = "") -> dict[str, Any]:
    """The whole answer."""
    answer = browser.call("POST", f"{path_of(connection)}/{probe}", {"person": person})
    assert answer.status == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def outcome(browser: Browser, connection: str, probe: str, person: str = "") -> tuple[str, str]:
    """The verdict and what was found."""
    document = verdict(browser, connection, probe, person)
    return document["verdict"], document["found"]


def own_address(house: House, path: str) -> str:
    """Where servers reach us."""
    return f"{house.settings.server_url}{path}"


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def empty_region(stores: Stores) -> None:
    """Takes away what other tests left waiting: the storage is everybody's."""
    store = stores.region(AMERICAS)
    for queue in (store.queue("attendance"), store.queue("writeback"), *store.parked()):
        while found := queue.receive(32):
            for message in found:
                queue.delete(message)
    for letter in store.dead_letters.of_connection("unknown"):
        store.dead_letters.remove("unknown", letter.id)
