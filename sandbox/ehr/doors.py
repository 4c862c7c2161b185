"""Which door a request may come through: servers by TLS, browsers by plain http on loopback."""

from flask import Blueprint, Response, jsonify, request


def only_servers(blueprint: Blueprint) -> None:
    """Refuse everything of this blueprint that did not come over TLS."""
    blueprint.before_request(_refuse_http)


def only_browsers(blueprint: Blueprint) -> None:
    """Refuse everything of this blueprint that came through the servers' port."""
    blueprint.before_request(_refuse_tls)


def _refuse_http() -> tuple[Response, int] | None:
    if request.scheme == "https":
        return None
    return jsonify({"error": "this endpoint answers on the TLS port only"}), 403


def _refuse_tls() -> tuple[Response, int] | None:
    if request.scheme == "http":
        return None
    return jsonify({"error": "pages are on the http port; this one is for servers"}), 421
