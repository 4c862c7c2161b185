from hashlib import sha256
from typing import Any, cast

import pytest

from shared.entra import EntraClaims
from shared.entra.claims import PERSONAL_TENANT
from shared.errors import Refusal
from shared.oidc import KeySets
from shared.settings import Settings
from tests.graph.fakes import CLIENT_ID, ELENA, LOGIN, NOW, OTHER_TENANT, TENANT, FakeClock
from tests.graph.issuing import KeyServer, without

NONCE = "nonce-of-the-flow"
ISSUED = int(NOW.timestamp())
KEYS_URL = f"{LOGIN}/{TENANT}/discovery/v2.0/keys"
CLAIMS: dict[str, Any] = {
    "iss": f"{LOGIN}/{TENANT}/v2.0",
    "aud": CLIENT_ID,
    "tid": TENANT,
    "oid": ELENA,
    "sub": "pairwise",
    "name": "Dr. Elena Vidal",
    "preferred_username": "elena.vidal@sierra.example",
    "nonce": sha256(NONCE.encode()).hexdigest(),
    "ver": "2.0",
    "iat": ISSUED,
    "nbf": ISSUED,
    "exp": ISSUED + 3600,
}
ACCESS: dict[str, Any] = {**without(CLAIMS, "nonce"), "azp": "client-of-the-api", "scp": "access"}
PROGRAM: dict[str, Any] = {
    **without(ACCESS, "scp"),
    "sub": ELENA,
    "idtyp": "app",
    "roles": ["Connector.Reader"],
}


@pytest.fixture(scope="module")
def server() -> KeyServer:
    return KeyServer(KEYS_URL, f"{LOGIN}/{OTHER_TENANT}/discovery/v2.0/keys")


@pytest.fixture
def claims(settings: Settings, server: KeyServer) -> EntraClaims:
    return EntraClaims(settings, KeySets(cast("Any", server), FakeClock()))


def test_a_good_id_token_names_the_account(claims: EntraClaims, server: KeyServer) -> None:
    token = server.token({**CLAIMS, "roles": ["Connector.Admin"], "wids": ["62e90394"]})
    account = claims.account(token, nonce=NONCE, tenant=TENANT)
    assert (account.tid, account.oid, account.guest) == (TENANT, ELENA, False)
    assert account.roles == {"Connector.Admin"}
    assert account.wids == {"62e90394"}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"iss": f"{LOGIN}/{OTHER_TENANT}/v2.0"}, "sign-in-failed"),
        ({"iss": f"https://sts.windows.net/{TENANT}/"}, "sign-in-failed"),
        ({"iss": f"{LOGIN}/{{tenantid}}/v2.0"}, "sign-in-failed"),
        ({"aud": "00000003-0000-0000-c000-000000000000"}, "sign-in-failed"),
        ({"aud": [CLIENT_ID, "somebody-else"]}, "sign-in-failed"),
        ({"exp": ISSUED - 120, "iat": ISSUED - 3600}, "sign-in-failed"),
        ({"nbf": ISSUED + 600, "iat": ISSUED + 600}, "sign-in-failed"),
        ({"nonce": NONCE}, "sign-in-failed"),
        ({"nonce": sha256(b"another flow").hexdigest()}, "sign-in-failed"),
        ({"ver": "1.0"}, "sign-in-failed"),
        ({"oid": ""}, "sign-in-failed"),
        ({"tid": PERSONAL_TENANT, "iss": f"{LOGIN}/{PERSONAL_TENANT}/v2.0"}, "wrong-organization"),
        ({"tid": "99999999-0000-4000-8000-000000000000"}, "wrong-organization"),
        ({"tid": f"{TENANT}/../evil"}, "wrong-organization"),
        ({"tid": OTHER_TENANT, "iss": f"{LOGIN}/{OTHER_TENANT}/v2.0"}, "wrong-organization"),
    ],
)
def test_an_id_token_that_is_not_for_us_now_and_here_is_refused(
    claims: EntraClaims, server: KeyServer, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refusal) as refused:
        claims.account(server.token({**CLAIMS, **changed}), nonce=NONCE, tenant=TENANT)
    assert refused.value.reason.code == code


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "tid", "oid", "nonce", "ver"])
def test_an_id_token_without_a_claim_is_refused(claims: EntraClaims, server: KeyServer, missing: str) -> None:
    with pytest.raises(Refusal):
        claims.account(server.token(without(CLAIMS, missing)), nonce=NONCE, tenant=TENANT)


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512"])
def test_an_algorithm_of_the_sender_s_choice_is_refused(
    claims: EntraClaims, server: KeyServer, alg: str
) -> None:
    with pytest.raises(Refusal, match="sign-in-failed"):
        claims.account(server.token(CLAIMS, alg=alg), nonce=NONCE, tenant=TENANT)


