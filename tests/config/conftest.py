"""The portal with its own hospital."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from config_function import blueprint
from shared.entra import ApiCaller
from shared.settings import Settings
from shared.store import Stores
from tests.config.house import ADMIN, House, forget_rooms
from tests.config.scene import Scene
from tests.fakes import FakeClock
from tests.shared.hostile import Behaviour, HostileServer


@pytest.fixture
def house(
    azurite_settings: Settings, stores: Stores, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """The blueprint's routes on a tenant of this test's own; the one patch is the process's wiring."""
    made = House(azurite_settings, stores, clock)
    monkeypatch.setattr(blueprint, "services", lambda: made.services)
    forget_rooms()
    yield made
    forget_rooms()


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[Callable[..., HostileServer], str]]:
    """Starts TLS servers for ``hospital.example``, and the bundle that trusts them."""
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with ExitStack() as servers:

        def serve(behaviour: Behaviour) -> HostileServer:
            certificate = authority.issue_cert("hospital.example")
            return servers.enter_context(HostileServer(certificate, behaviour))

        yield serve, str(bundle)


@pytest.fixture
def scene(house: House) -> Scene:
    admin = house.browser(ADMIN)
    serving = house.in_service(admin)
    house.base = f"{house.base}/waiting"
    house.ehr.serve(house.base)
    waiting = house.submitted(admin)
    house.flow.begun.clear()
    program = ApiCaller(
        house.tenant, "p", frozenset({"Connector.Admin"}), frozenset(), frozenset(), True, False
    )
    house.microsoft.callers = {"program": program}
    return Scene(house, serving, waiting)
