"""A signed token against its issuer's published keys: EHRs' id_tokens, Entra's, Graph's validation tokens.

* The caller names the algorithms; only asymmetric signatures exist here, so a public key can never be taken
  for a shared secret and ``none`` is not a word.
* A key set (JWK Set, RFC 7517) is fetched once an hour. While its address is silent the old one serves, for a
  day.
* A token whose ``kid`` is unknown makes us look again, at most once a minute per address: rotation works, a
  flood of invented ids does not become a flood of requests.
* Claims are judged by our clock (OpenID Connect Core 1.0, 3.1.3.7).
"""

import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.clock import Clock
from shared.errors import AnswerRefused, AntesalaError, OutsideError, StatusRefused, Unreachable
from shared.outbound import Outbound

type Why = Literal[
    "malformed", "algorithm", "key", "signature", "issuer", "audience", "expired", "future", "missing"
]
type Issuer = str | Callable[[Mapping[str, Any]], str]

# What each algorithm needs of a key: its type, and the curve where there is one (RFC 7518 3.1).
_ALGORITHMS: Mapping[str, tuple[str, str]] = {
    **{f"{family}{size}": ("RSA", "") for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
}
_FRESH = timedelta(hours=1)
_STALE = timedelta(days=1)
_AGAIN = timedelta(minutes=1)
_LONGEST_TOKEN = 16_384
_MOST_KEYS = 100


class TokenRefused(AntesalaError):
    """The token proves nothing; ``why`` is one word for the log, safe to show."""

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why: Why = why
        super().__init__(f"{why}: {detail}" if detail else why)


@dataclass
class _Shelf:
    """What is known of one address."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: tuple[Mapping[str, Any], ...] = ()
    parsed: dict[tuple[int, str], Any] = field(default_factory=dict)
    fetched_at: datetime | None = None
    tried_at: datetime | None = None

    def younger(self, age: timedelta, now: datetime) -> bool:
        return self.fetched_at is not None and now - self.fetched_at < age

    def tried_within(self, age: timedelta, now: datetime) -> bool:
        return self.tried_at is not None and now - self.tried_at < age


class KeySets:
    """Issuers' key sets by address, and the verification of tokens against them."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._shelves: dict[str, _Shelf] = {}
        self._lock = threading.Lock()

    def verify(
        self,
        token: str,
        *,
        jwks_url: str,
        issuer: Issuer,
        audience: str,
        algorithms: tuple[str, ...],
        leeway: float = 60.0,
        required: Sequence[str] = ("exp", "iat", "iss", "aud"),
        since: datetime | None = None,
    ) -> dict[str, Any]:
        """The token's claims; TokenRefused, or an OutsideError when the keys cannot be had.

        ``issuer``: the exact value, or a function of the (already authentic) claims that says which one it
        must be. ``audience``: must be in ``aud``; where that is a list of several, ``azp`` must be it.
        ``leeway``: seconds. ``since``: when the token came in; an unknown ``kid`` is Unreachable instead of
        TokenRefused until the key set was read after that.
        """
        header = _header(token)
        alg = header.get("alg")
        if alg not in algorithms or alg not in _ALGORITHMS:
            raise TokenRefused("algorithm")
        if "crit" in header:
            raise TokenRefused("malformed", "critical header")
        claims = _authentic(token, alg, self._candidates(jwks_url, alg, header.get("kid"), since))
        _check_presence(claims, required)
        _check_parties(claims, issuer, audience)
        _check_times(claims, self._clock.now().timestamp(), leeway)
        return claims

    def _candidates(self, url: str, alg: str, kid: object, since: datetime | None) -> list[Any]:
        """The keys that may have signed; TokenRefused when there is none, even after looking again."""
        with self._lock:
            shelf = self._shelves.setdefault(url, _Shelf())
        self._refresh(url, shelf, _FRESH)
        found = _fitting(shelf, alg, kid)
        if not found:
            self._refresh(url, shelf, timedelta(0))
            found = _fitting(shelf, alg, kid)
        if not found and since is not None and (shelf.fetched_at is None or shelf.fetched_at < since):
            raise Unreachable("key set: not read since the token came")
        if not found:
            raise TokenRefused("key")
        return found

    def _refresh(self, url: str, shelf: _Shelf, age: timedelta) -> None:
        """Makes the shelf younger than ``age``, one thread at a time; others make do with the old keys."""
        if shelf.younger(age, self._clock.now()):
            return
        if not shelf.lock.acquire(blocking=not shelf.younger(_STALE, self._clock.now()) or not age):
            return
        try:
            now = self._clock.now()
            if shelf.younger(age, now) or shelf.tried_within(_AGAIN, now):
                # Another thread did it while this one waited, or failed just now: then what there is must do.
                if not shelf.younger(_STALE, now):
                    raise Unreachable("key set: no answer a moment ago")
                return
            shelf.tried_at = now
            self._fetch(url, shelf)
        except OutsideError:
            if not shelf.younger(_STALE, self._clock.now()):
                raise
        finally:
            shelf.lock.release()

    def _fetch(self, url: str, shelf: _Shelf) -> None:
        answer = self._outbound.send("GET", url, timeout=6.0, attempts=2, service="key-set")
        if answer.status != 200:
            raise StatusRefused(answer.status, "key-set", answer.retry_after())
        document = answer.json()
        rows = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(rows, list):
            raise AnswerRefused("key set: not a list of keys")
        shelf.keys = tuple(row for row in rows[:_MOST_KEYS] if isinstance(row, dict))
        shelf.parsed = {}
        shelf.fetched_at = self._clock.now()


def _fitting(shelf: _Shelf, alg: str, kid: object) -> list[Any]:
    """The keys of this ``kid`` that may sign with ``alg``; without ``kid``, the only one that may."""
    keys, parsed = shelf.keys, shelf.parsed
    rows = [place for place, row in enumerate(keys) if _may_sign(row, alg) and kid in (None, row.get("kid"))]
    if kid is None and len(rows) > 1:
        return []
    found = [_parsed(parsed, keys[place], place, alg) for place in rows]
    return [key for key in found if key is not None]


def _may_sign(row: Mapping[str, Any], alg: str) -> bool:
    kty, curve = _ALGORITHMS[alg]
    purpose = row.get("use") in (None, "sig") and "verify" in row.get("key_ops", ("verify",))
    return row.get("kty") == kty and row.get("crv", "") == curve and row.get("alg") in (None, alg) and purpose


def _parsed(parsed: dict[tuple[int, str], Any], row: Mapping[str, Any], place: int, alg: str) -> Any:
    """The key itself, made once; None for one that is malformed or too weak."""
    if (place, alg) not in parsed:
        from jwt import PyJWK
        from jwt.exceptions import PyJWTError

        try:
            key = PyJWK(dict(row), algorithm=alg)
        except (PyJWTError, ValueError, TypeError):
            key = None
        if key is not None and getattr(key.key, "key_size", 0) < 2048 and alg[:2] != "ES":
            key = None
        parsed[place, alg] = key
    return parsed[place, alg]


def _authentic(token: str, alg: str, keys: list[Any]) -> dict[str, Any]:
    from jwt import api_jws
    from jwt.exceptions import InvalidSignatureError, PyJWTError

    for key in keys:
        try:
            payload = api_jws.decode(token, key, algorithms=[alg])
            claims = json.loads(payload)
        except InvalidSignatureError:
            continue
        except (PyJWTError, ValueError, RecursionError):
            raise TokenRefused("malformed") from None
        if not isinstance(claims, dict):
            raise TokenRefused("malformed")
        return claims
    raise TokenRefused("signature")


def _header(token: str) -> dict[str, Any]:
    if len(token) > _LONGEST_TOKEN or token.count(".") != 2 or not token.isascii():
        raise TokenRefused("malformed")
    first = token.split(".", 1)[0]
    try:
        header = json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        raise TokenRefused("malformed") from None
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str):
        raise TokenRefused("malformed")
    return header


def _check_presence(claims: Mapping[str, Any], required: Sequence[str]) -> None:
    for name in required:
        if claims.get(name) in (None, "", []):
            raise TokenRefused("missing", name)


def _check_parties(claims: Mapping[str, Any], issuer: Issuer, audience: str) -> None:
    wanted = issuer if isinstance(issuer, str) else issuer(claims)
    if not wanted or claims.get("iss") != wanted:
        raise TokenRefused("issuer")
    aud = claims.get("aud")
    audiences = aud if isinstance(aud, list) else [aud]
    if not audience or audience not in audiences:
        raise TokenRefused("audience")
    azp = claims.get("azp")
    # A token for several needs to say for whom it was made (OpenID Connect Core 3.1.3.7, points 4 and 5).
    if len(audiences) > 1 and azp != audience:
        raise TokenRefused("audience", "azp")


def _check_times(claims: Mapping[str, Any], now: float, leeway: float) -> None:
    expires, begins, issued = (_number(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is not None and now >= expires + leeway:
        raise TokenRefused("expired")
    for moment in (begins, issued):
        if moment is not None and now < moment - leeway:
            raise TokenRefused("future")


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("malformed", name)
    return float(value)
