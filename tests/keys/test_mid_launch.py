"""Keys are rotated while somebody launches: on another instance, between two steps, and nothing breaks."""

import json
from typing import Any

import pytest

from sandbox.rotation import NAMED, PUBLISHED
from shared.keys import SigningKeys
from tests.fakes import MemorySecrets
from tests.keys.instances import Instances, rotate
from tests.keys.making import ec_key, listed, rsa_key, signing_row, symmetric
from tests.launch import microsoft
from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, Shown, World, own_keys, revision
from tests.launch.conftest import Clock as LaunchClock
from tests.launch.test_waiting import appointment, early, look

VISIT = "880014417731"


class Hospital(World):
    """A world with a vault and two instances; ``pass_by`` on its clock moves both."""

    def __init__(self) -> None:
        self.vault = MemorySecrets(sealing_keys=listed(symmetric(1)), visit_keys=listed(symmetric(2)))
        self.time: Any = Forwarded(self)
        self.seals = Instances(self.vault, "sealing-keys", self.time)
        self.names = Instances(self.vault, "visit-keys", self.time)
        super().__init__(keys=own_keys(), sealing=self.seals, visits=self.names)

    def rotate(self, name: str, step: str, *, anyway: bool = False) -> None:
        rotate(self.vault, name, step, self.clock, anyway=anyway)

    def serve(self, instance: int) -> None:
        self.seals.serving = self.names.serving = instance
        # What an instance remembers of answers, the other does not.
        self.services.flow.once._answers.clear()

    def ready(self) -> None:
        """Both instances have read the vault."""
        for instance in (1, 0):
            self.serve(instance)
            self.seals.ring()
            self.names.ring()

    @property
    def link(self) -> Any:
        return self.stores.region.ehr_users.rows[CONNECTION, "EMP-88101"]


