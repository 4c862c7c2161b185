"""The secrets of a sandbox or of a deployment to be, one file each, made once and kept.

    python -m sandbox.keys FOLDER             every secret
    python -m sandbox.keys FOLDER TENANT      the signing keys of one organization more, and nothing else

``python -m sandbox.rotation`` renews them.

The files stand where Key Vault's secrets stand in production:

* ``sealing-keys``, ``visit-keys``  JSON array of base64url 32-byte keys, oldest first
* ``ehr-signing-keys``              JSON array of ``{"kid", "alg", "private_key", "state"}``, one current
  per alg; ``ehr-signing-keys-{tenant id}`` where several organizations share a deployment
* ``graph-certificates``            JSON array of ``{"id", "private_key", "certificate"}``, oldest first
* ``graph-client``                  PEM private key followed by its certificate

Rows that a sandbox makes for itself say so in ``sandbox``: production does not start with them.
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
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=400)
"""Of a certificate: five weeks longer than the year after which its secret is due to be renewed."""
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


type Rows = list[Any]


def ensure_keys(folder: Path, *, of_sandbox: bool = True) -> None:
    """Make every secret file that is missing in `folder`; never touch one that exists.

    `of_sandbox`: whether the keys say that they are for a sandbox alone; else `graph-client` is left out, in
    place of which production has an identity.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, make in _ROWS.items():
        if not (folder / name).exists():
            write(folder / name, text_of(_marked(make()) if of_sandbox else make()))
    if of_sandbox and not (folder / "graph-client").exists():
        write(folder / "graph-client", _graph_client())


def text_of(rows: Rows) -> str:
    """The secret's text."""
    return json.dumps(rows, indent=1)


def _marked(rows: Rows) -> Rows:
    return [{**(row if isinstance(row, dict) else {"key": row}), "sandbox": True} for row in rows]


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
        write(path, signing_keys())


def graph_client_certificate(folder: Path) -> str:
    """The public half of ``graph-client``: the PEM certificate that the simulated Entra trusts."""
    pem = (folder / "graph-client").read_text()
    return pem[pem.index("-----BEGIN CERTIFICATE") :]


def write(path: Path, text: str) -> None:
    """Writes a file that nobody else may read."""
    # Written aside and renamed: a start cut short must not leave half a key that is then kept for ever.
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)


def symmetric_key() -> str:
    """A new key of 32 bytes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def signing_keys() -> str:
    """A new key set for client assertions: one current key per algorithm."""
    return text_of(signing_rows("current"))


def signing_rows(state: str) -> Rows:
    """A new key per algorithm, in this state."""
    return [
        {"kid": f"{name}-{secrets.token_hex(4)}", "alg": alg, "private_key": _pem(key), "state": state}
        for name, alg, key in (
            ("rs", "RS384", _rsa()),
            ("es", "ES384", ec.generate_private_key(ec.SECP384R1())),
        )
    ]


def certificate_row() -> dict[str, str]:
    """A new certificate for which Graph encrypts, and its key."""
    key = _rsa()
    certificate = _self_signed(key, "Antesala notifications")
    return {"id": f"graph-{secrets.token_hex(4)}", "private_key": _pem(key), "certificate": certificate}


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
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


_ROWS: dict[str, Callable[[], Rows]] = {
    "sealing-keys": lambda: [symmetric_key()],
    "visit-keys": lambda: [symmetric_key()],
    "ehr-signing-keys": lambda: signing_rows("current"),
    "graph-certificates": lambda: [certificate_row()],
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
        ensure_keys(Path(folder), of_sandbox=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
