"""The app's identity in Azure: no key and no password, only what the platform says we are."""

from functools import cache
from typing import Any


@cache
def managed_identity(client_id: str) -> Any:
    """A credential of the user-assigned identity (empty: the system-assigned one), kept for its tokens.

    Not ``DefaultAzureCredential``: that tries several sources in turn, and what it ends up with in production
    depends on what happens to be installed (reference functions.md section 7).
    """
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
