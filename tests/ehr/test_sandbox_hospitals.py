"""The adapters against the simulated hospitals, which play by the published rules."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.connection import Approved, Client, Endpoints
from shared.context import VisitContext
from shared.ehr.registry import Adapters
from shared.errors import StatusRefused
from shared.keys import SigningKeys
from shared.outbound import Answer
from tests.ehr.line import Sent, adapters, approved, telling
from tests.fakes import FakeClock, MemorySecrets
from tests.sandbox.ehr_client import Connector, connector


class Hospital:
    """A simulated hospital that knows our keys, and our way to it."""

    def __init__(self, kind: str) -> None:
        self.app: Connector = connector(kind)
        clock = FakeClock(datetime.fromtimestamp(self.app.clock.now, UTC))
        secrets = MemorySecrets(ehr_signing_keys=_signing_keys())
        self.app.door.keys = SigningKeys(secrets, clock, {"t"}).jwks("t")["keys"]
        self.registry: Adapters = adapters(self.answer, clock, secrets)
        self.approved: Approved = self._approved(kind)

    def answer(self, sent: Sent) -> Answer:
        body: Any = sent.form if sent.form is not None else sent.json and json.dumps(sent.json)
        address = urlsplit(sent.url).path + (f"?{urlencode(sent.query)}" if sent.query else "")
        got = self.app.tls.open(address, method=sent.method, headers=dict(sent.headers), data=body)
        headers: Mapping[str, str] = {name.lower(): value for name, value in got.headers}
        return Answer(got.status_code, headers, got.data)

    def people(self, visit: str) -> dict[str, list[str]]:
        state = self.app.tls.get("/sandbox/state").json["visits"][visit]
        return {
            name: [one["status"] for one in rows] for name, rows in state.items() if isinstance(rows, list)
        }

    def _approved(self, kind: str) -> Approved:
        hospital, one = self.app.hospital, approved(kind)
        endpoints = Endpoints("", hospital.authorize_url, hospital.token_url, hospital.jwks_url)
        client = Client(self.app.client_id("backend"))
        revision = replace(one.revision, backend=client, endpoints=endpoints)
        return Approved(replace(one.connection, fhir_base=hospital.fhir_base), revision)

    def tell(self, **changes: Any) -> None:
        self.registry.of(self.approved).tell(self.approved, telling(**changes))


def _signing_keys() -> str:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps([{"kid": "k1", "alg": "RS384", "private_key": text, "state": "current"}])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_epic_sees_who_connects_and_leaves(method: str) -> None:
    epic = Hospital("epic")
    revision = epic.approved.revision
    writeback = replace(revision.writeback, options={"method": method})
    epic.approved = replace(epic.approved, revision=replace(revision, writeback=writeback))
    context = VisitContext("aabcdefghijklmno", "key", "session", "880014417731")
    epic.tell(user="WPR-5519902", context=context)
    epic.tell(user="EMP-88101", role="provider", context=context)
    epic.tell(user="WPR-5519902", status="disconnected", context=context)
    found = epic.people("880014417731")
    assert (found["zquillfeather"], found["evidal"]) == (["connected", "disconnected"], ["connected"])


def test_epic_says_what_it_does_not_know() -> None:
    epic = Hospital("epic")
    with pytest.raises(StatusRefused) as refused:
        epic.tell(user="WPR-5519902", context=VisitContext("aabcdefghijklmno", "key", "session", "1"))
    assert (refused.value.status, refused.value.code) == (404, "INVALID-CONFERENCEID")


def test_a_fhir_hospital_keeps_each_transition_once() -> None:
    fhir = Hospital("fhir")
    visit, patient = "appt-zeph-4417731", "pat-zephyrina-77309415"
    context = VisitContext(
        "aabcdefghijklmno", "key", "appointment", visit, visit, "enc-zeph-4417731", patient
    )
    for _ in range(2):
        fhir.tell(user=f"Patient/{patient}", context=context)
    other = "1b9c7a52-6a0f-5f4c-8e5a-0f6d6a1c2b3d"
    fhir.tell(operation=other, user="", role="unattributed", status="connected", context=context)
    state = fhir.app.tls.get("/sandbox/state").json
    assert len(state["audit_events"]) == 2
    found = fhir.people(visit)
    assert found["zquillfeather"] == ["connected"]
    assert [status for rows in found.values() for status in rows] == ["connected", "connected"]


APPOINTMENT = "644177310551"
LAUNCHED = VisitContext(
    "aabcdefghijklmno", "key", "appointment", APPOINTMENT, APPOINTMENT, "974417731055", "127730941552"
)


class Oracle(Hospital):
    """An Oracle-like hospital, and its one appointment that things are told about."""

    def __init__(self, **options: str) -> None:
        super().__init__("oracle")
        revision = self.approved.revision
        writeback = replace(revision.writeback, options=options)
        self.approved = replace(self.approved, revision=replace(revision, writeback=writeback))

    def patient(self, status: str = "connected") -> None:
        self.tell(user="Patient/127730941552", status=status, context=LAUNCHED)

    def clinician(self, status: str) -> None:
        self.tell(user="Practitioner/446400781", role="provider", status=status, context=LAUNCHED)

    def set_by_hand(self, status: str) -> None:
        wanted = {"as": "evidal", "appointment": APPOINTMENT, "status": status}
        assert self.app.tls.post("/sandbox/status", json=wanted).status_code == 200

    def history(self) -> list[tuple[str, str]]:
        found = self.app.tls.get("/sandbox/state").json["appointments"][APPOINTMENT]["history"]
        return [(one["status"], one["by"]) for one in found]


def test_an_oracle_hospital_sees_its_appointment_arrive_once() -> None:
    oracle = Oracle()
    for status in ("connected", "connected", "disconnected", "connected"):
        oracle.patient(status)
        oracle.clinician(status)
    oracle.tell(user="", role="unattributed", context=LAUNCHED)
    assert oracle.history() == [("arrived", "connector")]


def test_an_oracle_hospital_sees_the_moves_that_were_chosen() -> None:
    oracle = Oracle(provider_connected="checked-in", provider_disconnected="fulfilled")
    oracle.patient()
    oracle.clinician("connected")
    oracle.patient("disconnected")
    oracle.clinician("disconnected")
    moves = ("arrived", "checked-in", "fulfilled")
    assert oracle.history() == [(one, "connector") for one in moves]


@pytest.mark.parametrize("word", ["noshow", "cancelled", "fulfilled", "checked-in"])
def test_what_a_person_set_at_an_oracle_hospital_stays(word: str) -> None:
    oracle = Oracle()
    oracle.set_by_hand(word)
    oracle.patient()
    assert oracle.history() == [(word, "evidal")]


def test_a_lost_race_at_an_oracle_hospital_is_run_again() -> None:
    oracle = Oracle()
    oracle.app.world.failures.appointment_conflicts = 2
    oracle.patient()
    assert oracle.history() == [("arrived", "connector")]


BUSY: list[tuple[dict[str, Any], int]] = [
    ({"appointment_locked": True}, 423),
    ({"appointment_dependency_failed": True}, 424),
    ({"appointment_conflicts": 99}, 409),
]


@pytest.mark.parametrize(("failures", "status"), BUSY)
def test_an_oracle_hospital_that_is_busy_is_told_later(failures: dict[str, Any], status: int) -> None:
    oracle = Oracle()
    oracle.app.tls.put("/sandbox/failures", json=failures)
    with pytest.raises(StatusRefused) as refused:
        oracle.patient()
    assert (refused.value.status, refused.value.transient) == (status, True)
    assert oracle.history() == []
    oracle.app.tls.put("/sandbox/failures", json={})
    oracle.patient()
    assert oracle.history() == [("arrived", "connector")]
