"""Keys are rotated while a visit is attended, tended and written back: nothing is lost or told twice."""

import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.context import ContextSeal
from shared.errors import SealUnknown
from shared.graph.notifications import Notifications
from shared.keys import GraphCertificates
from shared.oidc import KeySets
from shared.parked_search import Tally
from shared.sealing import Pseudonyms, Sealer
from tests.fakes import FakeClock, MemorySecrets
from tests.graph.fakes import CLIENT_ID, PUBLISHER, TENANT
from tests.graph.issuing import KeyServer
from tests.graph.test_notifications import encrypted
from tests.keys.instances import Instances, rotate
from tests.keys.making import certificate_row, listed, rsa_key, symmetric
from tests.writeback.conftest import memory_house
from tests.writeback.house import House, guest, home
from tests.writeback.memory import Trap
from tests.writeback.office import DAY, HOUR, Office
from tests.writeback.test_forged import Graph
from tests.writeback.undelivered import letters, parking, refused
from writeback_function.fold import PATIENCE, NotYetKnown

CONNECTION = "aqqqqqqqqqqqqqqq"
LOGIN = "https://login.invalid"


def with_keys(house: House) -> MemorySecrets:
    """The house's seals and names come from a vault; two instances have read it."""
    vault = MemorySecrets(sealing_keys=listed(symmetric(1)), visit_keys=listed(symmetric(2)))
    seals, names = (Instances(vault, name, house.clock) for name in ("sealing-keys", "visit-keys"))
    house.sealer, house.pseudonyms = Sealer(seals, house.clock), Pseudonyms(names)
    house.contexts = ContextSeal(house.sealer)
    house.sealed = house.contexts.seal(house.context)
    names.ring()
    house.start()
    return vault


def both_rotated(house: House, vault: MemorySecrets) -> None:
    """New keys are added and come into use."""
    for name in ("sealing-keys", "visit-keys"):
        rotate(vault, name, "add", house.clock)
    house.clock.advance(3_601)


@pytest.fixture
def house() -> House:
    return memory_house(CONNECTION, FakeClock(), Trap())


def test_between_notification_and_fold_and_delivery(house: House) -> None:
    vault = with_keys(house)
    house.visit()
    first = house.text(house.item(house.event(5, guest("p"))))
    both_rotated(house, vault)
    house.folding.fold(first)
    (operation,) = house.waiting()
    assert operation.text
    # Graph goes on with the address and the client state that were made with the old keys.
    rotate(vault, "sealing-keys", "add", house.clock)
    house.clock.advance(3_601)
    house.run_for(60)
    old = house.item(house.event(60, guest("p", out=True)))
    house.folding.fold(house.text(old))
    house.run_for(60)
    assert house.adapter.said() == [("patient", "connected", 5), ("patient", "disconnected", 60)]
    assert (house.poisoned, house.dead()) == ([], [])


def test_between_two_looks_of_the_one_that_tends() -> None:
    office = Office(memory_house(CONNECTION, FakeClock(), Trap()))
    house = office.house
    vault = with_keys(house)
    office.start()
    office.visit()
    office.begin()
    office.run_for(HOUR)
    both_rotated(house, vault)
    office.run_for(HOUR)
    assert len(office.waiting) == 1
    assert office.contexts() == [house.context]
    office.run_for(3 * DAY)
    assert (office.waiting, bool(house.row().closed_at)) == ([], True)


def test_between_parked_and_driven_again() -> None:
    house = memory_house(CONNECTION, FakeClock(), Trap())
    vault = with_keys(house)
    refused(house)
    both_rotated(house, vault)
    assert parking(house).send_again(house.connection, letters(house)) == Tally(done=1)
    house.run_for(60)
    assert house.adapter.said() == [("provider", "connected", 5)]


