"""What is made while a process starts is no garbage; afterwards everything is as before."""

import gc
from collections.abc import Iterator

import pytest

from shared.starting import uncollected


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_a_start_should_collect_nothing_and_keep_what_it_made() -> None:
    gc.unfreeze()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_start_that_failed_should_keep_nothing() -> None:
    gc.unfreeze()
    with pytest.raises(LookupError), uncollected():
        raise LookupError
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_what_was_switched_off_before_should_stay_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
