"""Everything that is wrong with the app's own keys, all at once.

Two kinds of finding. What was never fit for use (missing, of another shape, weak, twice, made for a sandbox,
no key that signs) *stops*: a production app does not start with it. A certificate that has run out does not:
visits take place without it, and an app that refused to start on that day would end them all. It is told by
the log, by the portal's check and, 30 days before, by the vault itself.
"""

import itertools
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.errors import AntesalaError
from shared.key_lists import SymmetricKey, in_use, since_of, symmetric_rows
from shared.keys import signing_keys_name
from shared.reread import UNUSABLE
from shared.secrets import SecretMissing, Secrets
from shared.settings import UNRESOLVED
from shared.texts import Text

SOON = timedelta(days=30)
"""How long before its end a certificate is told of."""
RSA_BITS = 2048
# Of 32 random bytes, one time in 10^13 fewer than 20 differ.
_DIFFERENT = 20
_CURVES = {"ES384": "secp384r1", "ES256": "secp256r1", "ES512": "secp521r1"}
_STATES = frozenset({"next", "current", "old"})


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``stops``: no production app starts with it; ``soon``: nothing fails yet."""

    text: Text
    stops: bool = True
    soon: bool = False


class KeysError(AntesalaError):
    """The app refuses to start; a line for each fault of its keys."""

    def __init__(self, findings: Collection[Finding]) -> None:
        self.faults = tuple(str(finding.text) for finding in findings)
        super().__init__("the keys cannot be used:\n" + "\n".join(f"- {fault}" for fault in self.faults))


class KeyReview:
    """Reads every key of the app's own and judges them."""

    def __init__(self, secrets: Secrets, clock: Clock, tenants: Collection[str], *, sandbox: bool) -> None:
        """``tenants``: the operator's; ``sandbox``: whether keys made for one may be used."""
        self._secrets = secrets
        self._clock = clock
        self._tenants = sorted(tenants)
        self._sandbox = sandbox

    def findings(self, tenants: Collection[str] = ()) -> tuple[Finding, ...]:
        """All that is wrong; of the signing keys only those of ``tenants``, where some are named.

        OutsideError when the vault does not answer: nothing is known then.
        """
        several = len(self._tenants) > 1
        names = [signing_keys_name(one if several else "") for one in tenants or self._tenants]
        rules: list[tuple[str, Rule]] = [
            ("sealing-keys", self._symmetric),
            ("visit-keys", self._symmetric),
            *((name, signing_findings) for name in dict.fromkeys(names)),
            ("graph-certificates", self._certificates),
        ]
        texts = {name: self._read(name) for name, _ in rules}
        found = [finding for name, rule in rules for finding in self._judged(name, texts[name], rule)]
        return (*found, *_shared(texts))

    def _read(self, name: str) -> str | None:
        try:
            return self._secrets.read(name)
        except SecretMissing:
            return None

    def _judged(self, name: str, text: str | None, rule: "Rule") -> Iterator[Finding]:
        if text is None:
            yield Finding(Text("The secret %(name)s is missing.", name=name))
            return
        if text.startswith(UNRESOLVED):
            yield Finding(
                Text("The secret %(name)s is a Key Vault reference that Azure could not resolve.", name=name)
            )
            return
        try:
            yield from list(rule(name, text))
        except UNUSABLE:
            yield Finding(Text("The secret %(name)s is not of the shape that it needs.", name=name))
            return
        if not self._sandbox and _of_sandbox(text):
            yield Finding(Text("The secret %(name)s was made for a sandbox.", name=name))

    def _symmetric(self, name: str, text: str) -> Iterator[Finding]:
        return symmetric_findings(name, symmetric_rows(text, name))

    def _certificates(self, name: str, text: str) -> Iterator[Finding]:
        return certificate_findings(name, text, self._clock.now())


type Rule = Callable[[str, str], Iterator[Finding]]


def symmetric_findings(name: str, rows: Collection[SymmetricKey]) -> Iterator[Finding]:
    """Keys that somebody could guess, and keys that stand there twice."""
    known: set[bytes] = set()
    for number, row in enumerate(rows, 1):
        if not _random(row.key):
            yield Finding(Text("Key %(number)s of %(name)s is not random.", number=number, name=name))
        if row.key in known:
            yield Finding(Text("Key %(number)s of %(name)s stands there twice.", number=number, name=name))
        known.add(row.key)


