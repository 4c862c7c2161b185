"""What axe-core finds on a page, in the widths and colours that people have."""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e.camera import NARROW, WIDE, Camera

_AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RUN = "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map("
_RUN += "(one) => one.id + ': ' + one.nodes.map((node) => node.target.join(' ')).join(', ')))"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@cache
def _source() -> str:
    return _AXE.read_text("utf-8")


def violations(page: Page) -> list[str]:
    """Rule and elements of every violation, as the page is now."""
    if not page.evaluate("'axe' in window"):
        # The number keeps the answer small; a script element would be refused by the page's policy.
        page.evaluate(_source() + ";0")
    return [str(one) for one in page.evaluate(_RUN)]


def inspect(page: Page, camera: Camera, name: str) -> None:
    """Wide and light, then 320 px and dark: no violation, nothing to scroll sideways; a picture of each."""
    page.set_viewport_size(WIDE)
    found = violations(page)
    camera.take(page, name)
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="dark")
    found += violations(page)
    camera.take(page, f"{name}-320-dark")
    overflow = page.evaluate(_OVERFLOW)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    assert found == [], f"{name}: {found}"
    assert overflow <= 0, f"{name} is {overflow} px too wide for a phone"
