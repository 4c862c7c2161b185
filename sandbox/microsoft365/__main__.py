"""``python -m sandbox.microsoft365``: the simulated Microsoft 365, until SIGTERM or Ctrl-C."""

import os
import sys

from sandbox.addresses import Addresses
from sandbox.keys import ensure_keys, graph_client_certificate
from sandbox.microsoft365.app import create_app
from sandbox.microsoft365.world import World, utc_now
from sandbox.simulator import run_until_told, sandbox_authority, state_folder, trusting_session


def main() -> int:
    """Serve Entra, Graph and Teams on the sandbox's addresses."""
    addresses = Addresses.from_environ(os.environ)
    state = state_folder()
    authority = sandbox_authority()
    ensure_keys(state / "secrets")
    world = World(
        addresses,
        utc_now,
        graph_client_certificate(state / "secrets"),
        state_dir=state / "m365",
        outbound=trusting_session(authority),
    )
    run_until_told(create_app(world), addresses.m365_http, addresses.m365_tls, authority)
    world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