def test_a_stranger_s_key_is_refused(claims: EntraClaims, server: KeyServer) -> None:
    with pytest.raises(Refusal, match="sign-in-failed"):
        claims.account(server.token(CLAIMS, key=server.stranger), nonce=NONCE, tenant=TENANT)


def test_changed_claims_are_refused(claims: EntraClaims, server: KeyServer) -> None:
    head, _, signature = server.token(CLAIMS).split(".")
    _, body, _ = server.token({**CLAIMS, "oid": "somebody-else"}).split(".")
    with pytest.raises(Refusal, match="sign-in-failed"):
        claims.account(f"{head}.{body}.{signature}", nonce=NONCE, tenant=TENANT)


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "not a token", "é.é.é", "e30.W10.e30"])
def test_what_is_no_token_is_refused(claims: EntraClaims, token: str) -> None:
    with pytest.raises(Refusal, match="sign-in-failed"):
        claims.account(token, nonce=NONCE, tenant=TENANT)


def test_keys_are_never_fetched_for_a_tenant_that_is_not_ours(settings: Settings) -> None:
    server = KeyServer(KEYS_URL)
    claims = EntraClaims(settings, KeySets(cast("Any", server), FakeClock()))
    with pytest.raises(Refusal):
        claims.account(server.token({**CLAIMS, "tid": "99999999-0000-4000-8000-000000000000"}), nonce=NONCE)
    assert server.asked == []


def test_while_microsoft_is_silent_nobody_learns_from_the_api_whom_we_serve(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    silent = KeyServer()
    claims = EntraClaims(settings, KeySets(cast("Any", silent), FakeClock()))
    codes = set()
    for tid in (TENANT, TENANT, "99999999-0000-4000-8000-000000000000"):
        with pytest.raises(Refusal) as refused:
            claims.caller(silent.token({**ACCESS, "tid": tid}))
        codes.add(refused.value.reason.code)
    assert codes == {"not-signed-in"}
    said = [(record.levelname, record.name, record.getMessage()) for record in caplog.records]
    assert [one[:2] for one in said] == [("WARNING", "antesala.entra")] * 2
    assert all(TENANT in one[2] and "Bearer" not in one[2] for one in said)


@pytest.mark.parametrize(
    ("changed", "guest"),
    [
        ({"idp": f"https://sts.windows.net/{OTHER_TENANT}/"}, True),
        ({"idp": "live.com"}, True),
        ({"acct": 1}, True),
        ({"acct": 0}, False),
        ({"idp": f"https://sts.windows.net/{TENANT}/"}, False),
    ],
)
def test_a_guest_is_told_apart(
    claims: EntraClaims, server: KeyServer, changed: dict[str, Any], guest: bool
) -> None:
    assert claims.account(server.token({**CLAIMS, **changed}), nonce=NONCE).guest is guest


def test_the_api_knows_a_person_from_a_program(claims: EntraClaims, server: KeyServer) -> None:
    person = claims.caller(server.token({**ACCESS, "roles": ["Connector.Admin"]}))
    assert not person.app_only
    assert person.scopes == {"access"}
    assert person.roles == {"Connector.Admin"}
    program = claims.caller(server.token(PROGRAM))
    assert program.app_only
    assert program.roles == {"Connector.Reader"}


@pytest.mark.parametrize(
    "shown",
    [
        CLAIMS,  # an id token: would make every sign-in a bearer token
        {**CLAIMS, "roles": ["Connector.Admin"]},
        {**CLAIMS, "azp": "client-of-the-api", "scp": "access"},
        {**ACCESS, "aud": "00000003-0000-0000-c000-000000000000"},  # a token for Graph
        {**ACCESS, "ver": "1.0", "iss": f"https://sts.windows.net/{TENANT}/"},
        without(ACCESS, "azp"),
        {**without(ACCESS, "scp"), "roles": ["Connector.Admin"]},  # neither delegated nor a program
        {**PROGRAM, "idtyp": "user"},
        {**ACCESS, "tid": PERSONAL_TENANT},
        {**ACCESS, "exp": ISSUED - 61},
    ],
)
def test_the_api_refuses_tokens_that_are_not_for_it(
    claims: EntraClaims, server: KeyServer, shown: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        claims.caller(server.token(shown))
    assert refused.value.reason.code == "not-signed-in"
