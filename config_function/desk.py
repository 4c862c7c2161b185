"""The portal's rooms put together from the wired services, for one request."""

from dataclasses import dataclass

from config_function.approval import Approval
from config_function.bases import Bases
from config_function.checks import Checks
from config_function.checks.clocks import ClockProbe
from config_function.checks.ehr import EhrProbes
from config_function.checks.microsoft import MicrosoftProbes
from config_function.checks.ours import OwnProbes
from config_function.checks.waiting import WaitingProbes
from config_function.clinicians import Clinicians
from config_function.connections import Connections
from config_function.deep_check import DeepCheck
from config_function.health import Healths
from config_function.letters import Letters
from config_function.organization import Organization
from config_function.person_requests import PersonRequests
from config_function.records import Addresses
from config_function.signin import SignIn
from config_function.vault import ClientSecrets
from shared.clock import Clock
from shared.context import ContextSeal
from shared.entra import Entra
from shared.graph.people import People
from shared.keys import SigningKeys
from shared.pages import Pages
from shared.parked import Parked
from shared.personal_data import PersonalData
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
    organization: Organization
    bases: Bases
    connections: Connections
    approval: Approval
    checks: Checks
    clinicians: Clinicians
    healths: Healths
    letters: Letters
    persons: PersonRequests
    deep_check: DeepCheck


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
        keys=services.keys,
        clock=services.clock,
        entropy=services.entropy,
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
        organization=Organization(
            settings, services.pages, services.sealer, services.clock, services.entropy
        ),
        bases=bases,
        connections=connections,
        approval=Approval(settings, services.pages, services.flow, connections),
        checks=_checks(services, addresses),
        clinicians=Clinicians(services.stores, services.sealer, services.clock),
        healths=Healths(services.stores, services.clock),
        letters=_letters(services),
        persons=_persons(services),
        deep_check=DeepCheck(
            services.stores,
            services.secrets,
            services.entra,
            services.clock,
            shared=len(settings.tenants) > 1,
        ),
    )


def _letters(services: Services) -> Letters:
    contexts = ContextSeal(services.sealer)
    parked = Parked(services.stores, contexts, services.sealer, services.clock)
    return Letters(services.stores, parked, services.clock)


def _persons(services: Services) -> PersonRequests:
    stores, sealer, clock = services.stores, services.sealer, services.clock
    data = PersonalData(stores, sealer, ContextSeal(sealer), clock, services.entropy)
    return PersonRequests(stores, data, sealer, clock)


def _checks(services: Services, addresses: Addresses) -> Checks:
    settings, clock, outbound = services.settings, services.clock, services.outbound
    return Checks(
        EhrProbes(services.discovery, services.tokens),
        MicrosoftProbes(settings.client_id, services.entra, services.meetings, services.licences),
        OwnProbes(addresses, outbound, services.key_review, clock, services.entropy),
        WaitingProbes(services.stores, clock, shared=len(settings.tenants) > 1),
        ClockProbe(outbound, services.discovery, settings.login_url),
    )
