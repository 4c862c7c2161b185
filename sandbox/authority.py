"""The sandbox's own certificate authority: made once, trusted by nobody but the sandbox.

Three files in the state folder:

* ``ca.pem``         the authority's certificate
* ``bundle.pem``     the public authorities (certifi) and this one: what clients in the sandbox trust
* ``localhost.pem``  private key and chain for ``localhost`` and ``127.0.0.1``: what servers present

The authority's private key is never written: nobody can issue a second certificate from a leaked folder.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import trustme
from cryptography import x509

from sandbox.serving import tls_context

_MINIMUM_LEFT = timedelta(days=1)
_LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """The files of one authority."""

    ca: Path
    bundle: Path
    localhost: Path

    def server_context(self) -> ssl.SSLContext:
        """What a TLS server in the sandbox presents."""
        return tls_context(str(self.localhost))


def ensure_authority(state: Path) -> Authority:
    """Return the authority kept in the folder `state`; make it if there is none or it lapses within a day."""
    authority = Authority(state / "ca.pem", state / "bundle.pem", state / "localhost.pem")
    if not _is_usable(authority):
        _make(authority)
    return authority


def _is_usable(authority: Authority) -> bool:
    if not all(path.exists() for path in (authority.ca, authority.bundle, authority.localhost)):
        return False
    pem = authority.localhost.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
    return certificate.not_valid_after_utc - datetime.now(UTC) > _MINIMUM_LEFT


def _make(authority: Authority) -> None:
    state = authority.ca.parent
    state.mkdir(parents=True, exist_ok=True)
    ca = trustme.CA(organization_name="Antesala sandbox (throw-away)")
    until = datetime.now(UTC) + _LIFETIME
    leaf = ca.issue_cert("localhost", "127.0.0.1", not_after=until)
    ca.cert_pem.write_to_path(str(authority.ca))
    authority.bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + ca.cert_pem.bytes())
    authority.localhost.touch(mode=0o600)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(authority.localhost))
