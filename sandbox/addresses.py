"""Where everything in the sandbox listens.

All addresses are loopback. Browser-facing pages speak plain http on ``localhost`` (a secure context for
browsers); server-to-server traffic speaks TLS with a certificate of the sandbox's own throw-away authority.
"""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields

_VARIABLES = {
    "host_http": "SANDBOX_HOST_PORT",
    "host_tls": "SANDBOX_HOST_TLS_PORT",
    "epic_http": "SANDBOX_EPIC_PORT",
    "epic_tls": "SANDBOX_EPIC_TLS_PORT",
    "fhir_http": "SANDBOX_FHIR_PORT",
    "fhir_tls": "SANDBOX_FHIR_TLS_PORT",
    "oracle_http": "SANDBOX_ORACLE_PORT",
    "oracle_tls": "SANDBOX_ORACLE_TLS_PORT",
    "m365_http": "SANDBOX_M365_PORT",
    "m365_tls": "SANDBOX_M365_TLS_PORT",
    "blob": "SANDBOX_BLOB_PORT",
    "queue": "SANDBOX_QUEUE_PORT",
    "table": "SANDBOX_TABLE_PORT",
}


@dataclass(frozen=True)
class Addresses:
    """One port per door of the sandbox; defaults are fixed so that bookmarks and registrations stay valid."""

    host_http: int = 7071
    host_tls: int = 7443
    epic_http: int = 7210
    epic_tls: int = 7211
    fhir_http: int = 7220
    fhir_tls: int = 7221
    oracle_http: int = 7230
    oracle_tls: int = 7231
    m365_http: int = 7300
    m365_tls: int = 7301
    blob: int = 7400
    queue: int = 7401
    table: int = 7402

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Addresses":
        """Read the ports from `environ`: a missing variable keeps its default, a bad one is a ValueError."""
        ports = {
            name: _port(environ, variable) for name, variable in _VARIABLES.items() if variable in environ
        }
        return cls(**ports)

    @classmethod
    def free(cls) -> "Addresses":
        """Ports that nobody listened on a moment ago, asked from the system: for tests side by side."""
        with ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in fields(cls)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            return cls(*(probe.getsockname()[1] for probe in probes))

    @staticmethod
    def variable(name: str) -> str:
        """Name of the environment variable that moves the port of field `name`."""
        return _VARIABLES[name]

    def environ(self) -> dict[str, str]:
        """The same ports as environment variables; `from_environ` reads them back."""
        return {_VARIABLES[name]: str(port) for name, port in asdict(self).items()}

    @property
    def app_url(self) -> str:
        """The function app, for browsers."""
        return f"http://localhost:{self.host_http}"

    @property
    def app_tls_url(self) -> str:
        """The function app, for servers."""
        return f"https://localhost:{self.host_tls}"

    @property
    def epic_url(self) -> str:
        """The Epic-like hospital, for browsers."""
        return f"http://localhost:{self.epic_http}"

    @property
    def epic_tls_url(self) -> str:
        """The Epic-like hospital, for servers."""
        return f"https://localhost:{self.epic_tls}"

    @property
    def fhir_url(self) -> str:
        """The plain FHIR R4 hospital, for browsers."""
        return f"http://localhost:{self.fhir_http}"

    @property
    def fhir_tls_url(self) -> str:
        """The plain FHIR R4 hospital, for servers."""
        return f"https://localhost:{self.fhir_tls}"

    @property
    def oracle_url(self) -> str:
        """The Oracle-like hospital, for browsers."""
        return f"http://localhost:{self.oracle_http}"

    @property
    def oracle_tls_url(self) -> str:
        """The Oracle-like hospital, for servers."""
        return f"https://localhost:{self.oracle_tls}"

    @property
    def m365_url(self) -> str:
        """Microsoft 365 (sign-in pages, Teams), for browsers."""
        return f"http://localhost:{self.m365_http}"

    @property
    def m365_tls_url(self) -> str:
        """Microsoft 365 (tokens, Graph), for servers."""
        return f"https://localhost:{self.m365_tls}"


def _port(environ: Mapping[str, str], variable: str) -> int:
    text = environ[variable]
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"{variable} must be a port number from 1 to 65535, not {text!r}")
    return int(text)
