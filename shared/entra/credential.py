"""How this app proves itself to Entra: a managed identity as federated credential, or a certificate.

Microsoft Entra workload identity federation; reference graph.md 8.1.
"""

from collections.abc import Callable
from typing import Any

from shared.credential import managed_identity
from shared.errors import Unreachable
from shared.secrets import Secrets
from shared.settings import Settings

CERTIFICATE_SECRET = "graph-client"
_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"

type IdentityToken = Callable[[], str]


def client_credential(
    settings: Settings, secrets: Secrets, identity_token: IdentityToken | None = None
) -> Any:
    """MSAL's ``client_credential``: no secret where a user-assigned identity is given, else a certificate.

    The sandbox has no managed identity and always uses the certificate in the secret ``graph-client`` (one
    PEM text with private key and certificate). ``identity_token`` replaces the call to Azure's identity
    endpoint.
    """
    if settings.sandbox or not settings.identity_client_id:
        return _certificate(secrets.read(CERTIFICATE_SECRET))
    return {"client_assertion": identity_token or _managed_identity(settings.identity_client_id)}


def _certificate(pem: str) -> dict[str, str]:
    key, mark, rest = pem.partition(_CERTIFICATE)
    if "PRIVATE KEY" not in key:  # the certificate may stand first
        certificate, end, key = (mark + rest).partition("-----END CERTIFICATE-----\n")
        return {"private_key": key, "public_certificate": certificate + end}
    return {"private_key": key, "public_certificate": mark + rest}


def _managed_identity(client_id: str) -> IdentityToken:
    """A callable that MSAL runs only when a token request really goes out.

    azure-identity, not MSAL's own ``ManagedIdentityClient``: the identity endpoint is a loopback http
    address, which ``shared.outbound`` rightly refuses, and azure-identity brings its own transport and cache
    for it. Unreachable when the platform gives no token.
    """
    credential = managed_identity(client_id)

    def token() -> str:
        from azure.core.exceptions import AzureError

        try:
            return str(credential.get_token(f"{_EXCHANGE_AUDIENCE}/.default").token)
        except AzureError as failure:
            raise Unreachable("managed identity") from failure

    return token
