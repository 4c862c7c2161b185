"""The whole sandbox and a real browser, each started once for all end-to-end tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.addresses import Addresses
from sandbox.run import ROOT, Sandbox
from tests.e2e.camera import Camera


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Storage, hospitals, Microsoft 365 and the function app on ports of their own, with empty storage."""
    with Sandbox(Addresses.free(), tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def camera() -> Camera:
    """Takes screenshots into `screenshots/` or the folder that ANTESALA_SCREENSHOTS names."""
    return Camera(Path(os.environ.get("ANTESALA_SCREENSHOTS") or ROOT / "screenshots"))
