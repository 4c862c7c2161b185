"""``python -m sandbox.ehr epic|fhir|oracle``: one simulated hospital, until SIGTERM or Ctrl-C."""

import os
import sys
import time

from sandbox.addresses import Addresses
from sandbox.ehr.app import create_app
from sandbox.ehr.hospital import EPIC, FHIR, ORACLE
from sandbox.ehr.world import World
from sandbox.simulator import run_until_told, sandbox_authority, state_folder, trusting_session


def main(arguments: list[str]) -> int:
    """Serve the hospital of the given kind; 2 if there is no such kind."""
    addresses = Addresses.from_environ(os.environ)
    kinds = {
        "epic": (EPIC, addresses.epic_http, addresses.epic_tls),
        "fhir": (FHIR, addresses.fhir_http, addresses.fhir_tls),
        "oracle": (ORACLE, addresses.oracle_http, addresses.oracle_tls),
    }
    if len(arguments) != 1 or arguments[0] not in kinds:
        sys.stderr.write(f"usage: python -m sandbox.ehr {'|'.join(kinds)}\n")
        return 2
    kind = arguments[0]
    profile, http_port, tls_port = kinds[kind]
    authority = sandbox_authority()
    world = World(
        profile(addresses),
        time.time,
        lambda: trusting_session(authority),
        state_dir=state_folder() / kind,
    )
    run_until_told(create_app(world), http_port, tls_port, authority)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
