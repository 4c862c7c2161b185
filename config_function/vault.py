"""Client secrets on their one way: typed, written to the key vault, never shown or read here again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.clock import Entropy
from shared.connection import Client, Revision
from shared.secrets import Secrets

_SIDES = ("provider", "patient", "backend")


class ClientSecrets:
    """Each new secret gets a name of its own, so that the approved revision keeps the one it was approved with."""

    def __init__(self, secrets: Secrets, entropy: Entropy) -> None:
        self._secrets = secrets
        self._entropy = entropy

    def kept(self, revision: Revision, typed: Mapping[str, Any]) -> Revision:
        """The revision whose clients name the secrets just typed; a client without a secret names none."""
        for side in _SIDES:
            client: Client = getattr(revision, side)
            revision = replace(revision, **{side: self._client(revision, side, client, typed)})
        return revision

    def _client(self, revision: Revision, side: str, client: Client, typed: Mapping[str, Any]) -> Client:
        if client.auth != "client_secret_basic":
            return replace(client, secret_name="")
        secret = typed.get(f"{side}_secret", "")
        if not secret:
            return client
        # Key Vault names hold letters, digits and hyphens only.
        mark = self._entropy.choose("abcdefghijklmnopqrstuvwxyz234567", 12)
        name = f"ehr-{revision.connection}-{side}-{mark}"
        self._secrets.write(name, secret)
        return replace(client, secret_name=name)
