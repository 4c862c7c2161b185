"""The sandbox's front page at ``/sandbox/``: who is who, and where each person begins.

It belongs to the host, not to the function app: a deployed app has no such page.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, render_template

from sandbox.addresses import Addresses

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def landing_page(addresses: Addresses) -> "WSGIApplication":
    """The application that serves every path under ``/sandbox/``."""
    app = Flask(
        __name__,
        template_folder=str(_FOLDER / "templates"),
        static_folder=str(_FOLDER / "static"),
        static_url_path="/sandbox/static",
    )

    @app.get("/sandbox/")
    def page() -> tuple[str, dict[str, str]]:
        return render_template("landing.html", at=addresses), {"Content-Security-Policy": _POLICY}

    return app
