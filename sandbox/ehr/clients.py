"""The connector's OAuth clients as Authlib wants to see them: registration data behind fixed client ids."""

# mypy: disallow-subclassing-any=False

import hmac
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin

from sandbox.ehr import scopes
from sandbox.ehr.registration import ClientRegistration
from sandbox.ehr.world import World

SIGNED = "private_key_jwt"
SYMMETRIC = "client_secret_basic"


@dataclass(frozen=True)
class Client(ClientMixin):
    """A registered client of one side (`provider`, `patient`, `backend`)."""

    client_id: str
    side: str
    registration: ClientRegistration
    v1_scopes: bool = False

    def get_client_id(self) -> str:
        """The id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: the request has to name one."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scope itself if all of it may be asked for, else None, which refuses."""
        words = (scope or "").split()
        refused = scopes.refused(self.side, words, self.v1_scopes)
        return " ".join(words) if words and not refused else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Only exactly as registered."""
        return redirect_uri in self.registration.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.registration.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The one method of this registration, at the token endpoint."""
        return endpoint == "token" and method == (SYMMETRIC if self.registration.secret else SIGNED)

    def check_response_type(self, response_type: str) -> bool:
        """`code` for the launching clients."""
        return response_type == "code" and self.side != "backend"

    def check_grant_type(self, grant_type: str) -> bool:
        """Codes for the launching clients, client credentials for the backend; never refresh."""
        return grant_type == ("client_credentials" if self.side == "backend" else "authorization_code")


def find_client(world: World, client_id: str) -> Client | None:
    """The client of this id, if the analyst has registered it."""
    for side, known in world.hospital.clients.items():
        registration = world.registry.of(side)
        if client_id == known and registration.complete:
            return Client(client_id, side, registration, world.hospital.v1_scopes)
    return None
