"""``python -m sandbox.chaos.simulators NAME ARGUMENTS``: one simulator of the run, until SIGTERM.

As in the sandbox, but with a whole day's visits, with chance from the seed, with nothing kept on disk, and
with `GET /sandbox/chaos`, which tells what the comparison needs.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Flask, jsonify

from sandbox.addresses import Addresses
from sandbox.authority import Authority
from sandbox.chaos.hospitals import SCENES, dealt
from sandbox.chaos.plan import HURRY
from sandbox.chaos.script import plots
from sandbox.ehr.app import create_app as hospital_app
from sandbox.ehr.world import World as HospitalWorld
from sandbox.keys import graph_client_certificate
from sandbox.microsoft365.app import create_app as microsoft_app
from sandbox.microsoft365.world import World as MicrosoftWorld
from sandbox.microsoft365.world import utc_now
from sandbox.simulator import run_until_told, sandbox_authority, state_folder, trusting_session

MICROSOFT = "m365"
_SENDERS = 6


def main(arguments: list[str]) -> int:
    """Serve the hospital of this name, or Microsoft 365."""
    import os

    parser = argparse.ArgumentParser(prog="python -m sandbox.chaos.simulators", description=__doc__)
    parser.add_argument("name", choices=[MICROSOFT, *SCENES])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--visits", type=int, required=True)
    given = parser.parse_args(arguments)
    addresses, authority = Addresses.from_environ(os.environ), sandbox_authority()
    chance = random.Random(f"{given.seed} {given.name}")  # noqa: S311 (nothing here is a secret)
    if given.name == MICROSOFT:
        _microsoft(addresses, authority, chance)
    else:
        _hospital(given.name, addresses, authority, chance, (given.seed, given.visits))
    return 0


def _microsoft(addresses: Addresses, authority: Authority, chance: random.Random) -> None:
    world = MicrosoftWorld(
        addresses,
        utc_now,
        graph_client_certificate(state_folder() / "secrets"),
        outbound=trusting_session(authority),
        rng=chance,
        first_pause=1.0 / HURRY,
        longest_pause=60.0 / HURRY,
        threads=_SENDERS,
    )
    app = _telling(microsoft_app(world), lambda: _handovers(world))
    app.add_url_rule("/sandbox/undelivered", "undelivered", lambda: str(world.publisher.dispatcher.pending()))
    run_until_told(app, addresses.m365_http, addresses.m365_tls, authority)
    world.close()


def _hospital(
    name: str, addresses: Addresses, authority: Authority, chance: random.Random, script: tuple[int, int]
) -> None:
    # Who is in which visit does not depend on times.
    mine = dealt(plots(*script, 1.0, 1.0))[name]
    world = HospitalWorld(
        SCENES[name].hospital(addresses, mine), time.time, lambda: trusting_session(authority), rng=chance
    )
    ports: dict[str, int] = {place: getattr(addresses, f"{name}_{place}") for place in ("http", "tls")}
    run_until_told(
        _telling(hospital_app(world), lambda: _record(world)), ports["http"], ports["tls"], authority
    )


def _telling(app: Flask, tell: Callable[[], dict[str, Any]]) -> Flask:
    app.add_url_rule("/sandbox/chaos", "chaos", lambda: jsonify(tell()))
    return app


def _handovers(world: MicrosoftWorld) -> dict[str, Any]:
    return {
        "handovers": [
            {
                "subscription": one.subscription,
                "kind": one.kind,
                "at": one.at.timestamp(),
                "wanted": one.wanted,
                "refused": one.refused,
                "taken": [moment.timestamp() for moment in one.taken],
            }
            for one in list(world.publisher.handovers.values())
        ]
    }


def _record(world: HospitalWorld) -> dict[str, Any]:
    """Every transition in the order of telling; the AuditEvents' by their operation, with their versions."""
    return {
        "connections": [asdict(one) for one in world.record.connections()],
        "audit_events": [
            {"id": one["id"], "version": (world.record.audit_event(one["id"]) or (None, 0))[1], "event": one}
            for one in world.record.audit_events()
        ],
        "troubles": dict(world.troubles),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
