"""What the EHR analyst registered of the connector: URLs, keys and CONTEXT strings of its OAuth clients.

Nothing is registered at first, and then nothing can be launched. Values are checked as a registrar would:
exact redirect URIs, key sets over TLS.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from sandbox.ehr.storage import Document

SIDES = ("provider", "patient", "backend")
_LONGEST = 2000


@dataclass(frozen=True)
class ClientRegistration:
    """One OAuth client: with a `secret` symmetric (HTTP Basic), without one it signs (private_key_jwt)."""

    launch_url: str = ""
    redirect_uris: tuple[str, ...] = ()
    jwks_url: str = ""
    secret: str = ""
    context: str = ""
    """CONTEXT string of the launch record, `key=%TOKEN%&key2=%TOKEN2%`."""
    group_context: str = ""
    """CONTEXT string of the group visits' launch record."""

    @property
    def complete(self) -> bool:
        """Whether the client can authenticate at all."""
        return bool(self.jwks_url or self.secret)


class Registry:
    """The registrations of one hospital, kept on disk."""

    def __init__(self, document: Document) -> None:
        """Take up what an earlier run kept."""
        self._document = document
        self._sides = {side: ClientRegistration() for side in SIDES}
        for side, values in document.loaded.items():
            self._sides[side] = _parse(side, values)

    def of(self, side: str) -> ClientRegistration:
        """The registration of a side, empty before anyone made it."""
        return self._sides[side]

    def put(self, wanted: Mapping[str, Any]) -> None:
        """Replace the sides named in `wanted`, all or nothing; `ValueError` says what to change."""
        if unknown := set(wanted) - set(SIDES):
            raise ValueError(f"unknown client: {', '.join(sorted(unknown))}")
        parsed = {side: _parse(side, values) for side, values in wanted.items()}
        self._sides |= parsed
        self._document.save(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """All sides, in the shape that `put` takes."""
        return {
            side: asdict(one) | {"redirect_uris": list(one.redirect_uris)}
            for side, one in self._sides.items()
        }


def _parse(side: str, values: object) -> ClientRegistration:
    if not isinstance(values, Mapping):
        raise ValueError(f"{side}: expected an object")
    if unknown := set(values) - {one.name for one in fields(ClientRegistration)}:
        raise ValueError(f"{side}: unknown member {', '.join(sorted(unknown))}")
    texts: dict[str, str] = {
        str(name): _text(side, name, value) for name, value in values.items() if name != "redirect_uris"
    }
    uris = values.get("redirect_uris", ())
    if not isinstance(uris, list | tuple):
        raise ValueError(f"{side}: redirect_uris must be a list")
    addresses = tuple(dict.fromkeys(_text(side, "redirect_uris", uri) for uri in uris))
    one = ClientRegistration(redirect_uris=addresses, **texts)
    _check(side, one)
    return one


def _text(side: str, name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{side}: {name} must be text of at most {_LONGEST} characters")
    return value.strip()


def _check(side: str, one: ClientRegistration) -> None:
    if one.launch_url and not _absolute(one.launch_url, ("http", "https")):
        raise ValueError(f"{side}: the launch URL must be an absolute http(s) address without a fragment")
    for uri in one.redirect_uris:
        if not _absolute(uri, ("http", "https")) or "*" in uri:
            raise ValueError(f"{side}: a redirect URI must be one exact absolute address: {uri}")
    if one.jwks_url and not _absolute(one.jwks_url, ("https",)):
        raise ValueError(f"{side}: the JWKS URL must start with https://")


def _absolute(url: str, schemes: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    return parts.scheme in schemes and bool(parts.hostname) and not parts.fragment and " " not in url
