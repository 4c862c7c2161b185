"""The portal with its own hospital."""

from collections.abc import Iterator

import pytest

from config_function import blueprint
from shared.settings import Settings
from shared.store import Stores
from tests.config.house import House, forget_rooms
from tests.fakes import FakeClock


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
