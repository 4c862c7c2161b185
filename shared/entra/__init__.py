"""Microsoft 365 as the identity provider: tokens for Graph, people signing in, and tokens shown to us."""

from shared.entra.claims import Account, ApiCaller, EntraClaims
from shared.entra.client import Entra, SignIn

__all__ = ["Account", "ApiCaller", "Entra", "EntraClaims", "SignIn"]
