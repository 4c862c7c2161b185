"""Somebody at the doors with a browser of their own, in which nothing may go wrong unnoticed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.e2e.camera import WIDE

DEVICES = ["camera", "microphone"]


@contextmanager
def visitor(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Somebody's browser; script errors and refusals of the page's policy are failures."""
    complaints: list[str] = []
    usual = {"viewport": WIDE, "permissions": DEVICES, "locale": "en-US", "reduced_motion": "reduce"}
    chosen = {**usual, **options}
    somebody = browser.new_context(**chosen)
    somebody.set_default_timeout(10_000)
    somebody.on("weberror", lambda one: complaints.append(str(one.error)))
    somebody.on(
        "console",
        lambda one: complaints.append(one.text) if "Content Security Policy" in one.text else None,
    )
    try:
        yield somebody
    finally:
        somebody.close()
    assert complaints == []
