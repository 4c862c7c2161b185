"""The keys that sign id_tokens: one that is published, and one that is not, to sign forgeries with."""

from dataclasses import dataclass
from typing import Any

from joserfc.jwk import RSAKey

ALGORITHM = "RS256"


@dataclass(frozen=True)
class SigningKeys:
    """`published` has the kid that the key set shows; `impostor` pretends to it."""

    published: RSAKey
    impostor: RSAKey
    kid: str

    @classmethod
    def generate(cls) -> "SigningKeys":
        """Two fresh RSA 2048 pairs; the kid is the published key's thumbprint."""
        published = RSAKey.generate_key(2048)
        return cls(published, RSAKey.generate_key(2048), published.thumbprint())

    def jwks(self) -> dict[str, Any]:
        """The public key set."""
        public = self.published.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}
