"""Running one simulator as a process of its own: the same app on a browser port and on a TLS port."""

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from sandbox.authority import Authority, ensure_authority
from sandbox.serving import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def state_folder() -> Path:
    """Where the sandbox keeps its state: SANDBOX_STATE, else .sandbox beside the code."""
    return Path(os.environ.get("SANDBOX_STATE") or Path(__file__).resolve().parent.parent / ".sandbox")


def trusting_session(authority: Authority) -> requests.Session:
    """A session that trusts the sandbox's authority and nothing that the environment says."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(authority.bundle)
    return session


def sandbox_authority() -> Authority:
    """The authority of this sandbox."""
    return ensure_authority(state_folder())


def run_until_told(app: "WSGIApplication", http_port: int, tls_port: int, authority: Authority) -> None:
    """Serve `app` on both ports until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    servers = [serve(app, http_port), serve(app, tls_port, authority.server_context())]
    stop.wait()
    for server in servers:
        server.close()
