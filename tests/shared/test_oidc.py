import base64
import json
import threading
import time
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import AnswerRefused, StatusRefused, Unreachable
from shared.oidc import KeySets, TokenRefused
from shared.outbound import Answer
from tests.fakes import FakeClock

URL = "https://issuer.invalid/keys"
ISSUER = "https://issuer.invalid"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the point of its test
P384 = ec.generate_private_key(ec.SECP384R1())
P256 = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    kind: Any = (
        jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    )
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, **members}


class Issuer:
    """Publishes a key set and counts who asks; may be down, slow or answer nonsense."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [jwk(RSA, "r1"), jwk(P384, "e1")]
        self.asked = 0
        self.answer: Answer | None = None
        self.down = False
        self.slow = 0.0

    def send(self, method: str, url: str, **_: Any) -> Answer:
        assert (method, url) == ("GET", URL)
        self.asked += 1
        time.sleep(self.slow)
        if self.down:
            raise Unreachable("issuer")
        return self.answer or Answer(200, {}, json.dumps({"keys": self.keys}).encode())


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def keysets(issuer: Issuer, clock: FakeClock) -> KeySets:
    return KeySets(cast("Any", issuer), clock)


@pytest.fixture
def claims(clock: FakeClock) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {"iss": ISSUER, "aud": "app", "exp": now + 300, "iat": now, "nbf": now, "sub": "x"}


def signed(
    claims: dict[str, Any], key: Any = RSA, kid: Any = "r1", alg: str = "RS256", **headers: Any
) -> Any:
    named = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims, key, alg, headers={**named, **headers})


def forged(header: Any, claims: dict[str, Any], signature: Any = b"") -> Any:
    """A token put together by hand: libraries refuse to make these."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def verify(keysets: KeySets, token: str, **options: Any) -> Any:
    defaults = {"jwks_url": URL, "issuer": ISSUER, "audience": "app", "algorithms": ("RS256", "ES384")}
    return keysets.verify(token, **{**defaults, **options})


def why(keysets: KeySets, token: str, **options: Any) -> Any:
    with pytest.raises(TokenRefused) as refused:
        verify(keysets, token, **options)
    return refused.value.why


@pytest.mark.parametrize(("key", "kid", "alg"), [(RSA, "r1", "RS256"), (P384, "e1", "ES384")])
def test_an_authentic_token_gives_its_claims(
    keysets: KeySets, claims: dict[str, Any], key: Any, kid: Any, alg: str
) -> None:
    assert verify(keysets, signed(claims, key, kid, alg)) == claims


def test_keys_are_asked_for_once_an_hour(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    for _ in range(5):
        verify(keysets, signed(claims))
    assert issuer.asked == 1
    clock.advance(3_601)
    verify(keysets, signed(claims | {"exp": claims["exp"] + 7_200}))
    assert issuer.asked == 2


# -- forgeries: each row says what an attacker gains if it passes ----------------------------------


@pytest.mark.smart(201)
def test_none_is_not_a_signature_anybody_could_write_a_token(
    keysets: KeySets, claims: dict[str, Any]
) -> None:
    for alg in ("none", "None", "NONE", ""):
        assert why(keysets, forged({"alg": alg, "kid": "r1"}, claims)) == "algorithm"
        assert why(keysets, forged({"alg": alg}, claims), algorithms=("RS256", alg)) == "algorithm"


@pytest.mark.smart(201)
def test_a_public_key_is_no_shared_secret_everybody_knows_it(
    keysets: KeySets, claims: dict[str, Any]
) -> None:
    import hmac

    public = RSA.public_key()
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        pem = public.public_bytes(Encoding.PEM, form)
        signing_input = forged({"alg": "HS256", "kid": "r1"}, claims).rsplit(".", 1)[0]
        mac = hmac.digest(pem, signing_input.encode(), "sha256")
        token = f"{signing_input}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        assert why(keysets, token) == "algorithm"
        assert why(keysets, token, algorithms=("RS256", "HS256")) == "algorithm"


def test_an_algorithm_that_was_not_asked_for_is_refused(keysets: KeySets, claims: dict[str, Any]) -> None:
    assert why(keysets, signed(claims, alg="RS512")) == "algorithm"
    assert why(keysets, signed(claims), algorithms=("ES384",)) == "algorithm"


@pytest.mark.smart(201)
def test_another_key_under_a_known_kid_does_not_sign(keysets: KeySets, claims: dict[str, Any]) -> None:
    assert why(keysets, signed(claims, OTHER)) == "signature"


def test_a_key_in_the_header_is_not_trusted(keysets: KeySets, claims: dict[str, Any]) -> None:
    token = signed(
        claims, OTHER, jwk=jwk(OTHER, "r1"), jku="https://evil.invalid", x5u="https://evil.invalid"
    )
    assert why(keysets, token) == "signature"


def test_a_critical_extension_that_we_do_not_know_is_refused(
    keysets: KeySets, claims: dict[str, Any]
) -> None:
    assert why(keysets, signed(claims, crit=["b64"], b64=True)) == "malformed"


def test_a_changed_claim_breaks_the_signature(keysets: KeySets, claims: dict[str, Any]) -> None:
    head, _, signature = signed(claims).split(".")
    changed = forged({}, claims | {"sub": "admin"}).split(".")[1]
    assert why(keysets, f"{head}.{changed}.{signature}") == "signature"


@pytest.mark.parametrize(
    "members",
    [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RS512"}, {"kty": "oct", "k": "AAAA"}],
)
def test_a_key_for_something_else_does_not_verify(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], members: Any
) -> None:
    issuer.keys = [jwk(RSA, "r1", **members)]
    assert why(keysets, signed(claims)) == "key"


def test_weak_and_malformed_keys_do_not_count(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any]
) -> None:
    broken: Any = [{"kty": "RSA", "kid": "broken", "n": "!", "e": []}, {"kty": "RSA"}, "x", None]
    issuer.keys = [jwk(WEAK, "weak"), *broken]
    assert why(keysets, signed(claims, OTHER, "broken")) == "key"
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = signed(claims, WEAK, "weak")
    assert why(keysets, token) == "key"


