"""Secrets by name: Key Vault in production, one file each in the sandbox.

Two kinds: the app's own keys (``is_own_key``), which it only reads, and client secrets of EHRs, which it also
writes. In production they lie in two vaults, so that the right to write one kind is no right to the other.
"""

import os
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from shared.clock import Clock
from shared.errors import AntesalaError, Unreachable
from shared.settings import Settings

# Where several organizations share a deployment, each has its own set: this name, a hyphen, its tenant ID.
SIGNING_KEYS = "ehr-signing-keys"
KEYS = frozenset({"sealing-keys", "visit-keys", SIGNING_KEYS, "graph-certificates", "graph-client"})
KEPT = timedelta(minutes=5)
# Key Vault's own rule for a secret's name; it also keeps a name from leaving the sandbox's folder.
_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")


def is_own_key(name: str) -> bool:
    """Whether this names a key of the app's own, which only the operator changes. Vaults ignore the case."""
    lower = name.lower()
    return lower in KEYS or lower.startswith(f"{SIGNING_KEYS}-")


class SecretMissing(AntesalaError):
    """There is no secret of that name."""


class Secrets(Protocol):
    """Where secrets are."""

    def read(self, name: str) -> str:
        """The secret's text; SecretMissing, or Unreachable when the vault does not answer."""
        ...

    def write(self, name: str, value: str) -> None:
        """Keeps a client secret; ValueError for the name of a key, which nobody but the operator changes."""
        ...


def secrets_of(settings: Settings, clock: Clock) -> Secrets:
    """The secrets that these settings point at."""
    if settings.secrets_dir:
        return FileSecrets(Path(settings.secrets_dir))
    from shared.credential import managed_identity

    credential = managed_identity(settings.identity_client_id)
    return VaultSecrets(settings.key_vault_url, settings.client_secrets_vault_url, credential, clock)


class FileSecrets:
    """One file a secret, in a folder that nobody else may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str:
        """See ``Secrets.read``."""
        try:
            return (self._folder / _checked(name)).read_text("utf-8")
        except FileNotFoundError:
            raise SecretMissing(name) from None

    def write(self, name: str, value: str) -> None:
        """See ``Secrets.write``."""
        path = self._folder / _writable(name)
        # Written aside and renamed: a reader sees the old secret or the new one, never half of it.
        aside = path.with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")
        aside.touch(mode=0o600)
        aside.write_text(value, "utf-8")
        aside.replace(path)


class VaultSecrets:
    """Azure Key Vault: a read is remembered for five minutes, for longer only while the vault is silent.

    The app's own keys are remembered for that silence alone: ``shared.reread`` knows when to look at them.
    """

    def __init__(
        self,
        vault_url: str,
        client_secrets_vault_url: str,
        credential: Any,
        clock: Clock,
        connect: Callable[[str, Any], Any] | None = None,
    ) -> None:
        """``connect`` makes a client of a vault's address and the credential; by default Azure's own."""
        self._urls = {True: vault_url, False: client_secrets_vault_url}
        self._credential = credential
        self._clock = clock
        self._connect = connect or _secret_client
        self._clients: dict[bool, Any] = {}
        self._read: dict[str, tuple[datetime, str]] = {}
        self._lock = threading.Lock()

    def read(self, name: str) -> str:
        """See ``Secrets.read``."""
        at, value = self._read.get(_checked(name), (None, ""))
        now = self._clock.now()
        if at is not None and now - at < KEPT and not is_own_key(name):
            return value
        try:
            value = self._fetch(name)
        except Unreachable:
            if at is None:
                raise
        else:
            self._read[name] = (now, value)
        return value

    def write(self, name: str, value: str) -> None:
        """See ``Secrets.write``."""
        from azure.core.exceptions import AzureError

        client = self._client(_writable(name))
        failure = ""
        try:
            client.set_secret(name, value)
        except AzureError as error:
            failure = type(error).__name__
        if failure:
            raise Unreachable(f"key vault: {failure}")
        self._read[name] = (self._clock.now(), value)

    def _fetch(self, name: str) -> str:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        failure = ""
        try:
            return str(self._client(name).get_secret(name).value)
        except ResourceNotFoundError:
            raise SecretMissing(name) from None
        except AzureError as error:
            failure = type(error).__name__
        raise Unreachable(f"key vault: {failure}")

    def _client(self, name: str) -> Any:
        own = is_own_key(name)
        with self._lock:
            if own not in self._clients:
                self._clients[own] = self._connect(self._urls[own], self._credential)
            return self._clients[own]


def _secret_client(vault_url: str, credential: Any) -> Any:
    from azure.keyvault.secrets import SecretClient

    return SecretClient(vault_url, credential, retry_total=2, retry_backoff_factor=0.2)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SecretMissing("a name that no secret can have")
    return name


def _writable(name: str) -> str:
    if is_own_key(name):
        raise ValueError("the app does not write its own keys")
    return _checked(name)
