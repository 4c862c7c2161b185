"""The whole sandbox and a real browser, each started once for all end-to-end tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.addresses import Addresses
from sandbox.run import ROOT, Sandbox
from tests.e2e.camera import Camera
from tests.e2e.porch import Porch
from tests.e2e.visitor import visitor

# A page that is slow on a busy machine is not wrong; what never comes still fails.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Storage, hospitals, Microsoft 365 and the function app on ports of their own, with empty storage."""
    with Sandbox(Addresses.free(), tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def camera() -> Camera:
    """Takes screenshots into `screenshots/` or the folder that ANTESALA_SCREENSHOTS names."""
    return Camera(Path(os.environ.get("ANTESALA_SCREENSHOTS") or ROOT / "screenshots"))


@pytest.fixture
def porch() -> Iterator[Porch]:
    """The doors with everything behind them agreeing at once."""
    with Porch() as one:
        yield one


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """One visitor's page."""
    with visitor(browser) as somebody:
        yield somebody.new_page()
