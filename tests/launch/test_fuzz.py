"""Anything at every route, and anything from the EHR: never a surprise, never a way to a foreign host.

The examples are the same in every run.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.launch.conftest import BY_APPOINTMENT, CONNECTION, PUBLIC, World, own_keys, revision
from tests.launch.ehr import BASE, ISSUER, query_of
from tests.launch.front import Answered, Route, ask, keep, routes, wired

ALLOWED = frozenset({"", "ehr.example", "visit.teams.example", "teams.example", "login.example"})
ALL = routes()
MANY = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "%",
            "%00",
            "..",
            "../" * 20,
            "'",
            "<script>",
            "{{7*7}}",
            "\r\nLocation: https://evil.example",
            "https://evil.example/fhir",
            "//evil.example",
            "javascript:alert(1)",
            "x" * 9000,
            "\U0001f600",
            "-1",
            "null",
            "true",
            "[]",
        ]
    ),
)
_VALUES: Mapping[str, st.SearchStrategy[str]] = {
    "iss": st.one_of(st.just(BASE), st.just(ISSUER), _TEXTS),
    "launch": st.one_of(st.just("l"), _TEXTS),
    "state": st.one_of(st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True), _TEXTS),
    "code": st.one_of(st.just("code-0"), _TEXTS),
    "error": _TEXTS,
    "open": st.one_of(st.sampled_from(["view", "device-test"]), _TEXTS),
    "handle": st.one_of(st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True), _TEXTS),
    "session_state": _TEXTS,
    "action": _TEXTS,
    "next": _TEXTS,
}
_QUERIES = st.fixed_dictionaries({}, optional=dict(_VALUES))
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "sec-fetch-dest": st.sampled_from(["document", "iframe", "object", "empty", "x"]),
        "sec-fetch-site": st.sampled_from(["same-origin", "cross-site", "none", "x"]),
        "origin": st.sampled_from([PUBLIC, "null", "https://evil.example"]),
        "accept-language": st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40),
        "content-type": st.sampled_from(["application/json", "text/plain; charset=x", "multipart/form-data"]),
    },
)
_NAMES = ("flow", "resume", "pending", "signin", "view", "opened", "")
_COOKIES = st.dictionaries(
    st.builds(
        lambda family, label: f"__Host-{family}-{label}",
        st.sampled_from(_NAMES),
        st.from_regex(r"[A-Za-z0-9_-]{0,43}", fullmatch=True),
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";,"), max_size=80),
    max_size=8,
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        _TEXTS,
        st.sampled_from(["pat-1", "Patient/pat-1", f"{BASE}/Patient/pat-1", "Appointment/appt-1", "appt-1"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["reference", "role", "x"]), inner)
    ),
    max_leaves=5,
)
_MEMBERS = [
    "patient",
    "encounter",
    "fhirContext",
    "appointment",
    "sessionId",
    "epicUserId",
    "scope",
    "visit",
    "token_type",
    "access_token",
    "expires_in",
    "id_token",
    "need_patient_banner",
]
_DISCOVERED = [
    "issuer",
    "jwks_uri",
    "authorization_endpoint",
    "token_endpoint",
    "capabilities",
    "code_challenge_methods_supported",
    "scopes_supported",
]


def is_no_surprise(answered: Answered) -> None:
    assert answered.status != 500, answered.text
    assert "internal-error" not in answered.text
    target = urlsplit(answered.location)
    assert (target.hostname or "") in ALLOWED, answered.location
    assert target.scheme in ("", "https"), answered.location
    assert not answered.location.startswith("//")
    assert answered.headers["Content-Security-Policy"]


@MANY
@given(
    route=st.sampled_from(ALL),
    connection=st.one_of(st.just(CONNECTION), _TEXTS),
    query=_QUERIES,
    form=_QUERIES,
    cookies=_COOKIES,
    headers=_HEADERS,
)
def test_any_request_is_answered(
    route: Route,
    connection: str,
    query: dict[str, str],
    form: dict[str, str],
    cookies: dict[str, str],
    headers: dict[str, str],
) -> None:
    values = {"connection": connection, "handle": query.get("handle", "h")}
    sent = form if route.method == "POST" else None
    world = World(keys=own_keys())
    with wired(world):
        is_no_surprise(ask(route, query, values=values, form=sent, cookies=cookies, headers=headers))


@MANY
@given(
    side=st.sampled_from(["provider", "patient"]),
    query=_QUERIES,
    tossed=_COOKIES,
    keeps=st.sampled_from([("state",), ("state", "code", "iss", "error"), ()]),
    foreign=st.sampled_from(["", "https://evil.example/x", "//evil.example", "javascript:alert(1)"]),
)
def test_any_answer_to_a_launch_is_answered(
    side: str, query: dict[str, str], tossed: dict[str, str], keeps: tuple[str, ...], foreign: str
) -> None:
    """A launch that really began, and a way back in which anything is changed or added; then the real one."""
    world, cookies = World(keys=own_keys()), dict(tossed)
    with wired(world):
        begun = ask(_leg(side, 1), {"iss": BASE, "launch": "l"}, values={"connection": CONNECTION})
        keep(cookies, begun)
        user = "Practitioner/prac-vidal" if side == "provider" else "Patient/pat-1"
        back = query_of(world.agreed(begun.location, user))
        changes = {name: value for name, value in query.items() if name not in keeps}
        added = dict.fromkeys(("open", "next", "redirect_uri", "url"), foreign) if foreign else {}
        sent = {**back, **changes, **added}
        is_no_surprise(ask(_leg(side, 2), sent, values={"connection": CONNECTION}, cookies=cookies))
        is_no_surprise(ask(_leg(side, 2), back, values={"connection": CONNECTION}, cookies=cookies))


@MANY
@given(
    side=st.sampled_from(["provider", "patient"]),
    by_appointment=st.booleans(),
    members=st.dictionaries(
        st.sampled_from(_MEMBERS),
        _JSON,
        max_size=3,
    ),
    claims=st.dictionaries(st.sampled_from(["sub", "fhirUser", "azp", "name"]), _JSON, max_size=2),
    resource=st.dictionaries(
        st.sampled_from(["id", "status", "start", "participant", "subject", "appointment", "name"]), _JSON
    ),
)
def test_anything_the_ehr_says_is_answered(
    side: str, by_appointment: bool, members: dict[str, Any], claims: dict[str, Any], resource: dict[str, Any]
) -> None:
    world = World(keys=own_keys())
    if by_appointment:
        world.use(revision(**BY_APPOINTMENT))
    world.ehr.failures.token_members, world.ehr.failures.claims = members, claims
    world.ehr.resources = {
        f"{kind}/{name}": {"resourceType": kind, "id": name, **resource}
        for kind, name in (("Appointment", "appt-1"), ("Encounter", "enc-1"), ("Practitioner", "prac-vidal"))
    }
    cookies: dict[str, str] = {}
    with wired(world):
        begun = ask(_leg(side, 1), {"iss": BASE, "launch": "l"}, values={"connection": CONNECTION})
        keep(cookies, begun)
        user = "Practitioner/prac-vidal" if side == "provider" else "Patient/pat-1"
        back = query_of(world.agreed(begun.location, user, {"appointment": "appt-1"}))
        is_no_surprise(ask(_leg(side, 2), back, values={"connection": CONNECTION}, cookies=cookies))


@MANY
@given(
    document=st.dictionaries(
        st.sampled_from(_DISCOVERED),
        _JSON,
        min_size=1,
    ),
    body=st.one_of(st.none(), st.binary(max_size=60)),
    status=st.sampled_from([200, 204, 301, 404, 500]),
    metadata=st.one_of(st.none(), st.binary(max_size=60), st.dictionaries(st.just("rest"), _JSON)),
)
def test_anything_that_discovery_says_is_answered(
    document: dict[str, Any], body: bytes | None, status: int, metadata: bytes | dict[str, Any] | None
) -> None:
    world = World(keys=own_keys())
    failures = world.ehr.failures
    failures.smart, failures.discovery_body, failures.smart_status = document, body, status
    failures.metadata = metadata
    with wired(world):
        is_no_surprise(
            ask(_leg("patient", 1), {"iss": BASE, "launch": "l"}, values={"connection": CONNECTION})
        )


def test_the_fuzz_can_see_a_surprise() -> None:
    world = World(keys=own_keys())
    world.services.flow.begin = lambda *_, **__: json.loads("[")
    with wired(world):
        answered = ask(_leg("patient", 1), {"iss": BASE, "launch": "l"}, values={"connection": CONNECTION})
    assert answered.status == 500
    assert "internal-error" in answered.text


def _leg(side: str, leg: int) -> Route:
    template = f"launch/{side}/{{connection}}" if leg == 1 else f"launch/{side}/callback/{{connection}}"
    return next(route for route in ALL if route.template == template)
