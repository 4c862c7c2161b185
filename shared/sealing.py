"""Values that leave our hands and come back: sealed, or turned into a keyed pseudonym.

* Sealed means encrypted and authenticated (Fernet: AES-128-CBC and HMAC-SHA256), under a subkey per purpose
  (HKDF, RFC 5869), so that what was sealed for one purpose never opens for another.
* Keys are lists, oldest first: one seals, all open. It is the newest that is in use (``shared.key_lists``). A
  key is retired when its longest lifetime has passed.
* What no key opens may be another instance's, which has read a newer list: the list is looked at once more
  before it counts as broken.
* A purpose has one lifetime, counted from the moment of sealing by the reader's own table.
* A sealed text is base64url without padding: fit for cookies, paths and queries as it is.
"""

import base64
import hmac
import json
import re
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.clock import Clock
from shared.errors import SealBroken, SealExpired, SealUnknown

LIFETIMES: Mapping[str, int] = {
    "flow": 600,
    "signin": 600,
    "consent": 3_600,
    "pending": 600,
    "cursor": 3_600,
    "ticket": 3_600,
    "device-test": 3_600,
    "resume": 14_400,
    "session": 28_800,
    "view": 43_200,
    "last-opened": 2_592_000,
    "context": 7_776_000,
    "message": 7_776_000,
    "person": 7_776_000,
}
"""Seconds for which a sealed text opens, by purpose."""

_TEXT = re.compile(r"[A-Za-z0-9_-]+")
_SKEW = timedelta(minutes=1)


class KeyRing(Protocol):
    """Keys of 32 random bytes that may change while the process runs."""

    def ring(self) -> tuple[bytes, ...]:
        """Every key; the first makes what is new, all of them know what was made."""
        ...

    def anew(self) -> None:
        """Looks at where the keys come from, in case somebody knows more of them; not too often."""
        ...


class _Fixed:
    """Keys that stay; given oldest first, the newest is in use."""

    def __init__(self, keys: list[bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys):
            raise ValueError("at least one key is needed, and each must have 32 bytes")
        self._ring = tuple(reversed(keys))

    def ring(self) -> tuple[bytes, ...]:
        return self._ring

    def anew(self) -> None:
        """They stay."""


class Sealer:
    """Seals JSON values and opens them again."""

    def __init__(
        self, keys: KeyRing | list[bytes], clock: Clock, lifetimes: Mapping[str, int] = LIFETIMES
    ) -> None:
        """``keys``: a ring, or 32 random bytes each, oldest first."""
        self._keys = _Fixed(keys) if isinstance(keys, list) else keys
        self._clock = clock
        self._lifetimes = lifetimes
        self._fernets: dict[str, tuple[tuple[bytes, ...], MultiFernet]] = {}

    def seal(self, purpose: str, value: Any) -> str:
        """A text that only ``open`` with the same purpose reads; KeyError for an unknown purpose."""
        now = int(self._clock.now().timestamp())
        token = self._fernet(purpose).encrypt_at_time(_packed(value), now)
        return token.rstrip(b"=").decode()

    def open(self, purpose: str, token: str) -> Any:
        """The value that was sealed; SealExpired when it is too late, SealBroken for everything else.

        SealUnknown is the SealBroken of what may have been ours, under a key that is gone.
        """
        if not _TEXT.fullmatch(token):
            raise SealBroken(f"{purpose}: not a sealed text")
        padded = token.encode() + b"=" * (-len(token) % 4)
        try:
            content, sealed_at = self._decrypted(purpose, padded)
        except InvalidToken:
            broken = SealUnknown if _is_fernet(padded) else SealBroken
            raise broken(f"{purpose}: not ours, changed, or sealed for another purpose") from None
        age = self._clock.now().timestamp() - sealed_at
        if age > self._lifetimes[purpose]:
            raise SealExpired(f"{purpose}: expired {int(age - self._lifetimes[purpose])} s ago")
        if age < -_SKEW.total_seconds():
            raise SealBroken(f"{purpose}: sealed {int(-age)} s in the future")
        return _unpacked(content)

    def _decrypted(self, purpose: str, token: bytes) -> tuple[bytes, int]:
        fernet = self._fernet(purpose)
        try:
            return fernet.decrypt(token), fernet.extract_timestamp(token)
        except InvalidToken:
            # A look at the vault is had for what could be ours only.
            if not _is_fernet(token):
                raise
            self._keys.anew()
            if self._fernet(purpose) is fernet:
                raise
        fernet = self._fernet(purpose)
        return fernet.decrypt(token), fernet.extract_timestamp(token)

    def _fernet(self, purpose: str) -> MultiFernet:
        if purpose not in self._lifetimes:
            raise KeyError(purpose)
        ring, known = self._keys.ring(), self._fernets.get(purpose)
        if known is not None and known[0] == ring:
            return known[1]
        fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_subkey(key, purpose))) for key in ring])
        self._fernets[purpose] = ring, fernet
        return fernet


class Pseudonyms:
    """Names that tell nothing and cannot be guessed: keyed HMAC-SHA256 as 43 base64url characters."""

    def __init__(self, keys: KeyRing | list[bytes]) -> None:
        """``keys``: a ring, or 32 random bytes each, oldest first."""
        self._keys = _Fixed(keys) if isinstance(keys, list) else keys

    def visit_keys(self, connection: str, kind: str, visit_id: str) -> tuple[str, ...]:
        """How this visit may be named at rest: by the key in use first, then by every other one."""
        return self._all("visit", connection, kind, visit_id)

    def keyed(self, purpose: str, value: str) -> str:
        """The value's pseudonym for a purpose, under the key in use."""
        return _mac(self._keys.ring()[0], "keyed", purpose, value)

    def matches(self, purpose: str, value: str, mac: str) -> bool:
        """Whether ``mac`` is the value's pseudonym under any key; compared in constant time."""
        if self._matches(purpose, value, mac):
            return True
        self._keys.anew()
        return self._matches(purpose, value, mac)

    def _matches(self, purpose: str, value: str, mac: str) -> bool:
        given = mac.encode("utf-8", "surrogatepass")
        found = [hmac.compare_digest(own.encode(), given) for own in self._all("keyed", purpose, value)]
        return any(found)

    def _all(self, *parts: str) -> tuple[str, ...]:
        return tuple(_mac(key, *parts) for key in self._keys.ring())


def _mac(key: bytes, *parts: str) -> str:
    # A JSON list, because joined texts could be divided differently: ("ab", "c") is not ("a", "bc").
    text = json.dumps(["antesala", *parts], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hmac.digest(key, text, "sha256")).rstrip(b"=").decode()


def _subkey(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"antesala/" + purpose.encode()).derive(key)


def _packed(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    # Raw deflate: the header and checksum of zlib would cost six bytes that Fernet's HMAC makes needless.
    # A window of 4 KiB holds what is sealed; the usual 32 KiB cost more to set up than to use.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12, 5)
    small = compressor.compress(text) + compressor.flush()
    return b"z" + small if len(small) < len(text) else b"j" + text


def _unpacked(content: bytes) -> Any:
    text = zlib.decompress(content[1:], -15) if content[:1] == b"z" else content[1:]
    return json.loads(text)


def _is_fernet(token: bytes) -> bool:
    """Whether it has the form (version, moment, vector, one block and more, HMAC): garbage has not."""
    try:
        content = base64.urlsafe_b64decode(token)
    except ValueError:
        return False
    return content[:1] == b"\x80" and len(content) >= 73 and (len(content) - 57) % 16 == 0
