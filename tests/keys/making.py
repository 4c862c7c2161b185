"""Keys of every kind of badness, and a set of secrets that is sound."""

import base64
import json
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.fakes import MemorySecrets

type Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(bits: int = 2048, name: str = "") -> rsa.RSAPrivateKey:
    """One for each name, because making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: str = "384") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1() if curve == "384" else ec.SECP256R1())


def pem(key: Private) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def signing_row(kid: str, alg: str, key: Private, state: str = "current") -> dict[str, Any]:
    return {"kid": kid, "alg": alg, "private_key": pem(key), "state": state}


def certificate_row(
    now: datetime, *, called: str = "g-1", begins: int = -1, ends: int = 365, **keys: Any
) -> dict[str, Any]:
    """``begins``, ``ends``: days from now. ``key``: the private one; ``certified``: another one's public."""
    key = keys.get("key") or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notifications")])
    made = (
        x509.CertificateBuilder(name, name, (keys.get("certified") or key).public_key(), 7)
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .sign(key, hashes.SHA256())
    )
    return {
        "id": called,
        "private_key": pem(key),
        "certificate": made.public_bytes(serialization.Encoding.PEM).decode(),
    }


def symmetric(number: int) -> str:
    """A key that looks random and is the same in every run."""
    from hashlib import sha256

    return base64.urlsafe_b64encode(sha256(f"{number}".encode()).digest()).decode()


def listed(*rows: Any) -> str:
    return json.dumps(rows)


def sound(now: datetime) -> MemorySecrets:
    """A vault with which production starts."""
    return MemorySecrets(
        sealing_keys=listed(symmetric(1)),
        visit_keys=listed(symmetric(2)),
        ehr_signing_keys=listed(signing_row("rs", "RS384", rsa_key()), signing_row("es", "ES384", ec_key())),
        graph_certificates=listed(certificate_row(now)),
    )
