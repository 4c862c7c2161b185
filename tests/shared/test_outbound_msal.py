from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from sandbox.microsoft365.cast import SIERRA
from shared.clock import SystemClock
from shared.errors import AddressRefused, Unreachable
from shared.oidc import KeySets
from shared.outbound import Outbound
from tests.sandbox.m365 import running

pytestmark = pytest.mark.sandbox


def test_msal_gets_its_token_through_the_seam(tmp_path: Path) -> None:
    with running(tmp_path) as cloud:
        outbound = Outbound(
            SystemClock(), private_hosts=frozenset({"localhost"}), ca_bundle=str(cloud.bundle)
        )
        through_seam = replace(cloud, session=outbound.session)  # type: ignore[arg-type]
        answer = through_seam.msal().acquire_token_for_client([f"{cloud.tls}/graph/.default"])
        assert answer["token_type"] == "Bearer"

        keysets = KeySets(outbound, SystemClock())
        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
        verified = keysets.verify(
            answer["access_token"],
            jwks_url=f"{cloud.tls}/{SIERRA}/discovery/v2.0/keys",
            issuer=claims["iss"],
            audience=claims["aud"],
            algorithms=("RS256",),
        )
        assert verified == claims


def test_msal_keeps_the_policy_of_the_seam(tmp_path: Path) -> None:
    with running(tmp_path) as cloud:
        strict = Outbound(SystemClock(), ca_bundle=str(cloud.bundle))
        with pytest.raises((AddressRefused, Unreachable)):
            replace(cloud, session=strict.session).msal()  # type: ignore[arg-type]
        assert not cloud.world.recorder.requests
