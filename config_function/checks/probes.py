"""The table of probes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """One thing to try. ``of_person``: it is tried for one person at a time."""

    name: str
    label: str
    of_person: bool = False


PROBES = (
    Probe("discovery", "SMART endpoints of the FHIR base"),
    Probe("jwks", "Our public keys, read as the EHR reads them"),
    Probe("keys", "Keys of this deployment"),
    Probe("backend-token", "Token for the write-back"),
    Probe("graph-token", "Token for Microsoft Graph"),
    Probe("access-policy", "Application access policy", of_person=True),
    Probe("licence", "Teams licence", of_person=True),
    Probe("virtual-appointment", "Browser link for patients"),
    Probe("webhook", "Our address for call events, called as Microsoft Graph calls it"),
    Probe("queue-age", "Messages that wait"),
    Probe("undelivered", "What the EHR has still to be told"),
    Probe("dead-letters", "What the EHR could not be told"),
    Probe("clock-skew", "Clocks of the EHR, of Microsoft 365 and ours"),
)


@dataclass(frozen=True)
class Planned:
    """One probe as the page lists it."""

    probe: Probe
    person: str = ""
