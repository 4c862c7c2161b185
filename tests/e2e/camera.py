"""Screenshots of a page: as it is, and for main pages also dark and 320 px wide."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

WIDE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=320, height=640)
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Camera:
    """Keeps PNG files in `folder`."""

    folder: Path

    def take(self, page: Page, name: str) -> None:
        """One picture of the whole page, as it is now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=self.folder / f"{name}.png", full_page=True, animations="disabled")

    def take_all(self, page: Page, name: str) -> None:
        """Wide, dark and narrow; refuses a page that must be scrolled sideways on a phone."""
        self.take(page, name)
        page.emulate_media(color_scheme="dark")
        self.take(page, f"{name}-dark")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(NARROW)
        self.take(page, f"{name}-320")
        overflow = page.evaluate(_OVERFLOW)
        page.set_viewport_size(WIDE)
        assert overflow <= 0, f"{name} is {overflow} px too wide for a phone"
