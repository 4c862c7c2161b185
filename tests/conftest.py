"""What every test may ask for."""

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from sandbox.storage import AzuriteServer
from shared.settings import Settings
from shared.store import Stores
from tests.e2e.chromium import launch
from tests.fakes import FakeClock, SeededEntropy

TENANT = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
CLIENT_ID = "a3c9d5e1-7f20-4b86-8e1d-52c07b94f631"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def entropy() -> SeededEntropy:
    return SeededEntropy()


@pytest.fixture
def connection_id(request: pytest.FixtureRequest) -> str:
    """An id of the Americas that no other test uses."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return "a" + "".join(_LETTERS[byte % 32] for byte in digest[:15])


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteServer]:
    """The real storage emulator, one for the whole run, on ports of its own."""
    with AzuriteServer.on_free_ports(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_settings(azurite: AzuriteServer) -> Settings:
    """Sandbox settings that point at the emulator; every other address is a trip-wire."""
    return Settings.from_environ(
        {
            **azurite.environ(),
            "ANTESALA_ENVIRONMENT": "sandbox",
            "ANTESALA_PUBLIC_URL": "http://localhost:7071",
            "ANTESALA_SERVER_URL": "https://unset.invalid",
            "ANTESALA_REGIONS": "americas,emea,apac",
            "ANTESALA_TENANTS": TENANT,
            "ANTESALA_CLIENT_ID": CLIENT_ID,
            "ANTESALA_LOGIN_URL": "https://unset.invalid",
            "ANTESALA_GRAPH_URL": "https://unset.invalid/graph",
            "ANTESALA_SECRETS_DIR": "/nonexistent",
        }
    )


@pytest.fixture
def stores(azurite_settings: Settings, clock: FakeClock) -> Stores:
    """The stores of three regions on the emulator. Its data is shared by all tests: use ids of your own."""
    return Stores(azurite_settings, clock)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; every person of a test opens a context of their own in it."""
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()
