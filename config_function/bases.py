"""Looks at a FHIR base while it is being typed in: there at all, FHIR, which version, SMART.

Most set-up trouble begins with a wrong base: DSTU2 for R4, test for production, a pasted ``/metadata``. Every
finding says what to change, and where the right address is obvious it is offered.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from config_function.field_rules import ADDRESS
from shared.connection import EhrKind
from shared.errors import AddressRefused, AnswerRefused, OutsideError, StatusRefused
from shared.outbound import Outbound
from shared.smart.discovery import Discovery, SmartConfiguration
from shared.texts import Text, Together, Translate

LONGEST = 250
# Epic's capability statement is over a megabyte.
_METADATA_BYTES = 8_000_000
_VERSIONS = {"1.0": "DSTU2", "3.0": "STU3", "4.0": "R4", "4.3": "R4B", "5.0": "R5"}
# What people paste along with the base: a page below it, a resource, a query, a fragment.
_TAILS = re.compile(
    r"(/metadata|/\.well-known(/smart-configuration)?"
    r"|/(Patient|Practitioner|Appointment|Encounter|Observation)(/[^/?#]*)?)?/?([?#].*)?$",
    re.IGNORECASE,
)
# How hospitals name what is not production, as whole words of a host or path.
_TEST_WORDS = re.compile(
    r"(?<![a-z])(test|tst|nonprod|non-prod|sandbox|poc|dev|stage|staging|train|sup|uat)(?![a-z])"
)
NO_BASE = Text("Enter the FHIR base URL, for example https://ehr.hospital.example/fhir")
_EPIC = "/api/fhir/"
_OLDER = re.compile(r"/(DSTU2|STU3)(?=/|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """One verdict about the base, in words."""

    verdict: Literal["ok", "warning", "failed"]
    text: Text


@dataclass(frozen=True)
class BaseReport:
    """What was found at ``base`` (the address as it would be kept). ``suggestion``: a better one or empty."""

    base: str
    findings: tuple[Finding, ...]
    suggestion: str = ""

    @property
    def usable(self) -> bool:
        """Whether a connection can be made of it."""
        return all(finding.verdict != "failed" for finding in self.findings)

    @property
    def fault(self) -> Text:
        """The sentences that belong beside the field; none where the base is usable."""
        sentences = [finding.text for finding in self.findings if finding.verdict == "failed"]
        if sentences and self.suggestion:
            sentences.append(Text("Did you mean %(address)s?", address=self.suggestion))
        return Together(*sentences)

    def document(self, translate: Translate) -> dict[str, Any]:
        """For the API, in the reader's language."""
        return {
            "fhir_base": self.base,
            "usable": self.usable,
            "suggestion": self.suggestion,
            "findings": [
                {"verdict": finding.verdict, "text": finding.text.said(translate)}
                for finding in self.findings
            ],
        }


