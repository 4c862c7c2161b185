"""SMART legs beside those of fhirclient for Python and for Node, against one authorization server.

What is launched is the patient's device test, whose second leg ends with the verified identity: no visit, no
Graph. All three are launched in turn by the same hospital (the sandbox's strict one, plain FHIR R4, over TLS)
and authenticate with the same client secret: the one way that all of them know. Where two know more, a second
round has both sign with the same RSA key of 2,048 bits. *In process* is what the library itself takes,
waiting for the hospital included; the rest of a leg is the server around it: the Functions worker and the
storage's trips here, the same threaded server with Flask, or express.
"""

import base64
import json
import shutil
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from bench.figures import Aim, Figure, timed
from bench.hospital import hospital
from bench.house import ROOT, House, house
from bench.peers.install import install
from bench.seeds import CONNECTION, SECRET, approved, launch_url, publish
from bench.walking import Walker, onward
from launch_patient.launch import DEVICE_TEST
from sandbox.authority import ensure_authority
from sandbox.children import python
from shared.connection import Approved, VisitSource
from shared.keys import SigningKey
from shared.launch import Finished, SmartFlow
from shared.smart.id_token import Identity, IdTokens
from shared.web import Request

ROUNDS, WARM = 120, 6
_SCOPE = "launch openid fhirUser user/Appointment.rs"
_ASYMMETRIC = "abenchkey2222222"


@dataclass
class Peer:
    """One client under test: where it is launched, and its seconds leg by leg."""

    name: str
    launch: str
    legs: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    inside: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    @property
    def own(self) -> list[float]:
        """Both legs in process."""
        return [one + two for one, two in zip(*self.inside, strict=True)]


def measure() -> Iterator[Figure]:
    """Both ways of authentication."""
    place = install()
    with house("m365", "fhir") as running:
        (running.folder / "secrets" / "bench-secret").write_text(SECRET)
        jwk = private_jwk(running)
        for way, connection, secret in (("secret", CONNECTION, True), ("RS384", _ASYMMETRIC, False)):
            made = _signing(approved(hospital("fhir", running.at), connection, secret=secret))
            publish(running, made)
            authentication = {"clientSecret": SECRET} if secret else {"clientPrivateJwk": jwk}
            ports = (_free(), _free())
            peers = [_ours(running, made), _node(running, str(place), ports[0], authentication, way)]
            if secret:
                peers.append(_python(running, str(place), ports[1]))
            _register(running, made, peers, secret=secret)
            inside = InProcess(running, made)
            _rounds(running, peers, inside)
            yield from _figures(way, peers)
            yield timed("smart", f"{way}: of ours, checking the id_token", inside.checks.seconds[WARM:])
            running.end(f"node-{way}")


def _figures(way: str, peers: Sequence[Peer]) -> Iterator[Figure]:
    ours, *others = peers
    best = min(others, key=lambda one: statistics.median(one.own))
    for place, leg in enumerate(("leg 1", "leg 2")):
        quickest = min(others, key=lambda one: statistics.median(one.legs[place]))
        floor = statistics.median(quickest.legs[place])
        yield timed("smart", f"{way}: {leg}, ours", ours.legs[place], floor=floor, against=quickest.name)
        yield timed("smart", f"{way}: {leg}, of that in process", ours.inside[place])
        for one in others:
            yield timed("smart", f"{way}: {leg}, {one.name}", one.legs[place])
    yield timed(
        "smart",
        f"{way}: both legs in process, ours",
        ours.own,
        floor=statistics.median(best.own),
        against=best.name,
        aim=Aim("ratio", 1.0),
        note="ours verifies the id_token, its nonce, issuer, audience and signature; the peers do not",
    )
    for one in others:
        yield timed("smart", f"{way}: both legs in process, {one.name}", one.own)


def _rounds(running: House, peers: Sequence[Peer], inside: "InProcess") -> None:
    for place in range(WARM + ROUNDS):
        # Nobody is always the one who follows the slowest.
        turn = place % len(peers)
        for peer in (*peers[turn:], *peers[:turn]):
            first, second = _over_a_socket(running, peer)
            if peer is peers[0]:
                took = inside.launch(launch_url(running, "fhir", "patient", 1))
            else:
                took = (float(first.headers["X-Seconds"]), float(second.headers["X-Seconds"]))
            if place >= WARM:
                for leg, walked in enumerate((first, second)):
                    peer.legs[leg].append(walked.seconds)
                    peer.inside[leg].append(took[leg])


def _over_a_socket(running: House, peer: Peer) -> Any:
    walker = Walker()
    try:
        query = urlsplit(launch_url(running, "fhir", "patient", 1)).query
        walker.get(
            f"http://localhost:{urlsplit(peer.launch).port}/healthz"
        )  # the connection is there already
        first = walker.get(f"{peer.launch}?{query}&open={DEVICE_TEST}")
        there = walker.get(onward(first, f"{peer.name}, leg 1"))
        second = walker.get(onward(there, f"{peer.name}, authorize"))
        onward(second, f"{peer.name}, leg 2")
        return first, second
    finally:
        walker.close()


def _signing(made: Approved) -> Approved:
    """With the algorithm that all peers know, and visits that the device test does not need to read."""
    patient = replace(made.revision.patient, alg="RS384")
    return replace(made, revision=replace(made.revision, patient=patient, visit_source=VisitSource()))


