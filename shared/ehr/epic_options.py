"""The options of Epic's connection status service (reference ehr.md 2.6): little of it is public."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.clock import Clock
from shared.ehr.options import Faults, Option, Sheet, scope
from shared.ehr.port import Adapter
from shared.texts import Sentence, Text

if TYPE_CHECKING:
    from shared.ehr.senders import Senders

_PATH = r"/?[A-Za-z0-9_~%][A-Za-z0-9._~\-/%]*"
BASIC = "basic"
_FHIR_PART = "/api/fhir/"
_BASE = r"https://[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~\-/%]*)?"


def _parameter(name: str, label: str, hint: str, default: str) -> Option:
    says = "The name of a parameter has up to 64 letters, digits or _ . - and begins with a letter."
    return Option(f"parameter_{name}", label, hint, says, default, r"[A-Za-z][A-Za-z0-9_.\-]*")


def _code(name: str, label: str, hint: str, default: str) -> Option:
    says = "A code has up to 20 letters, digits or _ . - without spaces."
    return Option(name, label, hint, says, default, r"[A-Za-z0-9_.\-]+", most=20)


_OPTIONS = (
    _code("status_connected", "Status: connected", "The code that is sent when somebody has connected.", "1"),
    _code(
        "status_disconnected", "Status: disconnected", "The code that is sent when somebody has left.", "2"
    ),
    _code(
        "type_provider",
        "ID type of a clinician",
        "The code that says that an ID names a user record (EMP).",
        "1",
    ),
    _code(
        "type_patient",
        "ID type of a patient or proxy",
        "The code that says that an ID names a portal account (WPR).",
        "2",
    ),
    Option(
        "vendor_name",
        "Vendor name",
        "The name under which the EHR shows this connection.",
        "A name has up to 80 characters, none of them < or >.",
        "Antesala",
        r"[^\x00-\x1f\x7f-\x9f<>\u2028\u2029]+",
        most=80,
    ),
    Option(
        "method",
        "HTTP method",
        "POST sends a form; GET puts the same parameters into the query.",
        "The method is POST or GET.",
        "POST",
        choices=(("POST", "POST"), ("GET", "GET")),
    ),
    Option(
        "auth",
        "How the service is called",
        "As the backend app with a token, or as an EHR user with that app's client secret as the password.",
        "Choose one of the list.",
        "bearer",
        choices=(
            ("bearer", "With a token of the backend app"),
            (BASIC, "With user name and password (Basic)"),
        ),
    ),
    Option(
        "basic_user",
        "User name for Basic",
        "For example emp$ and the ID of the EHR user. Leave it empty to take the backend app's client ID.",
        "A user name has up to 120 visible characters, none of them a colon, < or >.",
        pattern=r"[!-9;=?-~]+",
        most=120,
    ),
    Option(
        "interconnect_base",
        "Address before the path",
        "On the FHIR base's own server. Leave it empty to take the FHIR base up to its /api/FHIR/.",
        "An address of up to 200 characters that begins with https://, without ? or #.",
        pattern=_BASE,
        most=200,
    ),
    Option(
        "path",
        "Path of the service",
        "Where SetExternalConnectionStatus lies behind that address.",
        "A path has up to 200 letters, digits or . _ ~ - / %, without ? or #.",
        "/api/epic/2018/Telehealth/ContextLinking/SetExternalConnectionStatus",
        _PATH,
        most=200,
    ),
    _parameter(
        "conference", "Parameter of the visit", "Carries the visit's ID as it was launched.", "ConferenceID"
    ),
    _parameter("user", "Parameter of the person", "Carries the person's EHR user ID.", "ExternalID"),
    _parameter("user_type", "Parameter of the ID type", "Carries the code of the ID type.", "ExternalIDType"),
    _parameter("vendor", "Parameter of the vendor", "Carries the vendor name.", "VendorName"),
    _parameter("status", "Parameter of the status", "Carries the code of the status.", "ConnectionStatus"),
    Option(
        "device_path",
        "Path of the service for device tests",
        "Leave it empty where the EHR has none: then results are not sent.",
        "A path has up to 200 letters, digits or . _ ~ - / %, without ? or #.",
        pattern=_PATH,
        most=200,
    ),
    _parameter("device", "Parameter of the device test", "Carries the code of the result.", "DeviceStatus"),
    _code("device_works", "Device test: works", "The code that is sent for a device that works.", "1"),
    _code("device_fails", "Device test: fault", "The code that is sent for a device with a fault.", "2"),
    # Epic grants what is registered, whatever is asked for; but to ask for nothing is no valid request.
    scope("system/Encounter.read"),
)
_PARAMETERS = tuple(option.name for option in _OPTIONS if option.name.startswith("parameter_"))
_STATUSES = ("status_connected", "status_disconnected")


def interconnect_of(fhir_base: str) -> str:
    """The FHIR base up to its ``/api/FHIR/``; empty where it has none."""
    whole = fhir_base.rstrip("/") + "/"
    found = whole.lower().find(_FHIR_PART, len("https://") + len(urlsplit(whole).netloc))
    return whole[:found] if found >= 0 else ""


def _check(given: Mapping[str, str], fhir_base: str) -> Faults:
    values = SHEET.values(given)
    faults: dict[str, Sentence] = {}
    base, home = values["interconnect_base"], urlsplit(fhir_base).netloc
    if base and base.removeprefix("https://").partition("/")[0] != home:
        # The approver proves the FHIR base to be theirs, and nothing else: no token goes anywhere else.
        faults["interconnect_base"] = Text(
            "This address must be on the FHIR base's own server, %(home)s.", home=home
        )
    if not base and not interconnect_of(fhir_base):
        faults["interconnect_base"] = Text(
            "The FHIR base has no /api/FHIR/ in it. Enter the address before the path of the service."
        )
    same = Text("Two parameters cannot have the same name.")
    faults |= dict.fromkeys(_repeated(values, _PARAMETERS), same)
    alike = Text("Connected and disconnected need different codes.")
    return faults | dict.fromkeys(_repeated(values, _STATUSES), alike)


def _repeated(values: Mapping[str, str], names: tuple[str, ...]) -> Iterator[str]:
    texts = [values[name] for name in names]
    return (name for name in names if texts.count(values[name]) > 1)


def _is_basic(values: Mapping[str, str]) -> bool:
    return values["auth"] == BASIC


def _make(senders: "Senders", clock: Clock) -> Adapter:
    from shared.ehr.epic import EpicAdapter

    return EpicAdapter(senders, clock)


SHEET = Sheet("epic", "Epic connection status", _make, _OPTIONS, _check, needs_secret=_is_basic)
