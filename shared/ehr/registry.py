"""The adapters of this process, built from their catalogue."""

from collections.abc import Mapping

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.backend import Backend, BackendTokens
from shared.ehr.catalogue import SHEETS
from shared.ehr.port import Adapter, DeviceAdapter, OutcomeAdapter
from shared.ehr.senders import Basic, Senders
from shared.outbound import Outbound
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens


class Adapters:
    """Every adapter there is; they share the tokens."""

    def __init__(self, outbound: Outbound, discovery: Discovery, tokens: Tokens, clock: Clock) -> None:
        bearer = Backend(outbound, BackendTokens(discovery, tokens, clock))
        senders = Senders(bearer, Basic(outbound, tokens))
        self._adapters: Mapping[str, Adapter] = {
            code: sheet.make(senders, clock) for code, sheet in SHEETS.items()
        }

    def of(self, approved: Approved) -> Adapter:
        """The adapter that the approved revision names; LookupError for one that does not exist."""
        return self._adapters[approved.revision.writeback.adapter]

    def device(self, approved: Approved) -> DeviceAdapter | None:
        """Who tells this EHR what device tests found; None where nobody does."""
        adapter: object = self._adapters.get(approved.revision.writeback.adapter)
        if not isinstance(adapter, DeviceAdapter) or not adapter.takes_device(approved):
            return None
        return adapter

    def outcome(self, approved: Approved) -> OutcomeAdapter | None:
        """Who tells this EHR what visits amounted to; None where nobody does."""
        adapter: object = self._adapters.get(approved.revision.writeback.adapter)
        if not isinstance(adapter, OutcomeAdapter) or not adapter.takes_outcome(approved):
            return None
        return adapter
