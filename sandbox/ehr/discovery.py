"""Discovery documents and the key set of the id_tokens (SMART App Launch 2.2, conformance; ehr.md 1.2)."""

import gzip
import json
from typing import Any

from flask import Blueprint, Response, jsonify, redirect
from werkzeug.wrappers import Response as AnyResponse

from sandbox.ehr import doors, scopes
from sandbox.ehr.assertion import ALGORITHMS
from sandbox.ehr.hospital import Hospital
from sandbox.ehr.signing import ALGORITHM
from sandbox.ehr.world import World

_HUGE = 16 * 1024 * 1024
CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def discovery(world: World) -> Blueprint:
    """smart-configuration below the FHIR base, openid-configuration below the issuer, and the key set."""
    hospital = world.hospital
    routes = Blueprint("discovery", __name__)
    doors.only_servers(routes)
    issuer_path = hospital.issuer.removeprefix(hospital.tls_url)

    @routes.get(f"{hospital.fhir_path}/.well-known/smart-configuration")
    def smart_configuration() -> AnyResponse:
        return _document(world, _smart(hospital))

    @routes.get(f"{issuer_path}/.well-known/openid-configuration")
    def openid_configuration() -> AnyResponse:
        return _document(world, _openid(hospital))

    @routes.get(hospital.jwks_path)
    def key_set() -> Response:
        answer = jsonify(world.signing.jwks())
        answer.headers["Cache-Control"] = "max-age=300"
        return answer

    return routes


def _document(world: World, content: dict[str, Any]) -> AnyResponse:
    failures = world.failures
    if failures.discovery_down:
        return Response("Service Unavailable", 503, mimetype="text/plain")
    if failures.discovery_redirect:
        return redirect("https://elsewhere.example/.well-known/smart-configuration", 302)
    if failures.discovery_http_endpoints:
        content |= {name: _plain(content[name]) for name in ("token_endpoint", "jwks_uri")}
    if failures.discovery_huge:
        padded = json.dumps(content | {"padding": " " * _HUGE}).encode()
        headers = {"Content-Encoding": "gzip"}
        return Response(gzip.compress(padded, 1), 200, headers, mimetype="application/json")
    answer = jsonify(content)
    answer.headers["Cache-Control"] = "max-age=300"
    return answer


def _plain(url: str) -> str:
    return "http" + url.removeprefix("https")


def _endpoints(hospital: Hospital) -> dict[str, Any]:
    return {
        "issuer": hospital.issuer,
        "jwks_uri": hospital.jwks_url,
        "authorization_endpoint": hospital.authorize_url,
        "token_endpoint": hospital.token_url,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "authorization_response_iss_parameter_supported": True,
    }


def _smart(hospital: Hospital) -> dict[str, Any]:
    supported = ["openid", "fhirUser", "profile", "launch"]
    supported += scopes.V1_SCOPES if hospital.v1_scopes else ["user/*.rs", "patient/*.rs", "system/*.rs"]
    if hospital.audit_events:
        supported.append("system/AuditEvent.cu")
    capabilities = [one for one in CAPABILITIES if one != "permission-v2" or not hospital.v1_scopes]
    return _endpoints(hospital) | {"scopes_supported": supported, "capabilities": capabilities}


def _openid(hospital: Hospital) -> dict[str, Any]:
    return _endpoints(hospital) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "scopes_supported": ["openid", "fhirUser", "profile"],
        "claims_supported": ["sub", "fhirUser"],
    }