def test_a_curve_belongs_to_its_algorithm(keysets: KeySets, issuer: Issuer, claims: dict[str, Any]) -> None:
    issuer.keys = [jwk(P256, "e1")]
    assert why(keysets, signed(claims, P384, "e1", "ES384")) == "key"


def test_a_token_without_kid_needs_a_set_with_one_fitting_key(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    assert verify(keysets, signed(claims, kid=None)) == claims
    issuer.keys = [jwk(RSA, "r1"), jwk(OTHER, "r2")]
    clock.advance(3_601)
    later = claims | {"exp": claims["exp"] + 7_200}
    assert why(keysets, signed(later, kid=None)) == "key"
    assert verify(keysets, signed(later)) == later


@pytest.mark.parametrize(
    "token",
    ["", "a.b", "a.b.c", "a.b.c.d", "....", "é.é.é", "e30.e30.e30", "x" * 20_000 + "..", "WzFd.e30.e30"],
)
def test_what_is_no_token_is_malformed(keysets: KeySets, issuer: Issuer, token: str) -> None:
    assert why(keysets, token) == "malformed"
    assert issuer.asked == 0


@pytest.mark.parametrize("payload", [b"[]", b"1", b"{", b"", b"\xff"])
def test_signed_nonsense_is_malformed(keysets: KeySets, payload: bytes) -> None:
    token = jwt.api_jws.encode(payload, RSA, "RS256", headers={"kid": "r1"})
    assert why(keysets, token) == "malformed"


# -- claims ----------------------------------------------------------------------------------------


@pytest.mark.smart(201)
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"exp": -60}, "expired"),
        ({"exp": -3600}, "expired"),
        ({"nbf": 61}, "future"),
        ({"iat": 61}, "future"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"exp": None}, "missing"),
        ({"iat": None}, "missing"),
        ({"iss": "https://evil.invalid"}, "issuer"),
        ({"iss": ISSUER + "/"}, "issuer"),
        ({"iss": None}, "missing"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "missing"),
        ({"aud": []}, "missing"),
        ({"aud": {"app": 1}}, "audience"),
        ({"aud": ["app", "other"]}, "audience"),
        ({"aud": ["app", "other"], "azp": "other"}, "audience"),
        ({"aud": "application"}, "audience"),
    ],
)
def test_claims_are_judged(
    keysets: KeySets, claims: dict[str, Any], clock: FakeClock, change: dict[str, Any], word: str
) -> None:
    now = int(clock.now().timestamp())
    moved = {
        name: now + value if type(value) is int and name != "aud" else value for name, value in change.items()
    }
    # By hand, because the library refuses to sign some of these.
    payload = json.dumps(claims | moved).encode()
    token = jwt.api_jws.encode(payload, RSA, "RS256", headers={"kid": "r1"})
    assert why(keysets, token) == word


@pytest.mark.parametrize(
    "change",
    [
        {"exp": -59},
        {"nbf": 60},
        {"iat": 60},
        {"aud": ["app"]},
        {"aud": ["app", "other"], "azp": "app"},
        {"azp": "somebody"},
    ],
)
def test_what_the_standard_allows_passes(
    keysets: KeySets, claims: dict[str, Any], clock: FakeClock, change: dict[str, Any]
) -> None:
    now = int(clock.now().timestamp())
    moved = {name: now + value if isinstance(value, int) else value for name, value in change.items()}
    verify(keysets, signed(claims | moved))