class Remembered:
    """Storage that answers from memory, as the peers' settings do: its trip is no part of SMART."""

    def __init__(self, made: Approved) -> None:
        """Knows one connection."""
        self._made = made
        self.connections = self

    def of(self, _: str) -> "Remembered":
        """The connection's region."""
        return self

    def approved(self, _: str) -> Approved:
        """The connection."""
        return self._made


class Timed:
    """Checks id_tokens, and remembers how long each took."""

    def __init__(self, checks: IdTokens) -> None:
        """Nothing was checked yet."""
        self._checks = checks
        self.seconds: list[float] = []

    def verify(self, *named: Any) -> Identity:
        """See ``IdTokens.verify``."""
        begun = time.perf_counter()
        found: Identity = self._checks.verify(*named)
        self.seconds.append(time.perf_counter() - begun)
        return found


class InProcess:
    """Our SMART flow without worker, edge, storage and Teams: from parameters to the verified identity."""

    def __init__(self, running: House, made: Approved) -> None:
        """Over the house's services."""
        house_of = running.services
        self._approved = made
        self.checks = Timed(house_of.id_tokens)
        self._flow = SmartFlow(
            sealer=house_of.sealer,
            stores=cast("Any", Remembered(made)),
            discovery=house_of.discovery,
            tokens=house_of.tokens,
            id_tokens=cast("Any", self.checks),
            pages=house_of.pages,
            clock=house_of.clock,
            entropy=house_of.entropy,
            tenants=house_of.settings.tenants,
        )
        app = running.at.app_url
        self._back = f"{app}/launch/patient/callback/{made.connection.id}"

    def launch(self, url: str) -> tuple[float, float]:
        """Seconds of both legs."""
        query = dict(parse_qsl(urlsplit(url).query))
        begun = time.perf_counter()
        response = self._flow.begin(
            Request("GET", "/"), self._approved, "patient", query["iss"], query["launch"], self._back
        )
        first = time.perf_counter() - begun
        walker = Walker()
        answer = walker.get(response.headers["Location"])
        walker.close()
        cookies = {one.name: one.value for one in response.cookies if one.max_age}
        returned = Request(
            "GET", "/", query=dict(parse_qsl(urlsplit(onward(answer, "authorize")).query)), cookies=cookies
        )
        begun = time.perf_counter()
        finished: Finished = self._flow.finish(returned, self._back)
        second = time.perf_counter() - begun
        if finished.identity is None:
            raise PermissionError("no identity was verified")
        return first, second


def _ours(running: House, made: Approved) -> Peer:
    return Peer("ours", f"{running.at.app_url}/launch/patient/{made.connection.id}")


def _python(running: House, place: str, port: int) -> Peer:
    base = hospital("fhir", running.at)
    client = {
        "app_id": base.clients["patient"],
        "app_secret": SECRET,
        "redirect_uri": f"http://localhost:{port}/callback",
        "scope": _SCOPE,
    }
    settings = json.dumps({"port": port, "client": client})
    bundle = str(ensure_authority(running.folder).bundle)
    command = python("bench.peers.flask_app")
    paths = f"{ROOT}:{place}/python"
    running.add("python", command, (port,), BENCH_PEER=settings, REQUESTS_CA_BUNDLE=bundle, PYTHONPATH=paths)
    return Peer("fhirclient-py", f"http://localhost:{port}/launch")


def _node(running: House, place: str, port: int, authentication: dict[str, Any], way: str) -> Peer:
    client = {
        "clientId": hospital("fhir", running.at).clients["patient"],
        "redirectUri": f"http://localhost:{port}/callback",
        "scope": _SCOPE,
        "pkceMode": "required",
        **authentication,
    }
    settings = json.dumps({"port": port, "client": client})
    bundle = str(ensure_authority(running.folder).bundle)
    command = (shutil.which("node") or "node", str(ROOT / "bench" / "peers" / "express_app.js"))
    environ = {"NODE_PATH": f"{place}/node_modules", "NODE_EXTRA_CA_CERTS": bundle, "NODE_ENV": "production"}
    running.add(f"node-{way}", command, (port,), BENCH_PEER=settings, **environ)
    return Peer("client-js", f"http://localhost:{port}/launch")


def _register(running: House, made: Approved, peers: Sequence[Peer], *, secret: bool) -> None:
    backs = [_back(peer, made.connection.id) for peer in peers]
    jwks = f"{running.at.app_tls_url}/config/jwks/{made.connection.id}"
    way = {"secret": SECRET} if secret else {"jwks_url": jwks}
    door = {"launch_url": peers[0].launch, "redirect_uris": backs, **way}
    running.ask("fhir", "PUT", "/sandbox/registration", {"patient": door})


def _back(peer: Peer, connection: str) -> str:
    root = peer.launch.rsplit("/", 1)[0]
    return f"{root}/callback/{connection}" if peer.name == "ours" else f"{root}/callback"


def private_jwk(running: House) -> dict[str, str]:
    """Our own signing key in the form that client-js takes, so that both sign with the same."""
    key: SigningKey = running.services.keys.current(next(iter(running.services.settings.tenants)), "RS384")
    numbers: Any = key.private_key.private_numbers()
    private = {"d": numbers.d, "p": numbers.p, "q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1}
    members = {**private, "qi": numbers.iqmp, "n": numbers.public_numbers.n, "e": numbers.public_numbers.e}
    encoded = {name: _number(value) for name, value in members.items()}
    return {"kty": "RSA", "alg": "RS384", "kid": key.kid, "key_ops": ["sign"], **encoded}  # type: ignore[dict-item]


def _number(value: int) -> str:
    octets = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
