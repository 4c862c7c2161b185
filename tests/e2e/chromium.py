"""The browser of the tests: which Chromium, and with what it is started."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Playwright

_CHOSEN = Path(__file__).resolve().parents[2] / ".setup" / "browser"
MADE_UP_DEVICES = "--use-fake-device-for-media-stream"
MADE_UP_CONSENT = "--use-fake-ui-for-media-stream"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    MADE_UP_DEVICES,
    MADE_UP_CONSENT,
)


def executable() -> str | None:
    """The browser that set-up chose, else one on the PATH, else None for Playwright's own."""
    lines = _CHOSEN.read_text("utf-8").splitlines() if _CHOSEN.is_file() else []
    if lines and Path(lines[0].strip()).is_file():
        return lines[0].strip()
    return shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    """Chromium without a screen, quiet on the network, with a camera and a microphone that are made up."""
    return start(playwright.chromium)


def start(kind: BrowserType, *without: str) -> Browser:
    """The same, with some of its arguments left out."""
    arguments = [one for one in _ARGUMENTS if one not in without]
    return kind.launch(executable_path=executable(), args=arguments)
