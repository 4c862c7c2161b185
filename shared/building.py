"""Puts together what ``shared.wiring`` promises: the only place where concrete classes meet.

A module of its own, since all the libraries and most of our own modules come with it: ``shared.wiring``,
which every trigger imports, stays small without them.
"""

from shared.clock import Clock, Entropy
from shared.context import ContextSeal
from shared.entra import Entra
from shared.graph.licences import Licences
from shared.graph.meetings import OnlineMeetings
from shared.graph.notifications import Notifications
from shared.graph.people import People
from shared.graph.reports import Reports
from shared.graph.service import Graph
from shared.graph.subscriptions import Subscriptions
from shared.key_lists import SymmetricKeys
from shared.key_review import KeyReview, KeysError, symmetric_findings
from shared.keys import GraphCertificates, SigningKeys
from shared.launch import SmartFlow
from shared.meeting import Rooms
from shared.oidc import KeySets
from shared.outbound import Outbound
from shared.pages import Pages
from shared.reread import UNUSABLE
from shared.sealing import Pseudonyms, Sealer
from shared.secrets import SecretMissing, secrets_of
from shared.settings import Settings
from shared.smart.discovery import Discovery
from shared.smart.id_token import IdTokens
from shared.smart.token import Tokens
from shared.store import Stores
from shared.wiring import Services


def built(settings: Settings, clock: Clock, entropy: Entropy) -> Services:
    """See ``wiring.build``."""
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
