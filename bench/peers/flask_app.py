"""``python -m bench.peers.flask_app``: fhirclient for Python in a Flask app, used as its readme shows.

Its settings come as JSON in BENCH_PEER. Each answer says in ``X-Seconds`` how long the library worked on it.
"""

import json
import os
import signal
import threading
import time
from typing import Any

from fhirclient import client
from flask import Flask, Response, redirect, request, session

from sandbox.serving import serve

_SETTINGS: dict[str, Any] = json.loads(os.environ.get("BENCH_PEER", "{}"))
app = Flask("bench.peers.flask_app")
app.secret_key = os.urandom(32)


def _smart(**more: str) -> Any:
    def save(state: dict[str, Any]) -> None:
        # Its state holds a time, which no cookie can; expiry is not what is measured.
        state["server"]["auth"] = {**state["server"]["auth"], "expires_at": None}
        session["state"] = state

    if more:
        return client.FHIRClient(settings={**_SETTINGS["client"], **more}, save_func=save)
    return client.FHIRClient(state=session["state"], save_func=save)


def _redirected(url: str, begun: float) -> Response:
    return Response(status=302, headers={"Location": url, "X-Seconds": str(time.perf_counter() - begun)})


@app.get("/launch")
def launch() -> Response:
    """Leg 1."""
    begun = time.perf_counter()
    smart = _smart(api_base=request.args["iss"], launch_token=request.args["launch"])
    return _redirected(str(smart.authorize_url), begun)


@app.get("/callback")
def callback() -> Response:
    """Leg 2."""
    begun = time.perf_counter()
    smart = _smart()
    smart.handle_callback(request.url)
    if not smart.ready:
        raise PermissionError("no token")
    return _redirected("/done", begun)


@app.get("/done")
def done() -> Any:
    """Where a person would go on."""
    return redirect("/done")


def main() -> None:
    """Serve it until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = serve(app, int(_SETTINGS["port"]))
    stop.wait()
    server.close()


if __name__ == "__main__":
    main()
