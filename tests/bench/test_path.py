"""What is on a launch's path: modules, trips to storage, calls to Graph; costs that creep in unseen."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.storage import AzuriteServer
from shared.context import VisitContext
from shared.settings import Settings
from shared.store.aside import Aside
from shared.store.faults import StorageUnavailable
from shared.web import Request
from tests.bench.scene import CountedStores, Scene
from tests.graph.fakes import GRAPH
from tests.launch import microsoft
from tests.launch.conftest import CONNECTION
from writeback_function.ingress import Ingress

ROOT = Path(__file__).resolve().parents[2]
# A quarter more than what the import of the app takes today beside azure.functions; a library more is seen.
MOST_MODULES = 340
HEAVY = ("fhir", "msal", "azure.identity", "azure.keyvault", "azure.storage.queue", "jinja2", "babel")
LATER = ("config_function.handlers", "config_function.desk", "writeback_function.fold", "shared.ehr.registry")
DOORS = (
    "launch_patient.launch",
    "launch_patient.device_test",
    "launch_provider.launch",
    "launch_provider.visit_view",
    "shared.building",
    "shared.launch.door",
    "shared.outbound",
    "shared.store",
    "writeback_function.ingress",
)
IMPORTED = """
import gc, json, sys
import azure.functions
before = set(sys.modules)
import function_app
after_import = set(sys.modules)
frozen = gc.get_freeze_count()
from launch_patient.launch import PatientDoor
from launch_provider.launch import ProviderDoor
from shared.wiring import services
ProviderDoor(services()), PatientDoor(services())
garbage = [gc.isenabled(), frozen, gc.get_freeze_count()]
print(json.dumps([sorted(after_import - before), sorted(sys.modules), garbage]))
"""
FIRST = {
    "get Connections": 2,
    "get EhrUsers": 1,
    "get Visits": 2,
    "insert Visits": 1,
    "replace Visits": 2,
    "queue tend": 1,
    "insert Launches": 1,
}
AGAIN = {"get Connections": 2, "get EhrUsers": 1, "get Visits": 1, "insert Launches": 1}
# Also the guest is written into the visit's row, once.
GUEST = {"get Connections": 2, "get Visits": 1, "replace Visits": 1, "insert Launches": 1}


@pytest.fixture
def scene(azurite: AzuriteServer, azurite_settings: Settings) -> Iterator[Scene]:
    made = Scene(CountedStores(azurite_settings), _with_graph(azurite_settings))
    # The first row of each fifty is followed by a look at what is too old, beside the request.
    made.trips_of("patient", "880000000000")
    yield made
    made.services.rooms.close()


def _with_graph(settings: Settings) -> Settings:
    hosts = frozenset({"teams.microsoft.com", "visit.teams.microsoft.com"})
    return replace(settings, graph_url=GRAPH, teams_hosts=hosts, tenants=frozenset({microsoft.TENANT}))


@pytest.fixture(scope="module")
def imported(azurite: AzuriteServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The modules that the app brings, all that are there with both doors, and what the collector does."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("sealing-keys", "visit-keys"):
        (folder / name).write_text(json.dumps(["A" * 43]))
    environ = {
        **azurite.environ(),
        "ANTESALA_ENVIRONMENT": "sandbox",
        "ANTESALA_PUBLIC_URL": "http://localhost:7071",
        "ANTESALA_SERVER_URL": "https://unset.invalid",
        "ANTESALA_REGIONS": "americas",
        "ANTESALA_TENANTS": "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10",
        "ANTESALA_CLIENT_ID": "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631",
        "ANTESALA_LOGIN_URL": "https://unset.invalid",
        "ANTESALA_GRAPH_URL": "https://unset.invalid/graph",
        "ANTESALA_SECRETS_DIR": str(folder),
    }
    command = [sys.executable, "-c", IMPORTED]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def test_the_app_should_not_bring_many_more_modules(imported: Any) -> None:
    assert len(imported[0]) < MOST_MODULES


@pytest.mark.parametrize("name", [*HEAVY, *LATER])
def test_what_a_first_redirect_does_not_need_should_not_be_imported_for_it(imported: Any, name: str) -> None:
    there = [module for module in imported[1] if module == name or module.startswith(f"{name}.")]
    assert there == []


@pytest.mark.parametrize("name", DOORS)
def test_a_door_should_be_imported_with_its_first_request(imported: Any, name: str) -> None:
    assert name not in imported[0]


def test_nothing_that_the_start_makes_should_be_looked_at_as_garbage(imported: Any) -> None:
    enabled, at_import, once_built = imported[2]
    assert enabled
    assert 20_000 < at_import < once_built


@pytest.mark.azurite
def test_a_launch_should_take_no_more_trips_to_storage_than_it_needs(scene: Scene) -> None:
    first, shown = scene.trips_of("provider", "880000000001")
    assert shown.status == 303, shown
    assert dict(first) == FIRST
    again, shown = scene.trips_of("provider", "880000000001")
    assert shown.status == 303, shown
    assert dict(again) == AGAIN
    guest, shown = scene.trips_of("patient", "880000000001")
    assert shown.status == 303, shown
    assert dict(guest) == GUEST


@pytest.mark.azurite
def test_no_request_of_a_launch_should_search_a_table(scene: Scene) -> None:
    for place in range(3):
        for side in ("provider", "patient"):
            trips, _ = scene.trips_of(side, f"88000000010{place}")
            assert not [trip for trip in trips if trip.startswith("query")], (side, trips)


@pytest.mark.azurite
def test_a_notification_should_be_one_message_and_no_look_at_any_table(scene: Scene) -> None:
    house = scene.services
    ingress = Ingress(scene.counted, house.contexts, house.sealer, house.pseudonyms, house.clock)
    visit = house.pseudonyms.visit_keys(CONNECTION, "session", "880000000004")[0]
    context = house.contexts.seal(VisitContext(CONNECTION, visit, "session", "880000000004"))
    body = {"value": [{"subscriptionId": "s", "encryptedContent": {"data": "d"}}]}
    headers = {"content-type": "application/json"}
    scene.counted.trips.clear()
    answer = ingress.notifications(
        Request(
            "POST",
            "/attendance/notifications",
            {"c": context},
            headers=headers,
            body=json.dumps(body).encode(),
        )
    )
    assert answer.status == 202
    assert scene.counted.trips == ["queue attendance"]


@pytest.mark.azurite
def test_only_a_first_launch_should_ask_graph_and_four_times(scene: Scene) -> None:
    scene.graph.sent.clear()
    scene.trips_of("provider", "880000000002")
    first = [one.path.rsplit("/", 1)[1].split("?")[0] for one in scene.graph.sent]
    assert first[0] == "createOrGet"
    assert sorted(first[2:]) == ["getVirtualAppointmentJoinWebUrl", "subscriptions"]
    assert len(first) == 4
    scene.trips_of("provider", "880000000002")
    scene.trips_of("patient", "880000000002")
    # A link that came too late for its own launch is asked for once more, and nothing else is.
    again = [one.path for one in scene.graph.sent[4:]]
    assert all("getVirtualAppointmentJoinWebUrl" in path for path in again)
    assert len(again) <= 1


@pytest.mark.azurite
def test_subscription_and_patients_link_should_be_fetched_side_by_side(scene: Scene) -> None:
    together, send = threading.Barrier(2, timeout=5), scene.graph.send

    def meeting(method: str, url: str, **named: Any) -> Any:
        if url.endswith(("/subscriptions", "/getVirtualAppointmentJoinWebUrl")):
            together.wait()
        return send(method, url, **named)

    scene.graph.send = meeting  # type: ignore[method-assign]
    _, shown = scene.trips_of("patient", "880000000003")
    assert shown.location.startswith("https://visit.teams.microsoft.com/"), shown


def test_what_is_done_aside_should_keep_nobody_waiting_and_be_done_in_order() -> None:
    aside, go, done = Aside(), threading.Event(), list[int]()

    def slow() -> None:
        go.wait(5)
        done.append(0)

    aside.do(slow)
    begun = time.monotonic()
    aside.do(lambda: done.append(1))
    assert time.monotonic() - begun < 1
    assert done == []
    go.set()
    aside.settle()
    assert done == [0, 1]
    aside.close()


def test_what_is_done_aside_should_have_bounds_and_outlive_failures(caplog: pytest.LogCaptureFixture) -> None:
    aside, go, done = Aside(most=2), threading.Event(), list[int]()

    def fail() -> None:
        go.wait(5)
        raise StorageUnavailable("table Launches")

    aside.do(fail)
    aside.do(lambda: done.append(1))
    aside.do(lambda: done.append(2))
    go.set()
    aside.close()
    assert done == [1]
    assert "too much waits" in caplog.text
    assert "StorageUnavailable" in caplog.text
    aside.do(lambda: done.append(3))
    aside.close()
    assert done == [1, 3]


def test_what_is_done_aside_should_begin_when_the_request_is_answered_and_all_of_it_at_once() -> None:
    aside, begun, ended = Aside(later=0.3), time.monotonic(), list[float]()
    for _ in range(3):
        aside.do(lambda: ended.append(time.monotonic() - begun))
    aside.close()
    assert ended[0] >= 0.3
    assert ended[-1] - ended[0] < 0.3
