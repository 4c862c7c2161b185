"""Everything that is logged while a test runs, as a host would write it down."""

import logging
from collections.abc import Iterator

import pytest

from sandbox.host.journal import JsonLines
from shared.redaction import TALKATIVE, guard
from tests.config.conftest import house
from tests.launch.conftest import World, own_keys
from tests.telemetry.capture import Captured
from tests.writeback.conftest import light, office

__all__ = ["house", "light", "office"]


@pytest.fixture
def captured() -> Iterator[Captured]:
    """All loggers at level DEBUG, those of the libraries included, through a handler that redacts."""
    handler, root = Captured(), logging.getLogger()
    handler.setFormatter(JsonLines())
    loggers = [root, *(logging.getLogger(name) for name in TALKATIVE)]
    before = [one.level for one in loggers]
    others = root.handlers
    root.handlers = [handler]
    guard(root)
    for one in loggers:
        one.setLevel(logging.DEBUG)
    yield handler
    root.handlers = others
    for one, level in zip(loggers, before, strict=True):
        one.setLevel(level)


@pytest.fixture
def world() -> World:
    return World(keys=own_keys())
