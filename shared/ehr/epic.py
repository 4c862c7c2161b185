"""Epic's connection status service, SetExternalConnectionStatus (reference ehr.md 2.6).

Little of it is public: whatever is not verified is an option of the write-back, with its usual value in
``OPTIONS``. Success is any 2xx, whatever the body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from shared.connection import Approved
from shared.ehr.backend import Backend
from shared.ehr.port import DeviceTelling, Telling
from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Answer
from shared.smart.dialect import DIALECTS
from shared.smart.discovery import origin


@dataclass(frozen=True)
class Option:
    """One option: its value unless the connection says otherwise, and a sentence for the analyst."""

    default: str
    about: str


OPTIONS: Mapping[str, Option] = {
    "interconnect_base": Option("", "Address before the path; empty: the FHIR base up to its /api/FHIR/."),
    "path": Option(
        "/api/epic/2018/Telehealth/ContextLinking/SetExternalConnectionStatus", "Path of the service."
    ),
    "method": Option("POST", "POST sends a form; GET puts the same parameters into the query."),
    "parameter_conference": Option("ConferenceID", "Name of the parameter for the visit as launched."),
    "parameter_user": Option("ExternalID", "Name of the parameter for the person's EHR user ID."),
    "parameter_user_type": Option("ExternalIDType", "Name of the parameter for the kind of that ID."),
    "parameter_vendor": Option("VendorName", "Name of the parameter for the vendor."),
    "parameter_status": Option("ConnectionStatus", "Name of the parameter for the status."),
    "type_provider": Option("1", "Kind of ID of a clinician (a user record)."),
    "type_patient": Option("2", "Kind of ID of a patient or proxy (a portal account)."),
    "status_connected": Option("1", "Status of somebody who has connected."),
    "status_disconnected": Option("2", "Status of somebody who has left."),
    "vendor_name": Option("Antesala", "What the EHR is told as the vendor."),
    "device_path": Option("", "Path of the service for device tests; empty: results are not sent."),
    "parameter_device": Option("DeviceStatus", "Name of the parameter for a device test's result."),
    "device_works": Option("1", "Result of a device that works."),
    "device_fails": Option("2", "Result of a device with a fault."),
    "scope": Option("", "Scopes to ask for; empty: those of the registration sheet."),
}

_FHIR_PART = "/api/fhir/"
_METHODS = ("POST", "GET")
# The service's own code only: the words after it may repeat the ids that we sent.
_CODE = re.compile(rb"executing the command: ([A-Z][A-Z0-9-]{1,39}) details:")


class EpicAdapter:
    """Tells the newest state of each person; nobody is told about who cannot be named."""

    semantics: Literal["state", "event"] = "state"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def tell(self, approved: Approved, telling: Telling) -> None:
        """See ``Adapter.tell``. The service knows persons only: the unattributed make no call."""
        if telling.role == "unattributed" or not telling.user:
            return
        options = options_of(approved)
        self._send(approved, options, options["path"], parameters(options, telling))

    def takes_device(self, approved: Approved) -> bool:
        """See ``DeviceAdapter.takes_device``: the service is not public, so its path is an option."""
        return bool(options_of(approved)["device_path"])

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        """See ``DeviceAdapter.tell_device``. The service knows visits only: without one it is not called."""
        if telling.context is None:
            return
        options = options_of(approved)
        self._send(approved, options, options["device_path"], device_parameters(options, telling))

    def _send(
        self, approved: Approved, options: Mapping[str, str], path: str, values: Mapping[str, str]
    ) -> None:
        method = options["method"].upper()
        if method not in _METHODS:
            raise AnswerRefused("the option method is neither POST nor GET")
        answer = self._backend.send(
            approved,
            method,
            service_url(approved, {**options, "path": path}),
            headers=DIALECTS["epic"].headers(approved.revision.backend.client_id),
            form=values if method == "POST" else None,
            query=values if method == "GET" else None,
        )
        if not answer.ok:
            raise StatusRefused(answer.status, _code(answer), answer.retry_after())


def options_of(approved: Approved) -> dict[str, str]:
    """Every option by name: as set, or its default where it is not set or empty."""
    given = approved.revision.writeback.options
    return {name: given.get(name, "").strip() or option.default for name, option in OPTIONS.items()}


def service_url(approved: Approved, options: Mapping[str, str]) -> str:
    """The service's address; AnswerRefused when neither the FHIR base nor the option shows where it is."""
    base = options["interconnect_base"]
    if not base:
        fhir_base = approved.connection.fhir_base.rstrip("/") + "/"
        found = fhir_base.lower().find(_FHIR_PART, len(urlsplit(fhir_base).netloc))
        if found < 0:
            raise AnswerRefused("the FHIR base holds no /api/FHIR/: set the option interconnect_base")
        base = fhir_base[:found]
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
