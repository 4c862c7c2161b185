"""The portal's rooms put together from the wired services, for one request."""

from dataclasses import dataclass

from config_function.approval import Approval
from config_function.bases import Bases
from config_function.checks import Checks
from config_function.connections import Connections
from config_function.records import Addresses
from config_function.signin import SignIn
from config_function.vault import ClientSecrets
from shared.clock import Clock
from shared.entra import Entra
from shared.graph.people import People
from shared.keys import SigningKeys
from shared.pages import Pages
from shared.settings import Settings
from shared.store import Stores
from shared.wiring import Services


@dataclass(frozen=True)
class Desk:
    """What pages and API share; building one reads and calls nothing."""

    settings: Settings
    clock: Clock
    pages: Pages
    keys: SigningKeys
    entra: Entra
    people: People
    stores: Stores
    addresses: Addresses
    sign_in: SignIn
    bases: Bases
    connections: Connections
    approval: Approval
    checks: Checks


def desk(services: Services) -> Desk:
    """The one place where this package meets concrete classes."""
    settings = services.settings
    addresses = Addresses(settings.public_url, settings.server_url)
    bases = Bases(services.outbound, services.discovery)
    connections = Connections(
        settings=settings,
        stores=services.stores,
        discovery=services.discovery,
        id_tokens=services.id_tokens,
        bases=bases,
        secrets=ClientSecrets(services.secrets, services.entropy),
        clock=services.clock,
        entropy=services.entropy,
    )
    checks = Checks(
        settings=settings,
        addresses=addresses,
        outbound=services.outbound,
        discovery=services.discovery,
        tokens=services.tokens,
        entra=services.entra,
        meetings=services.meetings,
    )
    return Desk(
        settings=settings,
        clock=services.clock,
        pages=services.pages,
        keys=services.keys,
        entra=services.entra,
        people=services.people,
        stores=services.stores,
        addresses=addresses,
        sign_in=SignIn(settings, services.entra, services.sealer, services.clock),
        bases=bases,
        connections=connections,
        approval=Approval(settings, services.pages, services.flow, connections),
        checks=checks,
    )
