"""Which adapter tells which EHR: a new one is a module and a line here."""

from collections.abc import Mapping

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.backend import Backend, BackendTokens
from shared.ehr.epic import EpicAdapter
from shared.ehr.fhir import FhirAdapter
from shared.ehr.none import NoneAdapter
from shared.ehr.port import Adapter, DeviceAdapter
from shared.outbound import Outbound
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens


class Adapters:
    """Every adapter there is; they share the tokens."""

    def __init__(self, outbound: Outbound, discovery: Discovery, tokens: Tokens, clock: Clock) -> None:
        backend = Backend(outbound, BackendTokens(discovery, tokens, clock))
        epic, fhir = EpicAdapter(backend), FhirAdapter(backend, clock)
        self._adapters: Mapping[str, Adapter] = {"epic": epic, "fhir": fhir, "none": NoneAdapter()}
        self._devices: Mapping[str, DeviceAdapter] = {"epic": epic, "fhir": fhir}

    def of(self, approved: Approved) -> Adapter:
        """The adapter that the approved revision names; LookupError for one that does not exist."""
        return self._adapters[approved.revision.writeback.adapter]

    def device(self, approved: Approved) -> DeviceAdapter | None:
        """Who tells this EHR what device tests found; None where nobody does."""
        adapter = self._devices.get(approved.revision.writeback.adapter)
        return adapter if adapter is not None and adapter.takes_device(approved) else None
