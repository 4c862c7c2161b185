"""One Flask application for one hospital, to be served on its http and its TLS port alike."""

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from sandbox.ehr.access import Access
from sandbox.ehr.authorization import Authorization
from sandbox.ehr.authorize import authorization_pages, token_endpoint
from sandbox.ehr.controls import controls, state
from sandbox.ehr.discovery import discovery
from sandbox.ehr.fhir_api import fhir_api
from sandbox.ehr.pages import pages
from sandbox.ehr.status_service import status_service
from sandbox.ehr.trouble import Trouble
from sandbox.ehr.world import World
from sandbox.recorder import install_controls

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(world: World) -> Flask:
    """The hospital as a WSGI application."""
    app = Flask("sandbox.ehr", static_folder="static", template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    install_controls(app, world.recorder, world.failures, lambda: state(world))
    Trouble(world).install(app)
    authorization = Authorization(app, world)
    access = Access(world, authorization.tokens)
    app.register_blueprint(authorization_pages(world, authorization))
    app.register_blueprint(token_endpoint(world, authorization))
    app.register_blueprint(discovery(world))
    app.register_blueprint(fhir_api(world, access))
    if world.hospital.status_path:
        app.register_blueprint(status_service(world, access))
    app.register_blueprint(pages(world))
    app.register_blueprint(controls(world))
    app.context_processor(lambda: {"hospital": world.hospital})
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(_with_page_headers)
    return app


def _answer_http_error(error: HTTPException) -> Response | tuple[Response | str, int]:
    status = error.code or 500
    if request.scheme == "https" or status < 400:
        return jsonify({"error": error.name}), status
    return render_template(
        "refused.html", title=error.name, reason="There is nothing at this address."
    ), status


def _with_page_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers.update(_PAGE_HEADERS)
    return response
