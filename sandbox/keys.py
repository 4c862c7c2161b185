"""The secrets of a sandbox or of a deployment to be, one file each, made once and kept.

    python -m sandbox.keys FOLDER             every secret
    python -m sandbox.keys FOLDER TENANT      the signing keys of one organization more, and nothing else

The files stand where Key Vault's secrets stand in production:

* ``sealing-keys``, ``visit-keys``  JSON array of base64url 32-byte keys, oldest first
* ``ehr-signing-keys``              JSON array of ``{"kid", "alg", "private_key", "state"}``, one current
  per alg; ``ehr-signing-keys-{tenant id}`` where several organizations share a deployment
* ``graph-certificates``            JSON array of ``{"id", "private_key", "certificate"}``, oldest first
* ``graph-client``                  PEM private key followed by its certificate
"""

import base64
import json
import os
import re
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_LIFETIME = timedelta(days=365)
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def ensure_keys(folder: Path) -> None:
    """Make every secret file that is missing in `folder`; never touch one that exists."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, make in _SECRETS.items():
        if not (folder / name).exists():
            _write(folder / name, make())


def ensure_tenant_keys(folder: Path, tenant: str) -> None:
    """Make the signing keys of one organization if they are missing; ValueError for what is no tenant ID.

    Nothing else is made: a second sealing key laid into the vault by mistake would close what is open.
    """
    name = tenant.strip().lower()
    if not _TENANT.fullmatch(name):
        raise ValueError("a tenant ID is a GUID, as the Entra admin center shows it")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"ehr-signing-keys-{name}"
    if not path.exists():
        _write(path, signing_keys())


def graph_client_certificate(folder: Path) -> str:
    """The public half of ``graph-client``: the PEM certificate that the simulated Entra trusts."""
    pem = (folder / "graph-client").read_text()
    return pem[pem.index("-----BEGIN CERTIFICATE") :]


def _write(path: Path, text: str) -> None:
    # Written aside and renamed: a start cut short must not leave half a key that is then kept for ever.
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)


def _symmetric_keys() -> str:
    return json.dumps([base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()])


def signing_keys() -> str:
    """A new key set for client assertions: one current key per algorithm."""
    rows = [
        {"kid": f"{name}-{secrets.token_hex(4)}", "alg": alg, "private_key": _pem(key), "state": "current"}
        for name, alg, key in (
            ("rs", "RS384", _rsa()),
            ("es", "ES384", ec.generate_private_key(ec.SECP384R1())),
        )
    ]
    return json.dumps(rows, indent=1)


def _graph_certificates() -> str:
    key = _rsa()
    certificate = _self_signed(key, "Antesala notifications")
    return json.dumps(
        [{"id": f"graph-{secrets.token_hex(4)}", "private_key": _pem(key), "certificate": certificate}],
        indent=1,
    )


def _graph_client() -> str:
    key = _rsa()
    return _pem(key) + _self_signed(key, "Antesala app")


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _self_signed(key: rsa.RSAPrivateKey, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


_SECRETS: dict[str, Callable[[], str]] = {
    "sealing-keys": _symmetric_keys,
    "visit-keys": _symmetric_keys,
    "ehr-signing-keys": signing_keys,
    "graph-certificates": _graph_certificates,
    "graph-client": _graph_client,
}


def main(arguments: list[str]) -> int:
    """0 when the keys are there; 2 with a word about how to ask when they cannot be made."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m sandbox.keys FOLDER [TENANT]\n")
        return 2
    folder, *tenants = arguments
    try:
        for tenant in tenants:
            ensure_tenant_keys(Path(folder), tenant)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not tenants:
        ensure_keys(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