@pytest.mark.parametrize("queue", ["attendance", "tend", "writeback"])
def test_what_a_dropped_key_sealed_is_parked_and_goes_on_when_the_key_is_back(
    house: House, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    vault = with_keys(house)
    office = Office(house)
    office.visit()
    item = house.text(house.item(house.event(5, home("d"))))
    if queue == "writeback":
        house.folding.fold(item)
        item = house.waiting().pop().text
    text = office.first() if queue == "tend" else item
    before = vault.secrets["sealing-keys"]
    rotate(vault, "sealing-keys", "replace", house.clock)
    house.clock.advance(301)
    take = {"attendance": house.folding.fold, "tend": office.tend.tend, "writeback": house.delivering.deliver}
    with pytest.raises(SealUnknown):
        take[queue](text)
    house.parking.park(house.region, queue, text.encode())
    assert caplog.records[-1].levelno == logging.ERROR
    assert [one.text for one in house.waiting("writeback-parked")] == [text]
    vault.secrets["sealing-keys"] = before
    house.clock.advance(301)
    take[queue](text)
    assert house.waiting("writeback" if queue == "attendance" else "tend") or house.adapter.said()


# -- Graph's certificates ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> KeyServer:
    return KeyServer(f"{LOGIN}/common/discovery/keys")


class Encrypting(Graph):
    """Graph's side, which encrypts for the certificate of the subscription."""

    certificate, key = "g-1", rsa_key()

    def item(self, seconds: float = 5) -> dict[str, Any]:
        event = self.house.event(seconds, guest("p"))
        content = encrypted(event, self.key)
        shown = {name: value for name, value in self.house.item(event).items() if name != "event"}
        return {**shown, "encryptedContent": {**content, "encryptionCertificateId": self.certificate}}

    def moved(self) -> None:
        """The subscription is renewed with the newest certificate, by an instance that knows it."""
        self.certificate, self.key = "g-2", rsa_key(name="b")


@pytest.fixture
def vault(house: House) -> MemorySecrets:
    return MemorySecrets(graph_certificates=listed(certificate_row(house.clock.now())))


@pytest.fixture
def graph(house: House, server: KeyServer, vault: MemorySecrets) -> Encrypting:
    told = SimpleNamespace(
        login_url=LOGIN, client_id=CLIENT_ID, graph_publisher_id=PUBLISHER, tenants=frozenset({TENANT})
    )
    certificates = GraphCertificates(vault, house.clock)
    certificates.newest()
    keysets = KeySets(cast("Any", server), house.clock)
    house.notifications = Notifications(cast("Any", told), keysets, certificates, house.clock)
    house.start()
    house.visit()
    return Encrypting(house, server, cast("Any", certificates))


def with_second(vault: MemorySecrets, clock: FakeClock) -> str:
    """A version with one certificate more; the one before."""
    before = vault.secrets["graph-certificates"]
    now = clock.now()
    rows = certificate_row(now), certificate_row(now, called="g-2", key=rsa_key(name="b"))
    vault.secrets["graph-certificates"] = listed(*rows)
    return before


def test_what_is_under_way_for_the_old_certificate_opens_after_the_new_one_is_in_use(
    graph: Encrypting, vault: MemorySecrets
) -> None:
    clock = graph.house.clock
    text = graph.text()
    rotate(vault, "graph-certificates", "add", clock)
    clock.advance(301)
    certificates = GraphCertificates(vault, clock)
    assert certificates.newest().id == "g-1", "not before every instance has read it"
    clock.advance(3_600)
    assert certificates.newest().id != "g-1"
    graph.house.folding.fold(text)
    graph.house.run_for(60)
    assert graph.house.adapter.said() == [("patient", "connected", 5)]


def test_a_certificate_that_this_instance_has_not_read_is_looked_for_at_once(
    graph: Encrypting, vault: MemorySecrets
) -> None:
    with_second(vault, graph.house.clock)
    graph.moved()
    graph.house.clock.advance(31)
    graph.house.folding.fold(graph.text())
    assert graph.house.waiting("attendance") == []
    assert len(graph.house.waiting()) == 1


def test_where_the_vault_was_asked_just_now_the_notification_comes_again(
    graph: Encrypting, vault: MemorySecrets
) -> None:
    reads = len(vault.reads)
    with_second(vault, graph.house.clock)
    graph.moved()
    for _ in range(5):
        graph.house.folding.fold(graph.text())
    assert len(vault.reads) == reads
    assert len(graph.house.waiting("attendance")) == 5
    graph.house.run_for(120)
    assert len(vault.reads) == reads + 1
    assert graph.house.adapter.said() == [("patient", "connected", 5)]


def test_a_certificate_that_is_dropped_too_early_loses_nothing(
    graph: Encrypting, vault: MemorySecrets
) -> None:
    before = vault.secrets["graph-certificates"]
    text = graph.text()
    rotate(vault, "graph-certificates", "replace", graph.house.clock)
    graph.house.clock.advance(301)
    graph.house.folding.fold(text)
    graph.house.run_for(HOUR)
    assert len(graph.house.waiting("attendance")) == 1
    vault.secrets["graph-certificates"] = before
    graph.house.run_for(HOUR)
    assert graph.house.adapter.said() == [("patient", "connected", 5)]


def test_for_a_certificate_that_never_comes_back_the_host_parks_the_notification(
    graph: Encrypting, vault: MemorySecrets
) -> None:
    text = graph.text()
    rotate(vault, "graph-certificates", "replace", graph.house.clock)
    graph.house.clock.advance(PATIENCE / timedelta(seconds=1))
    with pytest.raises(NotYetKnown):
        graph.house.folding.fold(text)
    assert graph.house.waiting("attendance") == []
