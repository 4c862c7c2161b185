"""The signed statement by which we authenticate to a token endpoint (SMART 2.2 section 5.2; RFC 7523)."""

from datetime import datetime

from shared.keys import SigningKey

# The specification allows five minutes; a minute less leaves room for a server's clock that is behind ours.
LIFE_SECONDS = 240
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_assertion(client_id: str, token_endpoint: str, key: SigningKey, now: datetime, jti: str) -> str:
    """A one-time JWT for exactly this token endpoint; ``jti``: new every time, at most 151 characters."""
    import jwt

    issued = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_endpoint,
        "iat": issued,
        "exp": issued + LIFE_SECONDS,
        "jti": jti,
    }
    return jwt.encode(claims, key.private_key, algorithm=key.alg, headers={"kid": key.kid, "typ": "JWT"})
