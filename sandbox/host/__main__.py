"""``python -m sandbox.host``: serve a function app until SIGTERM or Ctrl-C."""

import argparse
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

from sandbox.addresses import Addresses
from sandbox.host.host import Host, HostOptions
from sandbox.host.landing import landing_page
from sandbox.host.queues import INVISIBILITY
from sandbox.host.worker import HostStartError
from sandbox.serving import tls_context


def main(arguments: list[str]) -> int:
    """Run the host; 0 after an orderly end, 1 with a message if the app cannot be served."""
    given = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        host = Host(given.root, _options(given))
    except (HostStartError, OSError, ValueError) as error:
        sys.stderr.write(f"The function app cannot be served: {error}\n")
        return 1
    with host:
        sys.stdout.write(f"Host ready: {len(host.functions)} functions on http port {host.http_port}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


def _options(given: argparse.Namespace) -> HostOptions:
    import os

    return HostOptions(
        http_port=given.http_port,
        tls_port=given.tls_port,
        tls=tls_context(str(given.cert)) if given.cert else None,
        journal=given.journal,
        echo=True,
        pages=landing_page(Addresses.from_environ(os.environ)),
        invisibility=timedelta(seconds=given.invisibility),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.host", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="folder that holds function_app.py")
    parser.add_argument("--http-port", type=int, default=7071, help="port for browsers (0: any)")
    parser.add_argument("--tls-port", type=int, default=7443, help="port for servers (0: any)")
    parser.add_argument(
        "--cert", type=Path, help="PEM file with key and chain; without it there is no TLS port"
    )
    parser.add_argument(
        "--invisibility",
        type=_seconds,
        default=INVISIBILITY.total_seconds(),
        help="seconds for which a received message is hidden (default: the real host's ten minutes)",
    )
    parser.add_argument("--journal", type=Path, help="file that gets the log as JSON lines")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    # The queue service hides for whole seconds, and the host renews at half time.
    if not 2 <= seconds <= INVISIBILITY.total_seconds():
        raise argparse.ArgumentTypeError("must be a number of seconds from 2 to 600")
    return seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
