"""A small SMART client that plays by the rules unless told otherwise, to try the simulated hospitals with."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from requests.adapters import BaseAdapter
from werkzeug.test import TestResponse

from sandbox.addresses import Addresses
from sandbox.ehr import EPIC, FHIR, ORACLE, Hospital, World, create_app

APP = "https://localhost:7443"
LAUNCH_URL = "http://localhost:7071/launch/{side}/c1"
REDIRECT = "http://localhost:7071/launch/{side}/callback"
PROVIDER_CONTEXT = "sessionId=%CSN%&epicUserId=%EPICUSERID%"
GROUP_CONTEXT = "sessionId=%CONFERENCEID%&epicUserId=%EPICUSERID%"
PROFILES: dict[str, Callable[[Addresses], Hospital]] = {"epic": EPIC, "fhir": FHIR, "oracle": ORACLE}
ZEPH = {"epic": "880014417731", "fhir": "appt-zeph-4417731", "oracle": "644177310551"}
_RSA, _OTHER, _EC = RSAKey.generate_key(2048), RSAKey.generate_key(2048), ECKey.generate_key("P-384")


class KeySetDoor(BaseAdapter):
    """Answers for the connector's JWKS URL; `keys` and `status` may be changed, `fetched` counts."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.fetched = 0
        self.keys = [public(_RSA, "rsa-1"), public(_EC, "ec-1")]

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        self.fetched += 1
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = self.status, str(request.url), request
        answer._content = json.dumps({"keys": self.keys}).encode()
        return answer

    def close(self) -> None:
        """Nothing is open."""


class Port(FlaskClient):
    """One of the two ports of a hospital."""

    def __init__(self, app: Flask, base_url: str) -> None:
        super().__init__(app, app.response_class)
        self._base_url = base_url

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, **{"base_url": self._base_url, **kwargs})


