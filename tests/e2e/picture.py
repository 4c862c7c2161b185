"""The README's picture, from three screenshots of the browser test: ``python -m tests.e2e.picture``.

The folder is `screenshots/` or what ANTESALA_SCREENSHOTS names; the result is `docs/images/sandbox.png`.
"""

import base64
import os
import sys
from html import escape
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.e2e.chromium import launch

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 400 * 1024
SIZE = ViewportSize(width=1600, height=900)
WINDOWS = (
    ("epic-hospital-connected", "schedule", "The clinician's schedule: who is connected, live"),
    ("epic-teams-clinician-lobby", "teams", "Teams: the patient waits in the lobby"),
    ("epic-hospital-portal", "portal", "The patient's portal"),
)
_STYLE = """
* { box-sizing: border-box; margin: 0; }
body { width: 1600px; height: 900px; overflow: hidden; background: #dfe7f0; position: relative;
  font: 600 16px/1.3 "Segoe UI", "DejaVu Sans", system-ui, sans-serif; color: #1d2b3a; }
figure { position: absolute; background: #fff; border-radius: 10px; overflow: hidden;
  box-shadow: 0 1px 2px #1d2b3a33, 0 14px 40px #1d2b3a3d; }
figcaption { height: 40px; padding: 10px 16px; background: #fff; border-bottom: 1px solid #cfd8e3; }
figure div { overflow: hidden; }
img { display: block; width: 100%; }
.schedule { left: 40px; top: 36px; width: 1010px; height: 560px; }
.teams { left: 780px; top: 300px; width: 780px; height: 528px; }
.portal { left: 96px; top: 470px; width: 640px; height: 392px; }
"""


def page(folder: Path) -> str:
    """Three windows, overlapping, as one HTML document without outside references."""
    figures = "".join(
        f'<figure class="{place}"><figcaption>{escape(caption)}</figcaption>'
        f'<div><img alt="" src="data:image/png;base64,{_encoded(folder / f"{name}.png")}"></div></figure>'
        for name, place, caption in WINDOWS
    )
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><style>{_STYLE}</style>{figures}'


def compose(shown: Page, folder: Path, target: Path) -> int:
    """Writes the picture and returns its size in bytes."""
    shown.set_content(page(folder), wait_until="load")
    target.parent.mkdir(parents=True, exist_ok=True)
    return len(shown.screenshot(path=target))


def main() -> int:
    """1 if a screenshot is missing or the picture came out larger than a README should carry."""
    folder = Path(os.environ.get("ANTESALA_SCREENSHOTS") or ROOT / "screenshots")
    missing = [name for name, _, _ in WINDOWS if not (folder / f"{name}.png").is_file()]
    if missing:
        print(f"{folder} lacks {', '.join(missing)}: run the browser test first", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = launch(playwright)
        size = compose(browser.new_page(viewport=SIZE), folder, ROOT / "docs" / "images" / "sandbox.png")
        browser.close()
    print(f"docs/images/sandbox.png: {size // 1024} KB")
    return 0 if size <= MOST_BYTES else 1


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode("ascii")


if __name__ == "__main__":
    sys.exit(main())
