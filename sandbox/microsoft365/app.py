"""The Flask app of the simulated Microsoft 365: one app, served on the http and on the TLS port."""

from pathlib import Path

from flask import Flask, Response, render_template, request

from sandbox.microsoft365.controls import Controls
from sandbox.microsoft365.entra import EntraPages
from sandbox.microsoft365.graph import Graph
from sandbox.microsoft365.graph_meetings import MeetingOperations
from sandbox.microsoft365.graph_subscriptions import SubscriptionOperations
from sandbox.microsoft365.graph_users import UserOperations
from sandbox.microsoft365.teams import TeamsPages
from sandbox.microsoft365.world import World
from sandbox.recorder import install_controls

_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def create_app(world: World) -> Flask:
    """The app over `world`. Served on both ports it tells them apart by the request's scheme."""
    app = Flask("sandbox.microsoft365", root_path=str(_HERE), static_url_path="/assets/m365")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    install_controls(app, world.recorder, world.failures, world.state)
    app.after_request(_protect)
    EntraPages(app, world)
    graph = Graph(app, world)
    for operations in (MeetingOperations(world), SubscriptionOperations(world), UserOperations(world)):
        operations.install(graph)
    TeamsPages(app, world)
    Controls(app, world)
    app.add_url_rule("/", "home", lambda: render_template("home.html", world=world))
    return app


def _protect(response: Response) -> Response:
    if request.scheme == "http":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
    return response
