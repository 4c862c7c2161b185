"""`make visit`: plays one visit for each hospital without a browser window and prints a timeline.

Uses the sandbox that runs; if none does, starts it and ends it again.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import requests

from sandbox.addresses import Addresses
from sandbox.authority import ensure_authority
from sandbox.journey import HOSPITALS, HospitalName, play
from sandbox.run import ROOT, Sandbox, SandboxError
from sandbox.simulator import state_folder
from sandbox.timeline import Step, VisitFailed


def main(arguments: list[str]) -> int:
    """0 if every visit worked; 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.visit", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that holds function_app.py")
    given = parser.parse_args(arguments)
    # Without this, SIGTERM would leave the processes that were started behind.
    signal.signal(signal.SIGTERM, _end)
    try:
        addresses = Addresses.from_environ(os.environ)
        with running(addresses, state_folder(), given.root):
            bundle = str(ensure_authority(state_folder()).bundle)
            reasons = {hospital: visit(hospital, addresses, bundle) for hospital in HOSPITALS}
    except (SandboxError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    for hospital, reason in reasons.items():
        print(f"visit {hospital}: {f'failed: {reason}' if reason else 'ok'}")
    return 1 if any(reasons.values()) else 0


def visit(hospital: HospitalName, addresses: Addresses, bundle: str) -> str:
    """Plays one visit, printing its steps; the reason why it failed, empty if it did not."""
    print(f"{hospital:<26}{'':<46}HTTP      ms", flush=True)
    try:
        play(hospital, addresses, bundle, tell)
    except VisitFailed as failed:
        return str(failed)
    finally:
        print(flush=True)
    return ""


def tell(step: Step) -> None:
    """Prints one line."""
    print(f"  {step.who:<24}{step.what:<46}{step.status:>4}{step.milliseconds:>8.0f}", flush=True)


@contextmanager
def running(addresses: Addresses, state: Path, root: Path = ROOT) -> Iterator[None]:
    """The sandbox at these addresses: the one that runs, or one started for as long as this lasts."""
    if healthy(addresses):
        print(f"Using the sandbox at {addresses.app_url}\n", flush=True)
        yield
        return
    print("Starting the sandbox ...\n", flush=True)
    with Sandbox(addresses, state, root=root):
        yield


def healthy(addresses: Addresses) -> bool:
    """Whether the function app answers at its port."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"{addresses.app_url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