def _random(key: bytes) -> bool:
    """Whether it looks so: neither few bytes over and over, nor a text that somebody typed, nor counted."""
    steps = {(after - before) % 256 for before, after in itertools.pairwise(key)}
    return len(set(key)) >= _DIFFERENT and len(steps) > 8 and not all(0x20 <= byte < 0x7F for byte in key)


def signing_findings(name: str, text: str) -> Iterator[Finding]:
    """Weak keys, keys in no or the wrong state, and two that nobody could tell apart."""
    from shared.keys import private_key

    rows = json.loads(text)
    names, publics = set[str](), set[bytes]()
    for row in rows:
        key = private_key(row["private_key"])
        if not _fits(key, row["alg"]):
            yield _of(row, name, Text("it is too weak, or does not fit its algorithm"))
        if row["state"] not in _STATES:
            yield _of(row, name, Text("its state is none that is known"))
        if row["kid"] in names or _public(key) in publics:
            yield _of(row, name, Text("it, or its name, stands there twice"))
        names.add(row["kid"])
        publics.add(_public(key))
    yield from _without_current(name, rows)


def _of(row: dict[str, Any], name: str, why: Text) -> Finding:
    return Finding(Text("Key %(key)s of %(name)s: %(why)s.", key=str(row["kid"]), name=name, why=why))


def _without_current(name: str, rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """SMART servers take RS384 or ES384 at least; a set of old keys alone signs nothing."""
    for alg in dict.fromkeys([row["alg"] for row in rows if row["state"] != "old"] or ["RS384"]):
        current = sum(row["alg"] == alg and row["state"] == "current" for row in rows)
        if current != 1:
            yield Finding(
                Text(
                    "%(name)s: one key for %(alg)s must be current, %(number)s are.",
                    name=name,
                    alg=str(alg),
                    number=current,
                )
            )


def _fits(key: Any, alg: str) -> bool:
    if alg.startswith("RS"):
        return getattr(key, "key_size", 0) >= RSA_BITS and not hasattr(key, "curve")
    return alg in _CURVES and getattr(getattr(key, "curve", None), "name", "") == _CURVES[alg]


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(*form))


def certificate_findings(name: str, text: str, now: datetime) -> Iterator[Finding]:
    """Certificates that Graph could not use, and the end of the one for which it encrypts now."""
    rows = [_Certificate(row) for row in json.loads(text)]
    if not rows:
        raise ValueError(f"{name} is empty")
    ids = [row.id for row in rows]
    for row in rows:
        if not row.usable():
            why = Text("it is too weak, or its private key is another's")
            yield Finding(Text("Key %(key)s of %(name)s: %(why)s.", key=row.id, name=name, why=why))
    if len(set(ids)) < len(ids):
        yield Finding(Text("Two certificates of %(name)s have one id.", name=name))
    yield from _dates(name, in_use(rows, now), now)


class _Certificate:
    def __init__(self, row: dict[str, Any]) -> None:
        from cryptography.x509 import load_pem_x509_certificate

        from shared.keys import private_key

        self.id = str(row["id"])
        self.since = since_of(row)
        self.key: Any = private_key(row["private_key"])
        self.certificate = load_pem_x509_certificate(row["certificate"].encode())

    def usable(self) -> bool:
        return _fits(self.key, "RS256") and self.certificate.public_key() == self.key.public_key()


def _dates(name: str, row: _Certificate, now: datetime) -> Iterator[Finding]:
    """Of the certificate in use. The end of an older one matters to nobody: it opens what is under way."""
    begins, ends = row.certificate.not_valid_before_utc, row.certificate.not_valid_after_utc
    values = {"key": row.id, "name": name, "date": f"{ends:%Y-%m-%d}"}
    if begins > now:
        values["date"] = f"{begins:%Y-%m-%d}"
        yield Finding(Text("Certificate %(key)s of %(name)s is not valid before %(date)s.", **values))
    if ends <= now:
        yield Finding(Text("Certificate %(key)s of %(name)s ran out on %(date)s.", **values), stops=False)
    elif ends - now < SOON:
        soon = Text("Certificate %(key)s of %(name)s runs out on %(date)s.", **values)
        yield Finding(soon, stops=False, soon=True)


def _of_sandbox(text: str) -> bool:
    return any(isinstance(row, dict) and row.get("sandbox") for row in json.loads(text))


def _shared(texts: dict[str, str | None]) -> Iterator[Finding]:
    try:
        sealing, visit = (
            {row.key for row in symmetric_rows(texts[name] or "", name)}
            for name in ("sealing-keys", "visit-keys")
        )
    except UNUSABLE:
        return
    if sealing & visit:
        yield Finding(Text("sealing-keys and visit-keys have a key in common."))
