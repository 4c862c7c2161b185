"""``python -m bench [SECTION ...]``: measures, prints a table a section, and writes the same as JSON.

Loopback only, free ports, every process ended by its id. All of it takes less than ten minutes on two cores.
"""

import argparse
import gc
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench import cold, growth, launches, smart, writeback
from bench.compare import changes, read
from bench.figures import Figure, table, written
from bench.peers.install import PeersMissing

OUTPUT = Path(__file__).resolve().parent / "results.json"
SECTIONS: Mapping[str, tuple[str, Callable[[], Iterator[Figure]]]] = {
    "smart": ("SMART legs beside fhirclient for Python and Node", smart.measure),
    "launch": ("Whole launches over services as slow as real ones", launches.measure),
    "cold": ("Cold start", cold.measure),
    "writeback": ("Write-back", writeback.measure),
    "growth": ("Growth", growth.measure),
}


def main(arguments: list[str]) -> int:
    """0 if everything could be measured, whatever the figures are; 1 if a section failed."""
    signal.signal(signal.SIGTERM, _end)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the JSON file")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an older run, to see what changed")
    given = parser.parse_args(arguments)
    # Before it is written over, for it may be the same file.
    older = read(given.compare) if given.compare else None
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    failed = 0
    for name in given.sections or SECTIONS:
        failed += _measured(name, figures)
    given.output.write_text(written(machine(), datetime.now(UTC).date().isoformat(), figures), "utf-8")
    print(f"Written to {given.output}")
    if older is not None:
        print("\n".join(changes(older, figures)))
    return 1 if failed else 0


def _measured(name: str, figures: list[Figure]) -> int:
    title, measure = SECTIONS[name]
    print(f"\n{title}", flush=True)
    # What another section left behind shall not be looked through in this one.
    gc.collect()
    gc.freeze()
    begun, found = time.monotonic(), list[Figure]()
    try:
        found.extend(measure())
    except PeersMissing as missing:
        print(f"  not measured, the peers cannot be installed here: {missing}")
        return 1
    except Exception:  # noqa: BLE001 - the other sections are worth having
        traceback.print_exc()
        return 1
    figures += found
    print("\n".join(table(found)))
    print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
    return 0


def machine() -> str:
    """What it was measured on, without its name."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line), "")
    cores = len(os.sched_getaffinity(0))
    language = f"Python {platform.python_version()}"
    return f"{model or platform.machine()}, {cores} cores, {platform.system()}, {language}"


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
