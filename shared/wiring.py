"""The real thing, once per process.

Doors take a ``Services`` and use what they need of it. Tests build one from settings of their own, and
replace single members with ``dataclasses.replace``.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import telemetry
from shared.clock import Clock, Entropy, SystemClock, SystemEntropy
from shared.connection import Region
from shared.log_fields import show_fields
from shared.redaction import guard
from shared.settings import Settings
from shared.starting import uncollected

if TYPE_CHECKING:
    from shared.context import ContextSeal
    from shared.entra import Entra
    from shared.graph.licences import Licences
    from shared.graph.meetings import OnlineMeetings
    from shared.graph.notifications import Notifications
    from shared.graph.people import People
    from shared.graph.reports import Reports
    from shared.graph.service import Graph
    from shared.graph.subscriptions import Subscriptions
    from shared.key_gate import KeyGate
    from shared.key_review import KeyReview
    from shared.keys import GraphCertificates, SigningKeys
    from shared.launch import SmartFlow
    from shared.meeting import Rooms
    from shared.oidc import KeySets
    from shared.outbound import Outbound
    from shared.pages import Pages
    from shared.sealing import Pseudonyms, Sealer
    from shared.secrets import Secrets
    from shared.smart.discovery import Discovery
    from shared.smart.id_token import IdTokens
    from shared.smart.token import Tokens
    from shared.store import Stores


@dataclass(frozen=True)
class Services:
    """One of each: everything that outlives a request."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    secrets: Secrets
    sealer: Sealer
    pseudonyms: Pseudonyms
    contexts: ContextSeal
    keys: SigningKeys
    certificates: GraphCertificates
    key_review: KeyReview
    outbound: Outbound
    keysets: KeySets
    stores: Stores
    pages: Pages
    discovery: Discovery
    tokens: Tokens
    id_tokens: IdTokens
    flow: SmartFlow
    entra: Entra
    graph: Graph
    meetings: OnlineMeetings
    subscriptions: Subscriptions
    notifications: Notifications
    people: People
    licences: Licences
    reports: Reports
    rooms: Rooms


def build(settings: Settings, clock: Clock | None = None, entropy: Entropy | None = None) -> Services:
    """Wires everything from settings. Reads the sealing and visit keys, and calls out to nothing else.

    KeysError with every fault of every key where production has others than good sealing and visit keys.
    """
    from shared.building import built

    return built(settings, clock or SystemClock(), entropy or SystemEntropy())


_lock = threading.Lock()
_built: list[Services] = []
_gates: list[KeyGate] = []


def services() -> Services:
    """The process's services, built at the first call.

    SettingsError or KeysError with every fault if it may not start.
    """
    with _lock:
        if not _built:
            settings = Settings.from_environ(os.environ)
            guard(logging.getLogger())
            if not settings.sandbox:
                show_fields(logging.getLogger())
            telemetry.soon(settings)
            with uncollected():
                made = build(settings)
            if not settings.sandbox:
                from shared.key_gate import KeyGate

                _gates.append(KeyGate(made.key_review.findings, made.clock))
            _built.append(made)
    for gate in _gates:
        gate.need_passed()
    return _built[0]


def enabled_regions() -> tuple[Region, ...]:
    """The regions whose queues this app reads, for registering the triggers."""
    return Settings.from_environ(os.environ).regions