class Bases:
    """Looks, keeps nothing."""

    def __init__(self, outbound: Outbound, discovery: Discovery) -> None:
        self._outbound = outbound
        self._discovery = discovery

    def inspect(self, text: str, kind: EhrKind, environment: str = "") -> BaseReport:
        """Three requests at most, each within eight seconds; no exception for what the other side does.

        ``environment``: ``test`` or ``production`` where that is chosen already; an address that looks like
        the other one is a warning.
        """
        base = text.strip().rstrip("/")
        fault, suggestion = _written_wrong(base)
        if fault is not None:
            return BaseReport(base[:LONGEST], (Finding("failed", fault),), suggestion)
        findings = [self._version(base)]
        if findings[0].verdict != "failed":
            findings.append(self._smart(base, kind))
        report = BaseReport(
            base, (*findings, *_other_kind(base, kind), *_other_environment(base, environment))
        )
        return report if report.usable else BaseReport(base, report.findings, self._beside(base))

    def _beside(self, base: str) -> str:
        """The R4 base that really answers beside this one; empty where none does."""
        newer = _newer(base)
        return newer if newer and self._version(newer).verdict == "ok" else ""

    def _version(self, base: str) -> Finding:
        host = urlsplit(base).hostname or ""
        try:
            statement = self._metadata(base)
        except AddressRefused:
            return Finding(
                "failed",
                Text(
                    "%(host)s points inside a private network. Use the EHR's public address, or ask the "
                    "operator of this service to allow the host.",
                    host=host,
                ),
            )
        except StatusRefused as refused:
            said = Text(
                "%(host)s answered %(status)s where FHIR metadata should be.",
                host=host,
                status=refused.status,
            )
            return Finding("failed", said)
        except AnswerRefused:
            return Finding("failed", Text("%(host)s answers, but not with FHIR metadata in JSON.", host=host))
        except OutsideError:
            return Finding(
                "failed",
                Text(
                    "%(host)s does not answer. Check the spelling, and that it can be reached from the "
                    "internet.",
                    host=host,
                ),
            )
        return _version_of(statement)

    def _metadata(self, base: str) -> dict[str, Any]:
        answer = self._outbound.send(
            "GET",
            f"{base}/metadata",
            headers={"Accept": "application/fhir+json, application/json"},
            timeout=8.0,
            max_bytes=_METADATA_BYTES,
            service="ehr-discovery",
        )
        if answer.status != 200:
            raise StatusRefused(answer.status)
        document = answer.json()
        if not isinstance(document, dict) or document.get("resourceType") not in (
            "CapabilityStatement",
            "Conformance",
        ):
            raise AnswerRefused("metadata")
        return document

    def _smart(self, base: str, kind: EhrKind) -> Finding:
        try:
            configuration = self._discovery.renew(base, kind=kind)
        except OutsideError:
            return Finding(
                "failed",
                Text("It is FHIR, but its SMART sign-in endpoints cannot be read. Ask the EHR team."),
            )
        return _endpoints_of(configuration)


def _written_wrong(base: str) -> tuple[Text | None, str]:
    """A sentence about an address that need not even be asked, and a better one where there is one."""
    if not base:
        return NO_BASE, ""
    if (shorter := _TAILS.sub("", base, count=1)) != base and re.fullmatch(ADDRESS, shorter):
        return Text("This is a page below the base."), shorter
    if base.lower().startswith("http://"):
        return Text("The address must begin with https://"), f"https://{base[7:]}"
    if "://" not in base and re.fullmatch(ADDRESS, f"https://{base}"):
        return Text("The address must begin with https://"), f"https://{base}"
    if len(base) > LONGEST or not re.fullmatch(ADDRESS, base) or not _has_host(base):
        said = Text("A FHIR base is an address of up to %(most)s characters, without ? or #.", most=LONGEST)
        return said, ""
    return None, ""


def _has_host(base: str) -> bool:
    try:
        parts = urlsplit(base)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _version_of(statement: dict[str, Any]) -> Finding:
    number = statement.get("fhirVersion")
    name = _VERSIONS.get(number[:3], "") if isinstance(number, str) else ""
    if name in ("R4", "R4B"):
        return Finding("ok", Text("FHIR %(version)s answers.", version=name))
    if name:
        said = Text("This is a %(version)s base. Use the server's R4 base.", version=name)
        return Finding("failed", said)
    return Finding("warning", Text("FHIR answers, but does not say which version it is. It must be R4."))


def _newer(base: str) -> str:
    """The R4 base that lies beside a DSTU2 or STU3 one; empty where nothing is obvious."""
    if older := _OLDER.search(base):
        return _OLDER.sub("/r4" if older[0].islower() else "/R4", base)
    return f"{base}/R4" if base.lower().endswith("/api/fhir") else ""


def _other_kind(base: str, kind: EhrKind) -> tuple[Finding, ...]:
    if kind != "epic" or _EPIC in f"{base.lower()}/":
        return ()
    said = Text(
        "Epic's addresses hold /api/FHIR/, this one does not. Is it another EHR? It cannot change later."
    )
    return (Finding("warning", said),)


def _other_environment(base: str, environment: str) -> tuple[Finding, ...]:
    if environment != "production" or not (found := _TEST_WORDS.search(base.lower())):
        return ()
    said = Text(
        "This looks like a test system (%(word)s), but you chose Production. Compare with the EHR team.",
        word=found[0],
    )
    return (Finding("warning", said),)


def _endpoints_of(configuration: SmartConfiguration) -> Finding:
    hosts = {
        urlsplit(url).netloc for url in (configuration.authorization_endpoint, configuration.token_endpoint)
    }
    return Finding("ok", Text("SMART sign-in is offered at %(hosts)s.", hosts=", ".join(sorted(hosts))))