class Forwarded:
    """The world's clock, before the world is there."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> Any:
        return getattr(self._world, "clock", LaunchClock()).now()


@pytest.fixture
def hospital() -> Hospital:
    hospital = Hospital()
    hospital.ready()
    return hospital


def entered(shown: Shown) -> bool:
    return (shown.status, shown.location) == (303, "https://visit.teams.example/patient")


def test_a_sealing_key_that_comes_into_use_between_the_legs_breaks_no_launch(hospital: Hospital) -> None:
    hospital.rotate("sealing-keys", "add")
    hospital.clock.pass_by(minutes=59)
    first = hospital.leg1("patient")
    url = hospital.agreed(first.location, "Patient/pat-1")
    hospital.clock.pass_by(minutes=2)
    hospital.serve(1)
    assert entered(hospital.leg2(url, "patient"))
    hospital.serve(0)
    assert entered(hospital.leg2(url, "patient")), "a reload on the other instance"
    assert len(hospital.ehr.requests("ehr-token")) == 1


def test_a_new_key_makes_nothing_before_every_instance_has_read_it(hospital: Hospital) -> None:
    rings = hospital.seals, hospital.names
    before = [ring.ring()[0] for ring in rings]
    for name in ("sealing-keys", "visit-keys"):
        hospital.rotate(name, "add")
    hospital.clock.pass_by(minutes=6)
    assert [ring.ring()[0] for ring in rings] == before
    assert [len(ring.ring()) for ring in rings] == [2, 2]
    hospital.clock.pass_by(minutes=54)
    assert [ring.ring()[1] for ring in rings] == before


def test_an_instance_that_has_not_read_the_key_looks_once_more(hospital: Hospital) -> None:
    """The second net: a key that seals at once, as after a leak, before the other instance knows of it."""
    hospital.clock.pass_by(minutes=4)
    hospital.rotate("sealing-keys", "add", anyway=True)
    hospital.serve(1)
    hospital.seals.restart()
    url = hospital.agreed(hospital.leg1("patient").location, "Patient/pat-1")
    hospital.serve(0)
    reads = len(hospital.vault.reads)
    assert entered(hospital.leg2(url, "patient"))
    assert len(hospital.vault.reads) == reads + 1


def test_a_resumed_visit_survives_a_rotation(hospital: Hospital) -> None:
    url = hospital.agreed(hospital.leg1("patient").location, "Patient/pat-1")
    assert entered(hospital.leg2(url, "patient"))
    hospital.rotate("sealing-keys", "add")
    hospital.clock.pass_by(hours=2)
    hospital.serve(1)
    assert entered(hospital.leg2(url, "patient"))
    assert len(hospital.ehr.requests("ehr-token")) == 1


def test_a_sealing_key_that_is_dropped_too_early_ends_a_launch_with_its_reason(hospital: Hospital) -> None:
    url = hospital.agreed(hospital.leg1("patient").location, "Patient/pat-1")
    hospital.rotate("sealing-keys", "replace")
    hospital.clock.pass_by(minutes=6)
    assert hospital.leg2(url, "patient").reason == "flow-unknown"
    assert entered(hospital.launch("patient")), "to launch again is all it takes"
    assert hospital.outcomes == ["ok"]


def test_a_visit_never_changes_its_key(hospital: Hospital) -> None:
    hospital.launch("patient")
    context = hospital.rooms.opened[0][0]
    hospital.stores.region.visits.put(CONNECTION, context.visit_key)
    hospital.rotate("visit-keys", "add")
    hospital.clock.pass_by(hours=2)
    hospital.serve(1)
    hospital.launch("patient")
    assert {entry[0].visit_key for entry in hospital.rooms.opened} == {context.visit_key}
    new = hospital.services.pseudonyms.visit_keys(CONNECTION, "session", VISIT)[0]
    assert new != context.visit_key


def test_a_clinician_s_link_moves_to_the_key_in_use_and_outlives_the_old_one(hospital: Hospital) -> None:
    hospital.linked()
    before = hospital.link
    hospital.rotate("visit-keys", "add")
    hospital.clock.pass_by(hours=2)
    assert hospital.launch().status == 303
    assert (hospital.link.oid, hospital.link.sub_mac == before.sub_mac) == (before.oid, False)
    hospital.clock.pass_by(days=NAMED.days + 1)
    hospital.rotate("visit-keys", "drop")
    hospital.clock.pass_by(minutes=6)
    assert hospital.launch().status == 303
    assert hospital.outcomes[-1] == "ok"


def test_a_visit_key_that_is_dropped_too_early_lets_nobody_in_as_somebody_else(hospital: Hospital) -> None:
    hospital.linked()
    hospital.rotate("visit-keys", "replace")
    hospital.clock.pass_by(minutes=6)
    first = hospital.leg1()
    shown = hospital.leg2(hospital.agreed(first.location, "Practitioner/prac-vidal"))
    assert shown.reason == "ehr-user-changed"


def test_a_clinician_who_waits_goes_in_after_both_keys_have_changed(hospital: Hospital) -> None:
    hospital.use(revision(**BY_APPOINTMENT))
    hospital.ehr.resources = {"Appointment/appt-1": appointment(hospital.clock.now())}
    hospital.launch(members={"appointment": "appt-1"})
    hospital.press(hospital.sign_in())
    for name in ("sealing-keys", "visit-keys"):
        hospital.rotate(name, "add")
    hospital.clock.pass_by(minutes=50)
    shown = early(hospital, 20, "provider")
    hospital.clock.pass_by(minutes=20)
    hospital.serve(1)
    hospital.rooms.opened.clear()
    assert look(hospital, shown.location, side="provider").status == 303
    assert len(hospital.rooms.opened) == 1


def test_signing_keys_are_rotated_under_an_ehr_that_keeps_its_key_set_for_a_day(hospital: Hospital) -> None:
    """The EHR judges each assertion by the set as it was when it looked last, 29 hours before at most."""
    name, clock = "ehr-signing-keys", hospital.clock
    hospital.vault.secrets[name] = listed(
        signing_row("rs", "RS384", rsa_key()), signing_row("es", "ES384", ec_key())
    )
    keys = SigningKeys(hospital.vault, hospital.clock, {microsoft.TENANT})
    hospital.services.flow._tokens._keys = keys
    signed: list[str] = []

    def fetched() -> None:
        hospital.ehr._app_keys = {row["kid"]: row for row in keys.jwks(microsoft.TENANT)["keys"]}

    def launches() -> None:
        assert entered(hospital.launch("patient"))
        signed.append(keys.current(microsoft.TENANT, "ES384").kid)

    fetched()
    hospital.rotate(name, "add")
    clock.pass_by(minutes=6)
    launches()
    clock.pass_by(days=PUBLISHED.days - 1)
    fetched()
    clock.pass_by(hours=28)
    url = hospital.agreed(hospital.leg1("patient").location, "Patient/pat-1")
    hospital.rotate(name, "use")
    clock.pass_by(minutes=6)
    assert entered(hospital.leg2(url, "patient")), "between the legs"
    launches()
    fetched()
    clock.pass_by(days=PUBLISHED.days)
    hospital.rotate(name, "drop")
    launches()
    assert signed[0] == "es"
    assert signed[1] == signed[2] != "es"
    assert len(json.loads(hospital.vault.secrets[name])) == 2
