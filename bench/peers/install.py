"""Installs the peers into ``.setup/bench`` (or BENCH_PEERS), once for each state of their pins."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PYTHON, NODE = "requirements.txt", "package.json"


class PeersMissing(Exception):
    """The peers cannot be installed here; the message says why."""


def folder() -> Path:
    """Where they lie: ``python`` for PYTHONPATH, ``node_modules`` for NODE_PATH."""
    return Path(os.environ.get("BENCH_PEERS") or HERE.parent / ".setup" / "bench")


def install() -> Path:
    """The folder, with both peers in it; PeersMissing where the registries or npm cannot be reached."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    pins = b"".join((HERE / name).read_bytes() for name in (PYTHON, NODE))
    stamp, digest = place / "stamp", hashlib.sha256(pins).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return place
    shutil.copy(HERE / NODE, place / NODE)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    _run([*pip, "--target", str(place / "python"), "--requirement", str(HERE / PYTHON)], place)
    quiet = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run(["npm", "install", *quiet], place)
    stamp.write_text(digest)
    return place


def _run(command: list[str], place: Path) -> None:
    try:
        subprocess.run(command, cwd=place, check=True, stdin=subprocess.DEVNULL, timeout=240)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeersMissing(f"{command[0]}: {type(error).__name__}") from error
