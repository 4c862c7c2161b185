"""Backend Services (SMART 2.2 section 4): tokens of our own, for the write-back."""

import re
from collections.abc import Mapping
from typing import Any, cast

import jwt
import pytest

from shared.clock import SystemEntropy
from shared.connection import Client, Writeback
from shared.ehr.catalogue import SHEETS
from shared.ehr.scopes import backend_scope
from shared.errors import AnswerRefused
from shared.outbound import Answer
from shared.smart.discovery import Discovery
from shared.smart.token import Tokens
from tests.launch.conftest import Clock, World
from tests.launch.ehr import BASE, TOKEN, _json
from tests.launch.microsoft import TENANT

SCOPE = "system/AuditEvent.write"


class Line:
    """Records what is sent; gives a token to whoever asks."""

    def __init__(self, smart: Mapping[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._smart = smart

    def send(self, method: str, url: str, **request: Any) -> Answer:
        self.sent.append({"method": method, "url": url, **request})
        if url.endswith("smart-configuration"):
            return _json(200, self._smart)
        return _json(200, {"access_token": "t", "token_type": "bearer", "expires_in": 300})


@pytest.fixture
def line() -> Line:
    return Line({"authorization_endpoint": "https://ehr.example/a", "token_endpoint": TOKEN})


def asked(world: World, line: Line, client: Client) -> dict[str, Any]:
    """The token request of this client, after discovery."""
    outbound = cast("Any", line)
    tokens = Tokens(outbound, world.keys, cast("Any", None), Clock(), SystemEntropy())
    tokens.backend(Discovery(outbound, Clock()).get(BASE), client, SCOPE, tenant=TENANT)
    return line.sent[-1]


@pytest.mark.smart(226, 227)
def test_the_token_endpoint_is_discovered(world: World, line: Line) -> None:
    asked(world, line, Client("back"))
    first, last = line.sent
    assert (first["method"], first["url"]) == ("GET", f"{BASE}/.well-known/smart-configuration")
    assert first["headers"]["Accept"] == "application/json"
    assert last["url"] == TOKEN


@pytest.mark.smart(234, 235, 236, 237, 238)
@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_the_request_is_a_form_with_exactly_these_members(world: World, line: Line, alg: Any) -> None:
    sent = asked(world, line, Client("back", alg=alg))
    assert sent["method"] == "POST"
    assert set(sent["form"]) == {"grant_type", "scope", "client_assertion_type", "client_assertion"}
    assert sent["form"]["grant_type"] == "client_credentials"
    assert sent["form"]["scope"] == SCOPE
    assert sent["form"]["client_assertion_type"].endswith(":client-assertion-type:jwt-bearer")
    token = sent["form"]["client_assertion"]
    kid = jwt.get_unverified_header(token)["kid"]
    (published,) = [row for row in world.keys.jwks(TENANT)["keys"] if row["kid"] == kid]
    loose: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, jwt.PyJWK(published), algorithms=[alg], audience=TOKEN, options=loose)


@pytest.mark.smart(233)
def test_every_request_has_an_assertion_of_its_own(world: World, line: Line) -> None:
    forms = [asked(world, line, Client("back"))["form"] for _ in range(3)]
    claims = [jwt.decode(form["client_assertion"], options={"verify_signature": False}) for form in forms]
    assert len({one["jti"] for one in claims}) == 3
    assert {(one["iss"], one["sub"], one["aud"]) for one in claims} == {("back", "back", TOKEN)}


@pytest.mark.smart(229)
def test_a_public_client_gets_no_token_of_its_own(world: World, line: Line) -> None:
    with pytest.raises(AnswerRefused):
        asked(world, line, Client("back", "none"))
    assert [one["method"] for one in line.sent] == ["GET"]


@pytest.mark.smart(135, 143, 235, 239)
@pytest.mark.parametrize("adapter", [name for name in SHEETS if name != "none"])
def test_what_is_asked_for_is_the_systems_own(adapter: Any) -> None:
    words = backend_scope(Writeback(adapter)).split()
    assert words
    for word in words:
        assert re.fullmatch(r"system/[A-Z][A-Za-z]+\.(read|write|c?r?u?d?s?)", word)
        assert not word.endswith(".")