def test_leeway_is_the_callers(keysets: KeySets, claims: dict[str, Any], clock: FakeClock) -> None:
    clock.advance(1_000)
    assert why(keysets, signed(claims)) == "expired"
    verify(keysets, signed(claims), leeway=3_600)


def test_required_claims_are_the_callers(keysets: KeySets, claims: dict[str, Any]) -> None:
    assert why(keysets, signed(claims), required=("exp", "nonce")) == "missing"


def test_an_issuer_may_depend_on_the_authentic_claims(keysets: KeySets, claims: dict[str, Any]) -> Any:
    def wanted(claims: dict[str, Any]) -> Any:
        return f"https://sts.invalid/{claims.get('tid', '')}/"

    verify(keysets, signed(claims | {"iss": "https://sts.invalid/t1/", "tid": "t1"}), issuer=wanted)
    assert (
        why(keysets, signed(claims | {"iss": "https://sts.invalid/t1/", "tid": "t2"}), issuer=wanted)
        == "issuer"
    )
    assert why(keysets, signed(claims | {"iss": ""}), issuer=lambda _: "", required=("exp",)) == "issuer"


# -- key sets over time ----------------------------------------------------------------------------


def test_a_new_key_is_found_by_looking_again(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    verify(keysets, signed(claims))
    issuer.keys.append(jwk(OTHER, "r2"))
    clock.advance(61)
    verify(keysets, signed(claims, OTHER, "r2"))
    assert issuer.asked == 2


def test_a_flood_of_unknown_kids_is_one_look_a_minute(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    for number in range(50):
        assert why(keysets, signed(claims, OTHER, f"invented-{number}")) == "key"
    assert issuer.asked == 1
    clock.advance(61)
    for number in range(50):
        assert why(keysets, signed(claims, OTHER, f"invented-{number}")) == "key"
    assert issuer.asked == 2


def test_old_keys_serve_for_a_day_while_the_issuer_is_silent(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    verify(keysets, signed(claims))
    issuer.down = True
    lasting = claims | {"exp": claims["exp"] + 200_000}
    clock.advance(3_601)
    for _ in range(5):
        verify(keysets, signed(lasting))
    assert issuer.asked == 2
    clock.advance(86_400)
    with pytest.raises(Unreachable):
        verify(keysets, signed(lasting))
    issuer.down = False
    clock.advance(61)
    verify(keysets, signed(lasting))


def test_a_silent_issuer_without_old_keys_is_asked_once_a_minute(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    issuer.down = True
    for _ in range(5):
        with pytest.raises(Unreachable):
            verify(keysets, signed(claims))
    assert issuer.asked == 1
    clock.advance(61)
    issuer.down = False
    verify(keysets, signed(claims))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500), StatusRefused),
        (Answer(302), StatusRefused),
        (Answer(200, {}, b"<html>"), AnswerRefused),
        (Answer(200, {}, b"[]"), AnswerRefused),
        (Answer(200, {}, b'{"keys": {}}'), AnswerRefused),
    ],
)
def test_an_answer_that_is_no_key_set_is_not_one(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], answer: Any, error: Any
) -> None:
    issuer.answer = answer
    with pytest.raises(error):
        verify(keysets, signed(claims))


@pytest.mark.parametrize("stale", [False, True])
def test_many_threads_ask_once(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock, stale: bool
) -> None:
    lasting = claims | {"exp": claims["exp"] + 7_200}
    if stale:
        verify(keysets, signed(lasting))
        clock.advance(3_601)
    issuer.slow = 0.2
    before, results = issuer.asked, []
    token = signed(lasting)
    threads = [threading.Thread(target=lambda: results.append(verify(keysets, token))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 12
    assert issuer.asked == before + 1


def test_an_unknown_kid_is_no_forgery_before_the_keys_were_read_again(
    keysets: KeySets, issuer: Issuer, claims: dict[str, Any], clock: FakeClock
) -> None:
    verify(keysets, signed(claims))
    clock.advance(30)
    came = clock.now()
    token = signed(claims, OTHER, "r2")
    with pytest.raises(Unreachable):
        verify(keysets, token, since=came)
    clock.advance(61)
    issuer.down = True
    with pytest.raises(Unreachable):
        verify(keysets, token, since=came)
    clock.advance(61)
    issuer.down = False
    assert why(keysets, token, since=came) == "key"
    issuer.keys.append(jwk(OTHER, "r2"))
    clock.advance(61)
    verify(keysets, token, since=clock.now())