@dataclass
class Clock:
    """A clock that tests move by hand; Unix seconds."""

    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Connector:
    """The connector's side: registered clients, keys, PKCE; `http` browses, `tls` is its server.

    Both ports are Any: a test that reads `.json` of an answer has just said which answer it is.
    """

    world: World
    http: Any
    tls: Any
    door: KeySetDoor
    clock: Clock
    slept: list[float] = field(default_factory=list)

    @property
    def hospital(self) -> Hospital:
        return self.world.hospital

    def client_id(self, side: str) -> str:
        return self.hospital.clients[side]

    def register(self, **more: Any) -> None:
        wanted: dict[str, dict[str, Any]] = {
            side: {
                "launch_url": LAUNCH_URL.format(side=side),
                "redirect_uris": [REDIRECT.format(side=side)],
                "jwks_url": f"{APP}/config/jwks/c1",
            }
            | ({"context": PROVIDER_CONTEXT, "group_context": GROUP_CONTEXT} if self.epic else {})
            for side in ("provider", "patient")
        }
        wanted["backend"] = {"jwks_url": f"{APP}/config/jwks/c1"}
        for side, values in more.items():
            wanted[side] |= values
        answer = self.tls.put("/sandbox/registration", json=wanted)
        assert answer.status_code == 200, answer.text

    @property
    def epic(self) -> bool:
        return self.hospital.kind == "epic"

    def launch_value(self, login: str = "evidal", visit: str = "", **more: Any) -> str:
        visit = visit or ZEPH[self.hospital.kind]
        answer = self.tls.post("/sandbox/launch", json={"as": login, "visit": visit, **more})
        assert answer.status_code == 200, answer.text
        return query(answer.json["url"])["launch"]

    def authorize_parameters(self, side: str = "provider", **changes: str | None) -> dict[str, str]:
        self.verifier = secrets.token_urlsafe(48)
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id(side),
            "redirect_uri": REDIRECT.format(side=side),
            "scope": "openid fhirUser",
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "aud": self.hospital.fhir_base,
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (parameters | changes).items() if value is not None}

    def authorize(self, parameters: dict[str, str], method: str = "GET") -> Any:
        path = urlsplit(self.hospital.authorize_url).path
        if method == "POST":
            return self.http.post(path, data=parameters)
        return self.http.get(path, query_string=parameters)

    def code_for(self, login: str = "evidal", side: str = "provider", visit: str = "", **more: Any) -> str:
        launch = self.launch_value(login, visit, **more)
        level = "user" if side == "provider" else "patient"
        scope = f"launch openid fhirUser {level}/Appointment.rs {level}/Encounter.rs {level}/Patient.r"
        if self.hospital.v1_scopes:
            scope = f"launch openid fhirUser {level}/Appointment.read {level}/Encounter.read"
        self.asked = self.authorize_parameters(side, launch=launch, scope=scope)
        answer = self.authorize(self.asked)
        assert answer.status_code == 302, answer.text
        came_back = query(answer.headers["Location"])
        assert came_back["state"] == self.asked["state"]
        return came_back["code"]

    def assertion(self, side: str, **changes: Any) -> str:
        """`header_*` changes a header member, anything else a claim; None leaves it out."""
        now = self.clock.now
        header: dict[str, Any] = {"alg": "RS384", "kid": "rsa-1", "typ": "JWT"}
        claims: dict[str, Any] = {
            "iss": self.client_id(side),
            "sub": self.client_id(side),
            "aud": self.hospital.token_url,
            "exp": now + 240,
            "iat": now,
            "jti": secrets.token_urlsafe(24),
        }
        key = changes.pop("key", _EC if changes.get("header_alg") == "ES384" else _RSA)
        for name, value in changes.items():
            target = header if name.startswith("header_") else claims
            target[name.removeprefix("header_")] = value
        header, claims = ({k: v for k, v in one.items() if v is not None} for one in (header, claims))
        return jwt.encode(header, claims, key, algorithms=["RS384", "ES384", "RS256", "ES256", "HS256"])

    def authentication(self, side: str, **changes: Any) -> dict[str, str]:
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(side, **changes),
        }

    def token(self, form: dict[str, str], **more: Any) -> Any:
        return self.tls.post(urlsplit(self.hospital.token_url).path, data=form, **more)

    def exchange(self, code: str, side: str = "provider", **changes: Any) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": changes.pop("redirect_uri", REDIRECT.format(side=side)),
            "code_verifier": changes.pop("code_verifier", self.verifier),
        }
        return self.token(form | self.authentication(side, **changes))

    def backend_token(self, scope: str = "system/Encounter.rs") -> Any:
        return self.token(
            {"grant_type": "client_credentials", "scope": scope} | self.authentication("backend")
        )

    def headers(self, token: str, side: str) -> dict[str, str]:
        own = {self.hospital.client_id_header: self.client_id(side)} if self.hospital.client_id_header else {}
        return {"Authorization": f"Bearer {token}"} | own

    def id_token(self, text: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.tls.get(urlsplit(self.hospital.jwks_url).path).json)
        return dict(jwt.decode(text, keys, algorithms=["RS256"]).claims)


def connector(kind: str, state_dir: Path | None = None, registered: bool = True) -> Connector:
    """A fresh hospital of this kind and a connector that is registered with it."""
    clock, door = Clock(), KeySetDoor()
    slept: list[float] = []

    def session() -> requests.Session:
        one = requests.Session()
        one.trust_env = False
        one.mount("https://", door)
        return one

    world = World(PROFILES[kind](Addresses()), clock, session, state_dir, sleep=slept.append)
    app = create_app(world)
    hospital = world.hospital
    one = Connector(world, Port(app, hospital.browser_url), Port(app, hospital.tls_url), door, clock, slept)
    if registered:
        one.register()
    return one


def public(key: RSAKey | ECKey, kid: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid}


def other_key() -> RSAKey:
    """A key that nobody published."""
    return _OTHER


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
