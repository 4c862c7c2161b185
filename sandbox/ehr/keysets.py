"""The connector's key sets, fetched from the registered URL as an EHR does: over TLS, kept for a minute."""

import threading
from collections.abc import Callable

import requests
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

LIFE_SECONDS = 60
_LARGEST = 100_000


class KeySetError(Exception):
    """The key set could not be had, or holds something that it must not."""


class KeySets:
    """Key sets by URL. A kid that a kept set does not hold makes it be fetched again."""

    def __init__(self, clock: Callable[[], float], session_factory: Callable[[], requests.Session]) -> None:
        """Fetch nothing yet."""
        self._clock = clock
        self._session_factory = session_factory
        self._kept: dict[str, tuple[float, KeySet]] = {}
        self._lock = threading.Lock()

    def key(self, url: str, kid: str) -> Key:
        """The public key of this kid; raises `KeySetError` in words."""
        with self._lock:
            fetched, keys = self._kept.get(url, (0.0, KeySet([])))
            found = _with_kid(keys, kid)
            if found is None or fetched + LIFE_SECONDS <= self._clock():
                keys = self._fetch(url)
                self._kept[url] = (self._clock(), keys)
                found = _with_kid(keys, kid)
        if found is None:
            raise KeySetError(f"the key set has no key with kid {kid!r}")
        return found

    def _fetch(self, url: str) -> KeySet:
        try:
            with self._session_factory() as session:
                answer = session.get(url, timeout=5, allow_redirects=False)
        except requests.RequestException as error:
            raise KeySetError(f"the key set cannot be fetched: {type(error).__name__}") from error
        if answer.status_code != 200 or len(answer.content) > _LARGEST:
            raise KeySetError(f"the JWKS URL answered {answer.status_code}")
        try:
            return _public_keys(answer.json())
        except (ValueError, TypeError, KeyError, AttributeError, JoseError) as error:
            raise KeySetError("the JWKS URL does not answer with a key set") from error


def _public_keys(content: dict[str, list[dict[str, str | list[str]]]]) -> KeySet:
    for one in content["keys"]:
        if one.keys() & {"d", "p", "q", "k"}:
            raise KeySetError("the key set publishes private members")
        if not one.get("kid"):
            raise KeySetError("a key of the set has no kid")
    return KeySet.import_key_set({"keys": content["keys"]})


def _with_kid(keys: KeySet, kid: str) -> Key | None:
    return next((key for key in keys.keys if key.kid == kid), None)
