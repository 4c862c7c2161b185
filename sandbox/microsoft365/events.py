"""Call events: what they say, and how they are sealed for a subscriber (graph.md 3.3, 3.5, 3.6)."""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sandbox.microsoft365.metadata import spell

EVENT_TYPE = "#microsoft.graph.callevent"


@dataclass(frozen=True)
class CallEvent:
    """Something that happened in a call: `kind` as Graph names it, roster changes in Graph's camelCase."""

    id: str
    kind: str
    at: datetime
    participants: Sequence[Mapping[str, Any]] = ()


def payload(event: CallEvent, resource: str, type_name: str, camel_case: bool) -> dict[str, Any]:
    """The decrypted form of an event: PascalCase keys as seen in the field, or camelCase as documented."""
    said: dict[str, Any] = {
        "@odata.type": EVENT_TYPE,
        "@odata.id": resource,
        "id": event.id,
        type_name: event.kind,
        "eventDateTime": spell(event.at),
    }
    if event.participants:
        said["participants@delta"] = [dict(one) for one in event.participants]
    spelled: dict[str, Any] = said if camel_case else _pascal(said)
    return spelled


def sealed(said: Mapping[str, Any], certificate: str, certificate_id: str, bad_hmac: bool) -> dict[str, str]:
    """`encryptedContent`: AES-256-CBC under a fresh key, that under RSA-OAEP-SHA1, HMAC over the data."""
    parsed, public = public_key(certificate)
    key = os.urandom(32)
    data = _encrypt(key, json.dumps(said).encode())
    signer = hmac.HMAC(key if not bad_hmac else os.urandom(32), hashes.SHA256())
    signer.update(data)
    sha1 = hashes.SHA1()  # noqa: S303 (what the service uses)
    oaep = rsa_padding.OAEP(mgf=rsa_padding.MGF1(sha1), algorithm=sha1, label=None)
    return {
        "data": _text(data),
        "dataSignature": _text(signer.finalize()),
        "dataKey": _text(public.encrypt(key, oaep)),
        "encryptionCertificateId": certificate_id,
        "encryptionCertificateThumbprint": parsed.fingerprint(sha1).hex().upper(),
    }


def public_key(certificate: str) -> tuple[x509.Certificate, RSAPublicKey]:
    """The certificate in base64 of DER, and its RSA key of 2048 to 4096 bits; raises ValueError otherwise."""
    der = base64.b64decode(certificate, validate=True)
    parsed = x509.load_der_x509_certificate(der)
    if parsed.public_bytes(serialization.Encoding.DER) != der:
        raise ValueError("something follows the certificate")
    public = parsed.public_key()
    if not isinstance(public, RSAPublicKey) or not 2048 <= public.key_size <= 4096:
        raise ValueError("not an RSA key of 2048 to 4096 bits")
    return parsed, public


def _encrypt(key: bytes, plain: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(item) for item in value]
    if isinstance(value, dict):
        return {
            name if name.startswith("@") else name[:1].upper() + name[1:]: _pascal(item)
            for name, item in value.items()
        }
    return value
