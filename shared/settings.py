"""What the operator decided, read once: the only reader of the environment.

A setting that is missing, malformed or unsafe together with another keeps the app from starting, and every
fault is named at once, so that a first deployment is not a series of single surprises.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self, get_args
from urllib.parse import urlsplit

from shared import telemetry
from shared.connection import Region
from shared.errors import AntesalaError

REGIONS: tuple[Region, ...] = get_args(Region.__value__)
TEAMS_HOSTS = "teams.microsoft.com,visit.teams.microsoft.com,teams.cloud.microsoft"
# The application id with which Microsoft Graph signs the tokens of its change notifications.
GRAPH_PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"

# Azure hands over a reference that it could not resolve as the literal text (reference functions.md section
# 7).
UNRESOLVED = "@Microsoft.KeyVault("
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
_HOST_AND_PORT = re.compile(rf"(?:{_HOST.pattern})(?::[0-9]{{1,5}})?")


class SettingsError(AntesalaError):
    """The app refuses to start; ``faults`` has a sentence for each setting that must change."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("the settings cannot be used:\n" + "\n".join(f"- {fault}" for fault in faults))


@dataclass(frozen=True)
class Storage:
    """Where one region's data lies: a connection string (sandbox), or two service addresses and an identity.

    The names are those of an Azure Functions connection, because the queue triggers read the same settings
    (``AntesalaEmea``, or ``AntesalaEmea__queueServiceUri`` and its companions).
    """

    connection_string: str = field(default="", repr=False)
    table_url: str = ""
    queue_url: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Settings:
    """Every setting; ``docs/settings.md`` says how to choose."""

    environment: Literal["production", "sandbox"]
    # Where browsers reach the app, and where Graph's and the EHR's servers do; no slash at the end.
    public_url: str
    server_url: str
    # The regions that this app serves, and where each keeps its data.
    regions: tuple[Region, ...]
    storage: Mapping[Region, Storage]
    # The organizations (Microsoft 365 tenants) that may use this app: lower-case GUIDs.
    tenants: frozenset[str]
    # Antesala's own app registration in Entra.
    client_id: str
    login_url: str = "https://login.microsoftonline.com"
    graph_url: str = "https://graph.microsoft.com"
    graph_publisher_id: str = GRAPH_PUBLISHER
    # Host, or host:port, that a join link may point at.
    teams_hosts: frozenset[str] = frozenset(TEAMS_HOSTS.split(","))
    # Secrets: a folder in the sandbox; in production one vault of keys and one that the app may write.
    secrets_dir: str = ""
    key_vault_url: str = ""
    client_secrets_vault_url: str = ""
    # The user-assigned identity with which the app reaches its vaults and proves itself to Entra.
    identity_client_id: str = ""
    # A PEM file trusted instead of the public authorities.
    ca_bundle: str = ""
    # Hosts that may resolve to an address inside; sandbox only.
    private_hosts: frozenset[str] = frozenset()
    # An outgoing proxy for calls to EHRs and Microsoft 365. With it, the proxy decides which addresses are
    # reachable.
    proxy_url: str = ""
    # How long a disconnect is held back in case the person returns at once.
    debounce_seconds: float = 15.0
    # How late Graph may tell of an event (a minute at most, reference graph.md 3.1): until then nobody is
    # told that somebody has left.
    lateness_seconds: float = 60.0
    # How long an EHR that does not answer is tried again.
    deliver_hours: float = 24.0
    # How long a launch waits for its subscription to call events before it goes on without.
    subscription_seconds: float = 2.5
    # By how much our waits are shorter: deadlines of calls, leases, pauses of write-back. More than 1 in the
    # sandbox only, where a day of trouble must fit into minutes.
    hurry: float = 1.0
    # Whether log lines go to Azure Monitor by OpenTelemetry (an optional package) and not by the host.
    opentelemetry: bool = False

    @property
    def sandbox(self) -> bool:
        """Whether this is the sandbox, where everything runs on one machine with synthetic people."""
        return self.environment == "sandbox"

    def region_enabled(self, region: str) -> bool:
        """Whether this app serves the region."""
        return region in self.regions

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Reads every setting; SettingsError with all faults when one of them cannot be used."""
        reader = _Reader(environ)
        environment = reader.choice("ANTESALA_ENVIRONMENT", ("production", "sandbox"))
        public_url = reader.url("ANTESALA_PUBLIC_URL", required=True)
        regions = reader.regions("ANTESALA_REGIONS")
        settings = cls(
            environment="sandbox" if environment == "sandbox" else "production",
            public_url=public_url,
            server_url=reader.url("ANTESALA_SERVER_URL", public_url),
            regions=regions,
            storage={region: reader.storage(f"Antesala{region.capitalize()}") for region in regions},
            tenants=reader.guids("ANTESALA_TENANTS"),
            client_id=reader.guid("ANTESALA_CLIENT_ID", required=True),
            login_url=reader.url("ANTESALA_LOGIN_URL", cls.login_url),
            graph_url=reader.url("ANTESALA_GRAPH_URL", cls.graph_url),
            graph_publisher_id=reader.guid("ANTESALA_GRAPH_PUBLISHER_ID", cls.graph_publisher_id),
            teams_hosts=reader.hosts("ANTESALA_TEAMS_HOSTS", TEAMS_HOSTS, _HOST_AND_PORT),
            secrets_dir=reader.text("ANTESALA_SECRETS_DIR"),
            key_vault_url=reader.url("ANTESALA_KEY_VAULT_URL"),
            client_secrets_vault_url=reader.url("ANTESALA_CLIENT_SECRETS_VAULT_URL"),
            identity_client_id=reader.guid("AZURE_CLIENT_ID"),
            ca_bundle=reader.text("ANTESALA_CA_BUNDLE"),
            private_hosts=reader.hosts("ANTESALA_PRIVATE_HOSTS", "", _HOST),
            proxy_url=reader.url("ANTESALA_PROXY_URL"),
            debounce_seconds=reader.number("ANTESALA_DEBOUNCE_SECONDS", cls.debounce_seconds, 0, 300),
            lateness_seconds=reader.number("ANTESALA_LATENESS_SECONDS", cls.lateness_seconds, 0, 600),
            deliver_hours=reader.number("ANTESALA_DELIVER_HOURS", cls.deliver_hours, 1, 720),
            subscription_seconds=reader.number(
                "ANTESALA_SUBSCRIPTION_SECONDS", cls.subscription_seconds, 0, 30
            ),
            hurry=reader.number("ANTESALA_HURRY", cls.hurry, 1, 20),
            opentelemetry=reader.choice("ANTESALA_OPENTELEMETRY", ("off", "on"), "off") == "on",
        )
        faults = (*reader.faults, *_contradictions(settings))
        if faults:
            raise SettingsError(faults)
        return settings


class _Reader:
    """Reads single settings and gathers what is wrong; a faulty one reads as empty."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "", *, required: bool = False) -> str:
        text = self._environ.get(name, "").strip()
        if text.startswith(UNRESOLVED):
            self.faults.append(f"{name} is a Key Vault reference that Azure could not resolve")
            return default
        if required and not text:
            self.faults.append(f"{name} is missing")
        return text or default

    def choice(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        text = self.text(name, default, required=not default)
        if text and text not in choices:
            self.faults.append(f"{name} must be one of {', '.join(choices)}")
        return text

    def url(self, name: str, default: str = "", *, required: bool = False) -> str:
        text = self.text(name, default, required=required).rstrip("/")
        if text and not _is_plain_url(text):
            self.faults.append(f"{name} must be an http or https address without user, query or fragment")
            return ""
        return text

    def number(self, name: str, default: float, least: float, most: float) -> float:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not least <= float(text) <= most:
            self.faults.append(f"{name} must be a number from {least:g} to {most:g}")
            return default
        return float(text)

    def guid(self, name: str, default: str = "", *, required: bool = False) -> str:
        return self._fitting(name, self.text(name, default, required=required), _GUID.fullmatch, "a GUID")

    def guids(self, name: str) -> frozenset[str]:
        parts = _parts(self.text(name, required=True))
        return frozenset(
            filter(None, (self._fitting(name, part, _GUID.fullmatch, "GUIDs") for part in parts))
        )

    def hosts(self, name: str, default: str, pattern: re.Pattern[str]) -> frozenset[str]:
        parts = _parts(self.text(name, default))
        wanted = "host names, separated by commas"
        return frozenset(
            filter(None, (self._fitting(name, part, pattern.fullmatch, wanted) for part in parts))
        )

    def regions(self, name: str) -> tuple[Region, ...]:
        parts = _parts(self.text(name, required=True))
        if unknown := sorted(set(parts) - set(REGIONS)):
            self.faults.append(f"{name} names unknown regions: {', '.join(unknown)}")
        if len(parts) != len(set(parts)):
            self.faults.append(f"{name} names a region twice")
        return tuple(region for region in REGIONS if region in parts)

    def storage(self, name: str) -> Storage:
        storage = Storage(
            connection_string=self.text(name),
            table_url=self.url(f"{name}__tableServiceUri"),
            queue_url=self.url(f"{name}__queueServiceUri"),
            client_id=self.guid(f"{name}__clientId"),
        )
        urls = (storage.table_url, storage.queue_url)
        if storage.connection_string and any(urls):
            self.faults.append(f"{name} has both a connection string and service addresses: keep one")
        elif not storage.connection_string and not all(urls):
            self.faults.append(f"{name} is missing: {name}__tableServiceUri and {name}__queueServiceUri")
        credential = self.text(f"{name}__credential", "managedidentity")
        if credential != "managedidentity":
            self.faults.append(f"{name}__credential must be managedidentity")
        return storage

    def _fitting(self, name: str, text: str, fits: Callable[[str], object], wanted: str) -> str:
        text = text.lower()
        if text and not fits(text):
            self.faults.append(f"{name} must hold {wanted}")
            return ""
        return text


def _contradictions(settings: Settings) -> list[str]:
    """Pairs of settings that are unsafe or pointless together."""
    checks = (_sandbox_contradictions if settings.sandbox else _production_contradictions)(settings)
    accounts = [storage.connection_string or storage.table_url for storage in settings.storage.values()]
    known = [account for account in accounts if account]
    # Two regions in one account would put a hospital's data where it was promised never to lie.
    checks.append((len(known) != len(set(known)), "two regions share one storage account"))
    absent = settings.opentelemetry and not telemetry.installed()
    checks.append((absent, f"ANTESALA_OPENTELEMETRY is on, but {telemetry.PACKAGE} is not installed"))
    return [fault for wrong, fault in checks if wrong]


def _sandbox_contradictions(settings: Settings) -> list[tuple[bool, str]]:
    return [(not settings.secrets_dir, "ANTESALA_SECRETS_DIR is missing")]


def _production_contradictions(settings: Settings) -> list[tuple[bool, str]]:
    plain = [name for name, url in _addresses(settings).items() if url.startswith("http:")]
    keyed = [name for name, storage in settings.storage.items() if storage.connection_string]
    return [
        (bool(settings.secrets_dir), "ANTESALA_SECRETS_DIR is for the sandbox only: use Key Vault"),
        (bool(settings.private_hosts), "ANTESALA_PRIVATE_HOSTS is for the sandbox only"),
        (settings.hurry != 1, "ANTESALA_HURRY is for the sandbox only"),
        (not settings.key_vault_url, "ANTESALA_KEY_VAULT_URL is missing"),
        (not settings.client_secrets_vault_url, "ANTESALA_CLIENT_SECRETS_VAULT_URL is missing"),
        (not settings.identity_client_id, "AZURE_CLIENT_ID is missing"),
        (
            bool(settings.key_vault_url) and settings.key_vault_url == settings.client_secrets_vault_url,
            "ANTESALA_CLIENT_SECRETS_VAULT_URL must be another vault than ANTESALA_KEY_VAULT_URL",
        ),
        *((True, f"{name} must be https in production") for name in plain),
        *((True, f"the storage of {name} must use an identity in production, not a key") for name in keyed),
    ]


def _addresses(settings: Settings) -> dict[str, str]:
    named = {
        "ANTESALA_PUBLIC_URL": settings.public_url,
        "ANTESALA_SERVER_URL": settings.server_url,
        "ANTESALA_LOGIN_URL": settings.login_url,
        "ANTESALA_GRAPH_URL": settings.graph_url,
        "ANTESALA_KEY_VAULT_URL": settings.key_vault_url,
        "ANTESALA_CLIENT_SECRETS_VAULT_URL": settings.client_secrets_vault_url,
    }
    for region, storage in settings.storage.items():
        named[f"Antesala{region.capitalize()}__tableServiceUri"] = storage.table_url
        named[f"Antesala{region.capitalize()}__queueServiceUri"] = storage.queue_url
    return named


def _is_plain_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare and port != 0


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
