"""Client secrets on their one way: typed, written to the key vault, never shown or read here again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.clock import Entropy
from shared.connection import Client, Revision
from shared.secrets import Secrets


class ClientSecrets:
    """Each new secret gets a name of its own, so that the approved revision keeps the one it has."""

    def __init__(self, secrets: Secrets, entropy: Entropy) -> None:
        self._secrets = secrets
        self._entropy = entropy

    def named(self, revision: Revision, typed: Mapping[str, Any]) -> tuple[Revision, dict[str, str]]:
        """The revision whose clients name the secrets just typed, and these by name; nothing is written yet.

        A client without a secret names none.
        """
        fresh: dict[str, str] = {}
        made = replace(
            revision,
            provider=self._client(revision, "provider", revision.provider, typed, fresh),
            patient=self._client(revision, "patient", revision.patient, typed, fresh),
            backend=self._client(revision, "backend", revision.backend, typed, fresh),
        )
        return made, fresh

    def write(self, fresh: Mapping[str, str]) -> None:
        """Puts secrets into the vault, by name."""
        for name, secret in fresh.items():
            self._secrets.write(name, secret)

    def _client(
        self,
        revision: Revision,
        side: str,
        client: Client,
        typed: Mapping[str, Any],
        fresh: dict[str, str],
    ) -> Client:
        if client.auth != "client_secret_basic":
            return replace(client, secret_name="")
        secret = typed.get(f"{side}_secret", "")
        if not secret:
            return client
        # Key Vault names hold letters, digits and hyphens only.
        mark = self._entropy.choose("abcdefghijklmnopqrstuvwxyz234567", 12)
        name = f"ehr-{revision.connection}-{side}-{mark}"
        fresh[name] = secret
        return replace(client, secret_name=name)
