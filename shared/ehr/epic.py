"""Epic's connection status service, SetExternalConnectionStatus (reference ehr.md 2.6).

Little of it is public: whatever is not verified is an option of the write-back (``epic_options``). Success is
any 2xx, whatever the body, except a gateway's page. There is no public service for what a visit amounted to:
that is not told.
"""

import re
from collections.abc import Mapping
from typing import Literal

from shared.clock import Clock
from shared.connection import Approved
from shared.ehr.attempt import Attempt
from shared.ehr.epic_options import BASIC, SHEET, interconnect_of
from shared.ehr.port import DeviceTelling, Telling
from shared.ehr.senders import Senders
from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Answer
from shared.smart.dialect import DIALECTS
from shared.smart.discovery import origin

_METHODS = ("POST", "GET")
# The service's own code only: the words after it may repeat the ids that we sent.
_CODE = re.compile(rb"executing the command: ([A-Z][A-Z0-9-]{1,39}) details:")


class EpicAdapter:
    """Tells the newest state of each person; nobody is told about who cannot be named."""

    semantics: Literal["state", "event"] = "state"

    def __init__(self, senders: Senders, clock: Clock) -> None:
        self._senders = senders
        self._clock = clock

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. The service knows persons only: the unattributed make no call."""
        if telling.role == "unattributed" or not telling.user:
            return
        options = SHEET.values(approved.revision.writeback.options)
        self._send(approved, options, options["path"], parameters(options, telling))

    def takes_device(self, approved: Approved) -> bool:
        """See ``DeviceAdapter.takes_device``: the service is not public, so its path is an option."""
        return bool(SHEET.values(approved.revision.writeback.options)["device_path"])

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """See ``DeviceAdapter.tell_device``. The service knows visits only: without one it is not called."""
        if telling.context is None:
            return
        options = SHEET.values(approved.revision.writeback.options)
        self._send(approved, options, options["device_path"], device_parameters(options, telling))

    def _send(
        self, approved: Approved, options: Mapping[str, str], path: str, values: Mapping[str, str]
    ) -> None:
        method = options["method"].upper()
        if method not in _METHODS:
            raise AnswerRefused("the option method is neither POST nor GET")
        client_id = approved.revision.backend.client_id
        url = service_url(approved, {**options, "path": path})
        headers = DIALECTS["epic"].headers(client_id)
        attempt = Attempt(approved, self._clock)
        form, query = (values, None) if method == "POST" else (None, values)
        if options["auth"] == BASIC:
            user = options["basic_user"] or client_id
            answer = self._senders.basic.send(
                attempt, method, url, user=user, headers=headers, form=form, query=query
            )
        else:
            answer = self._senders.bearer.send(attempt, method, url, headers=headers, form=form, query=query)
        if not answer.ok:
            raise StatusRefused(answer.status, _code(answer), answer.retry_after())


def service_url(approved: Approved, options: Mapping[str, str]) -> str:
    """The service's address; AnswerRefused when neither the FHIR base nor the option shows where it is."""
    base = options["interconnect_base"]
    if not base:
        base = interconnect_of(approved.connection.fhir_base)
        if not base:
            raise AnswerRefused("the FHIR base holds no /api/FHIR/: set the option interconnect_base")
    elif origin(base) != origin(approved.connection.fhir_base):
        # The approver proved the FHIR base to be theirs, and nothing else: no token goes anywhere else.
        raise AnswerRefused("the option interconnect_base lies on another host than the FHIR base")
    return f"{base.rstrip('/')}/{options['path'].lstrip('/')}"


def parameters(options: Mapping[str, str], telling: Telling) -> dict[str, str]:
    """What is sent, by parameter name."""
    return {
        options["parameter_conference"]: telling.context.visit_id,
        options["parameter_user"]: telling.user,
        options["parameter_user_type"]: options[f"type_{telling.role}"],
        options["parameter_vendor"]: options["vendor_name"],
        options["parameter_status"]: options[f"status_{telling.status}"],
    }


def device_parameters(options: Mapping[str, str], telling: DeviceTelling) -> dict[str, str]:
    """What is sent of a device test, by parameter name."""
    return {
        options["parameter_conference"]: telling.context.visit_id if telling.context else "",
        options["parameter_user"]: telling.user,
        options["parameter_user_type"]: options["type_patient"],
        options["parameter_vendor"]: options["vendor_name"],
        options["parameter_device"]: options["device_works" if telling.result == "works" else "device_fails"],
    }


def _code(answer: Answer) -> str:
    found = _CODE.search(answer.body)
    return found[1].decode() if found else ""
