"""Undelivered records of a house's connection, and where the portal has them."""

from uuid import UUID, uuid5

from shared.context import ContextSeal, VisitContext
from shared.messages import sealed
from shared.parked import poison_id
from shared.store.queues import parked_queue
from tests.config.house import Browser, House, Page

NAMES = UUID("00000000-0000-4000-8000-000000000001")


def page_of(connection: str, tail: str = "") -> str:
    return f"/config/connections/{connection}/deadletters{tail}"


def api_of(connection: str, tail: str = "") -> str:
    return f"/config/api/connections/{connection}/deadletters{tail}"


def a_letter(number: int) -> str:
    return str(uuid5(NAMES, str(number)))


def add(house: House, connection: str, number: int, reason: str = "gave-up", status: int = 0) -> str:
    """A row without a message, a second younger than the last."""
    house.clock.advance(1)
    rows = house.stores.of(connection).dead_letters
    rows.add(connection, a_letter(number), queue="writeback", reason=reason, status=status, attempts=3)
    return a_letter(number)


def poison(house: House, connection: str, mark: str) -> tuple[str, str]:
    """A parked message of the portal's own connection, with its row: id and text."""
    sealer, store = house.services.sealer, house.stores.of(connection)
    context = ContextSeal(sealer).seal(VisitContext(connection, mark, "session", "S-1"))
    text = sealed("tend", {"c": context, "turn": mark}, sealer)
    store.queue(parked_queue(connection)).send(text)
    house.clock.advance(1)
    store.dead_letters.add(connection, poison_id(text), queue="tend", reason="poison")
    return poison_id(text), text


def ids(house: House, connection: str) -> set[str]:
    return {one.id for one in house.stores.of(connection).dead_letters.of_connection(connection)}


def audit(house: House, connection: str) -> list[tuple[str, str, str]]:
    entries = house.stores.of(connection).audit.recent(house.tenant, 50, connection)
    return [(one.by, one.what, one.detail) for one in entries if one.what.startswith("letters-")]


def confirmed(browser: Browser, connection: str, question: Page, form: dict[str, str]) -> Page:
    form = {**form, "until": question.value("until"), "confirmed": question.value("confirmed")}
    return browser.post(page_of(connection, "/discard"), form)
