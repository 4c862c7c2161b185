"""The privacy promise, on the whole running thing: no patient's data is left anywhere.

The people of the simulated hospitals carry unmistakable values. Visits are played at all of them, one
write-back is made to park, and everything that is left is searched through every coat (`tests.e2e.canary`).
The same search must go red when sealing seals nothing.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.addresses import Addresses
from sandbox.ehr.hospital import EPIC, FHIR, ORACLE
from sandbox.journey import HOSPITALS, Outcome, play
from sandbox.microsoft365.cast import VIDAL
from sandbox.run import ROOT, Sandbox
from tests.docs import privacy_document as document
from tests.e2e.canary import Finding, search
from tests.e2e.gathering import (
    QueueWatch,
    canaries,
    gathered,
    queue_names,
    quiet_session,
    stored_fields,
)

_PARKED_SECONDS = 20.0

# The real app, but what should be sealed is only written down: the canary must see through it.
_OPEN_HEARTED = """
import base64, importlib.util, json
from shared.errors import SealBroken
from shared.sealing import Sealer

def seal(self, purpose, value):
    return base64.urlsafe_b64encode(json.dumps([purpose, value]).encode()).decode().rstrip("=")

def unseal(self, purpose, text):
    try:
        found, value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as failure:
        raise SealBroken(purpose) from failure
    if found != purpose:
        raise SealBroken(purpose)
    return value

Sealer.seal, Sealer.open = seal, unseal
spec = importlib.util.spec_from_file_location("real_function_app", {path!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
app = real.app
"""


@contextmanager
def running(state: Path, root: Path = ROOT) -> Iterator[Sandbox]:
    with Sandbox(Addresses.free(), state, root=root) as sandbox:
        yield sandbox


def everybody() -> list[str]:
    values: set[str] = set()
    for hospital in (EPIC(Addresses()), FHIR(Addresses()), ORACLE(Addresses())):
        patients = [person for person in hospital.people if person.kind != "staff"]
        values |= set(canaries(patients, hospital.visits))
    return sorted(values)


def found_after_visits(sandbox: Sandbox) -> list[Finding]:
    bundle = str(sandbox.authority.bundle)
    with QueueWatch(sandbox) as watch:
        outcomes = [play(name, sandbox.addresses, bundle, lambda _: None) for name in HOSPITALS]
        park_one(sandbox, outcomes[0])
    urls = {
        f"{one.hospital} {who}": [url for url in addresses if not is_the_hospitals(sandbox, url)]
        for one in outcomes
        for who, addresses in one.urls.items()
    }
    assert len(watch.seen) >= 6, "the watch saw too few messages to mean anything"
    piles = gathered(sandbox, watch, urls)
    assert any("writeback-parked" in name for name in piles), "nothing was parked"
    assert any(name.startswith("microsoft365") and b"/subscriptions" in pile for name, pile in piles.items())
    return search(piles, everybody())


def is_the_hospitals(sandbox: Sandbox, url: str) -> bool:
    """Pages that the EHR itself serves; where we send the browser to authorize is ours to answer for."""
    at = sandbox.addresses
    ehr = url.startswith((at.epic_url, at.fhir_url, at.oracle_url))
    return ehr and "authorize" not in url


def park_one(sandbox: Sandbox, outcome: Outcome) -> None:
    """The EHR refuses for good while somebody joins and leaves once more."""
    at, bundle = sandbox.addresses, str(sandbox.authority.bundle)
    with quiet_session() as session:
        session.verify = bundle
        failures = f"{at.epic_tls_url}/sandbox/failures"
        session.put(failures, json={"status_service_status": 422}, timeout=10).raise_for_status()
        control = f"{at.m365_tls_url}/sandbox"
        joined = session.post(
            f"{control}/join", json={"url": outcome.teams_url, "as": VIDAL.oid}, timeout=10
        ).json()
        session.post(f"{control}/leave", json={"participant": joined["participant"]}, timeout=10)
        wait_for_dead_letter(sandbox)
        session.put(failures, json={}, timeout=10).raise_for_status()


def wait_for_dead_letter(sandbox: Sandbox) -> None:
    from shared.clock import SystemClock
    from shared.settings import Settings
    from shared.store import Stores

    store = Stores(Settings.from_environ(sandbox.environ()), SystemClock())
    until = time.monotonic() + _PARKED_SECONDS
    while not any(queue.length() for region in store.all() for queue in region.parked()):
        assert time.monotonic() < until, "the refused write-back was not parked"
        time.sleep(0.2)


def test_a_whole_visit_should_leave_no_patient_data_anywhere(tmp_path: Path) -> None:
    with running(tmp_path / "state") as sandbox:
        assert found_after_visits(sandbox) == []
        assert undocumented(sandbox) == {}
        # A connection's own queue ends with its id.
        kinds = {re.sub(r"^(writeback-parked)-.+", r"\1-id", name) for name in queue_names(sandbox)}
        assert kinds <= document.named(cells[0] for cells in document.rows("Queues"))


def undocumented(sandbox: Sandbox) -> dict[str, set[str]]:
    """What lies in storage and not in ``docs/privacy.md``, by table."""
    found = stored_fields(sandbox)
    assert all(found[table] for table in ("Connections", "EhrUsers", "Visits", "Operations", "Launches"))
    assert {"roster.people", "roster.told", "persons.user"} <= found["Visits"]
    known = document.tables()
    fields = {table: document.fields(table) if table in known else set() for table in found}
    return {table: left for table, inside in found.items() if (left := inside - fields[table])}


@pytest.mark.parametrize("place", ["queue", "table", "microsoft365"])
def test_the_canary_should_go_red_where_nothing_is_sealed(
    place: str, unsealed_findings: list[Finding]
) -> None:
    assert any(finding.where.startswith(place) for finding in unsealed_findings)


@pytest.fixture(scope="module")
def unsealed_findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What the same search finds when the app's sealing is replaced by plain writing down."""
    root = tmp_path_factory.mktemp("open_hearted")
    shutil.copy(ROOT / "host.json", root)
    code = _OPEN_HEARTED.replace("{path!r}", repr(str(ROOT / "function_app.py")))
    (root / "function_app.py").write_text(code)
    with running(tmp_path_factory.mktemp("state"), root) as sandbox:
        return found_after_visits(sandbox)
