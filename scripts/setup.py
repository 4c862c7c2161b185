"""Install everything that Antesala needs into this checkout; a second run finds it done and returns at once.

Runs on any Python from 3.9 with nothing but the standard library. What it makes:

* ``.venv``          Python 3.13 with the pinned packages of requirements-dev.txt, hashes checked
* ``node_modules``   the storage emulator and the accessibility checker
* ``.setup``         stamps of what is installed, the place of a browser, and `uv` if it was needed

Usage: setup.py [python] [node] [browser]   (default: all three)
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STATE = ROOT / ".setup"
WANTED = (3, 13)
NODE_AT_LEAST = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class SetupError(Exception):
    """Something is missing that this script cannot install; the message says what to do."""


def main(parts):
    started = time.monotonic()
    steps = {"python": set_up_python, "node": set_up_node, "browser": set_up_browser}
    unknown = [part for part in parts if part not in steps]
    if unknown:
        print(f"setup: no such part: {', '.join(unknown)}", file=sys.stderr)
        return 2
    STATE.mkdir(exist_ok=True)
    try:
        done = [name for name in (parts or steps) if steps[name]()]
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if done:
        print(f"Set up {', '.join(done)} in {time.monotonic() - started:.0f} seconds", flush=True)
    return 0


# Python


def set_up_python():
    """Make .venv and install the pinned packages; True if anything was done."""
    lock = ROOT / "requirements-dev.txt"
    stamp = Stamp("python", lock.read_bytes())
    python = VENV / "bin" / "python"
    if stamp.holds() and version_of(python) == WANTED:
        return False
    if version_of(python) != WANTED:
        make_venv()
    say("Installing the Python packages")
    run(
        [
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--requirement", str(lock)),
        ]
    )
    stamp.write()
    return True


def make_venv():
    """Make .venv with Python 3.13, wherever one can be found."""
    if VENV.exists():
        shutil.rmtree(VENV)
    for python in candidates():
        if version_of(python) == WANTED and venv_works(python):
            return
    say("No Python 3.13 here; fetching one with uv")
    uv = install_uv()
    run([str(uv), "python", "install", "3.13"], failure=MISSING_PYTHON)
    found = quiet([str(uv), "python", "find", "3.13"])
    if not found or not venv_works(Path(found)):
        raise SetupError(MISSING_PYTHON)


MISSING_PYTHON = (
    "Python 3.13 was not found on the PATH or under pyenv, and uv could not fetch one. "
    "Install it (for example `pyenv install 3.13`) and run this again."
)


def candidates():
    """Every place where a Python 3.13 may be, best first."""
    found = shutil.which("python3.13")
    if found:
        yield Path(found)
    yield from pyenv_pythons()
    yield Path(sys.executable)
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def pyenv_pythons():
    """The 3.13 interpreters of pyenv, newest first; its `python3.13` on the PATH may be a shim that fails."""
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    for root in dict.fromkeys(filter(None, roots)):
        versions = Path(root) / "versions"
        for folder in sorted(versions.glob("3.13*"), key=lambda path: numbers(path.name), reverse=True):
            yield folder / "bin" / "python"


def venv_works(python):
    """Try to make .venv with `python`; Debian's own Python may lack the venv module."""
    made = quiet([str(python), "-m", "venv", str(VENV)])
    if made is None or not (VENV / "bin" / "pip").exists():
        shutil.rmtree(VENV, ignore_errors=True)
        return False
    return True


def install_uv():
    """Path of a `uv`: the one on the PATH, else one installed for this checkout alone."""
    found = shutil.which("uv")
    if found:
        return Path(found)
    target = STATE / "uv"
    uv = target / "bin" / "uv"
    if not uv.exists():
        if quiet([sys.executable, "-m", "pip", "--version"]) is None:
            apt_install("python3-pip")
        # --target needs no venv module, which a fresh Debian does not have.
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*install, "--target", str(target), "uv"], failure=MISSING_PYTHON)
    return uv


# Node


def set_up_node():
    """Install the npm packages; True if anything was done."""
    stamp = Stamp("node", (ROOT / "package.json").read_bytes())
    if stamp.holds() and (ROOT / "node_modules").is_dir():
        return False
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise SetupError(
            "Node.js 20 with npm is needed for the storage emulator; install it and run this again"
        )
    version = numbers((quiet([node, "--version"]) or "v0").lstrip("v"))
    if version[0] < NODE_AT_LEAST:
        raise SetupError(f"Node.js {NODE_AT_LEAST} or newer is needed, and {node} is {version[0]}")
    say("Installing the npm packages")
    run(
        [
            npm,
            "install",
            "--no-package-lock",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]
    )
    stamp.write()
    return True


# Browser


def set_up_browser():
    """Find or install a Chromium for the browser tests, write its place down; True if one was installed."""
    place = STATE / "browser"
    if place.exists() and really_starts(place.read_text().strip()):
        return False
    known = [os.environ.get("ANTESALA_TEST_BROWSER"), *map(shutil.which, BROWSERS), playwright_browser()]
    for browser in filter(None, known):
        if really_starts(browser):
            place.write_text(browser + "\n")
            return False
    browser = install_browser()
    place.write_text(browser + "\n")
    return True


def install_browser():
    """Install Debian's Chromium when root may, else Playwright's own."""
    say("Installing Chromium")
    apt_install("chromium")
    browser = shutil.which("chromium")
    if browser and really_starts(browser):
        return browser
    say("Fetching Playwright's Chromium")
    quiet([str(VENV / "bin" / "playwright"), "install", "chromium"])
    browser = playwright_browser()
    if browser and really_starts(browser):
        return browser
    raise SetupError(
        "no Chromium for the browser tests: install one (`apt-get install chromium`, or "
        "`.venv/bin/playwright install --with-deps chromium`) or name it in ANTESALA_TEST_BROWSER"
    )


def playwright_browser():
    """Where Playwright keeps its own Chromium, if it is there."""
    code = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as browsers: print(browsers.chromium.executable_path)"
    )
    found = quiet([str(VENV / "bin" / "python"), "-c", code])
    return found if found and Path(found).exists() else None


def really_starts(browser):
    """Whether this browser runs here, with every library that it needs."""
    return bool(Path(browser).exists() and quiet([browser, "--version"]))


# Shared


class Stamp:
    """Remembers what a step installed, so that it runs again only when that changed."""

    def __init__(self, name, content):
        self._path = STATE / f"{name}.stamp"
        self._digest = hashlib.sha256(content).hexdigest()

    def holds(self):
        return self._path.exists() and self._path.read_text() == self._digest

    def write(self):
        self._path.write_text(self._digest)


def version_of(python):
    """(major, minor) of an interpreter that really runs, else None: a pyenv shim may exist and only fail."""
    answer = quiet([str(python), "-c", "import sys; print(*sys.version_info[:2])"])
    return numbers(answer.replace(" ", ".")) if answer else None


def numbers(text):
    """(3, 13, 0) of "3.13.0"; parts that are not numbers end it."""
    found = []
    for part in text.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found) or (0,)


def apt_install(package):
    """Install a Debian package where that is possible: with apt, as root."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        silent = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quiet(["apt-get", "update", "-qq"])
        quiet(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], env=silent)


def say(text):
    print(f"{text} ...", flush=True)


def quiet(command, env=None):
    """Output of a command, or None if it fails or is not there."""
    try:
        ended = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            cwd=str(ROOT),
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return ended.stdout.decode().strip()


def run(command, failure=None):
    """Run a command and let it speak; SetupError if it fails."""
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, cwd=str(ROOT))
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(failure or f"this command failed: {' '.join(command)}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
