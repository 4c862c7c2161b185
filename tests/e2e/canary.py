"""Looks for unmistakable values in any pile of bytes, through the coats that data wears on its way.

``search`` undoes, again and again up to a depth: base64, base64url, percent-encoding, gzip, zlib, raw deflate
and UTF-16, and also looks for the plain SHA-256 of each value (an enumerable identifier hashed is still the
identifier).
"""

import base64
import binascii
import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

DEPTH = 4
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")


@dataclass(frozen=True)
class Finding:
    """A value that was seen: which one, where, and through which coats."""

    value: str
    where: str
    coats: tuple[str, ...]


def needles(values: Iterable[str]) -> dict[bytes, str]:
    """What to look for, lower case: each value, and its plain SHA-256 in hex, base64 and base64url."""
    found: dict[bytes, str] = {}
    for value in values:
        raw = value.encode()
        found[raw.lower()] = value
        digest = hashlib.sha256(raw).digest()
        found[digest.hex().encode()] = f"sha256({value})"
        found[digest] = f"sha256({value}) raw"
        for coder in (base64.b64encode, base64.urlsafe_b64encode):
            found[coder(digest).rstrip(b"=").lower()] = f"sha256({value}) base64"
    return found


def search(piles: Mapping[str, bytes], values: Iterable[str], depth: int = DEPTH) -> list[Finding]:
    """Every value seen in every pile, each (value, pile) once."""
    wanted = needles(values)
    findings: dict[tuple[str, str], Finding] = {}
    for where, pile in piles.items():
        for layer, coats in _layers(pile, depth):
            lowered = layer.lower()
            for needle, value in wanted.items():
                if needle in (layer if value.endswith("raw") else lowered):
                    findings.setdefault((value, where), Finding(value, where, coats))
    return list(findings.values())


def _layers(pile: bytes, depth: int) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    seen: set[bytes] = set()
    waiting: list[tuple[bytes, tuple[str, ...]]] = [(pile, ())]
    while waiting:
        layer, coats = waiting.pop()
        mark = hashlib.blake2b(layer, digest_size=16).digest()
        if mark in seen:
            continue
        seen.add(mark)
        yield layer, coats
        if len(coats) < depth:
            waiting.extend((inner, (*coats, name)) for name, inner in _undressed(layer))


def _undressed(layer: bytes) -> Iterator[tuple[str, bytes]]:
    if _PERCENT.search(layer):
        yield "percent", unquote_to_bytes(layer)
    yield from _utf16(layer)
    yield from _unpacked(layer)
    for run in _BASE64_RUN.findall(layer):
        for offset in range(4 if len(run) < 200 else 1):
            decoded = _base64(run[offset:])
            if decoded:
                yield "base64", decoded
                yield from ((f"base64+{name}", inner) for name, inner in _unpacked(decoded))


def _base64(run: bytes) -> bytes:
    text = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    text = text[: len(text) - (1 if len(text) % 4 == 1 else 0)]
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _utf16(layer: bytes) -> Iterator[tuple[str, bytes]]:
    for name, start in (("utf-16-le", 0), ("utf-16-be", 1)):
        if layer[1 - start :: 2].count(0) > len(layer) // 8 and len(layer) > 8:
            yield name, bytes(byte for byte in layer if byte)


_UNPACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b"",
    "zlib": lambda data: zlib.decompressobj().decompress(data) if data[:1] in b"\x78\x58\x48" else b"",
    "deflate": lambda data: zlib.decompressobj(-15).decompress(data) if len(data) < 20_000 else b"",
}


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    for name, unpack in _UNPACKERS.items():
        try:
            inner = unpack(data)
        except (OSError, EOFError, zlib.error):
            continue
        if inner:
            yield name, inner


def dressings(value: str) -> dict[str, bytes]:
    """The value in every coat the search must see through; for the test of the search itself."""
    raw = f"prefix {value} suffix".encode()
    plain = base64.b64encode(raw)
    return {
        "raw": raw,
        "upper case": raw.upper(),
        "base64": plain,
        "base64url without padding": base64.urlsafe_b64encode(raw).rstrip(b"="),
        "percent": quote(raw.decode(), safe="").encode(),
        "percent of every byte": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "utf-16": f"prefix {value} suffix".encode("utf-16"),
        "utf-16 base64": base64.b64encode(f"prefix {value} suffix".encode("utf-16-le")),
        "gzip": gzip.compress(raw),
        "gzip base64": base64.b64encode(gzip.compress(raw)),
        "zlib base64url": base64.urlsafe_b64encode(zlib.compress(raw)),
        "json in base64 in base64": base64.b64encode(b'{"m":"' + plain + b'"}'),
        "percent of base64": quote(plain.decode(), safe="").encode(),
        "sha-256": hashlib.sha256(value.encode()).hexdigest().encode(),
        "sha-256 base64": base64.b64encode(hashlib.sha256(value.encode()).digest()),
    }
