"""Builds the real thing once per process: the only place where concrete classes meet.

Doors take a ``Services`` and use what they need of it. Tests build one from settings of their own, and
replace single members with ``dataclasses.replace``.
"""

import logging
import os
import threading
from dataclasses import dataclass

from shared import telemetry
from shared.clock import Clock, Entropy, SystemClock, SystemEntropy
from shared.connection import Region
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
from shared.key_lists import SymmetricKeys
from shared.key_review import KeyReview, KeysError, symmetric_findings
from shared.keys import GraphCertificates, SigningKeys
from shared.launch import SmartFlow
from shared.log_fields import show_fields
from shared.meeting import Rooms
from shared.oidc import KeySets
from shared.outbound import Outbound
from shared.pages import Pages
from shared.redaction import guard
from shared.reread import UNUSABLE
from shared.sealing import Pseudonyms, Sealer
from shared.secrets import SecretMissing, Secrets, secrets_of
from shared.settings import Settings
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
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    secrets = secrets_of(settings, clock)
    review = KeyReview(secrets, clock, settings.tenants, sandbox=settings.sandbox)
    sealing, visits = (SymmetricKeys(secrets, name, clock) for name in ("sealing-keys", "visit-keys"))
    _need_sound(review, sealing, visits, sandbox=settings.sandbox)
    sealer, pseudonyms = Sealer(sealing, clock), Pseudonyms(visits)
    contexts = ContextSeal(sealer)
    keys = SigningKeys(secrets, clock, settings.tenants)
    certificates = GraphCertificates(secrets, clock)
    outbound = Outbound.from_settings(settings, clock)
    keysets = KeySets(outbound, clock)
    stores, pages = Stores(settings, clock), Pages()
    discovery = Discovery(outbound, clock, settings.private_hosts)
    tokens = Tokens(outbound, keys, secrets, clock, entropy)
    id_tokens = IdTokens(keysets, outbound, clock)
    entra = Entra(settings, outbound, keysets, secrets)
    graph = Graph(settings, outbound, entra, entropy)
    meetings, subscriptions = OnlineMeetings(graph, settings), Subscriptions(graph, certificates, settings)
    return Services(
        settings=settings,
        clock=clock,
        entropy=entropy,
        secrets=secrets,
        sealer=sealer,
        pseudonyms=pseudonyms,
        contexts=contexts,
        keys=keys,
        certificates=certificates,
        key_review=review,
        outbound=outbound,
        keysets=keysets,
        stores=stores,
        pages=pages,
        discovery=discovery,
        tokens=tokens,
        id_tokens=id_tokens,
        flow=SmartFlow(
            sealer=sealer,
            stores=stores,
            discovery=discovery,
            tokens=tokens,
            id_tokens=id_tokens,
            pages=pages,
            clock=clock,
            entropy=entropy,
            tenants=settings.tenants,
        ),
        entra=entra,
        graph=graph,
        meetings=meetings,
        subscriptions=subscriptions,
        notifications=Notifications(settings, keysets, certificates, clock),
        people=People(graph),
        licences=Licences(graph),
        reports=Reports(graph),
        rooms=Rooms(
            stores,
            meetings,
            subscriptions,
            contexts,
            sealer,
            pseudonyms,
            clock,
            entropy,
            budget=settings.subscription_seconds,
        ),
    )


def _need_sound(review: KeyReview, sealing: SymmetricKeys, visits: SymmetricKeys, *, sandbox: bool) -> None:
    """Nothing is sealed with a key that somebody could guess, not even by the first request."""
    try:
        rows = [(ring.name, ring.rows()) for ring in (sealing, visits)]
        sound = sandbox or not any(
            any(symmetric_findings(name, keys)) or any(key.of_sandbox for key in keys) for name, keys in rows
        )
    except (SecretMissing, *UNUSABLE):
        sound = False
    if not sound:
        raise KeysError([finding for finding in review.findings() if finding.stops])


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
            made = build(settings)
            if not settings.sandbox:
                _gates.append(KeyGate(made.key_review.findings, made.clock))
            _built.append(made)
    for gate in _gates:
        gate.need_passed()
    return _built[0]


def enabled_regions() -> tuple[Region, ...]:
    """The regions whose queues this app reads, for registering the triggers."""
    return Settings.from_environ(os.environ).regions
