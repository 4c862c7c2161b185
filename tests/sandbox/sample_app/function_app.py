"""A function app that shows what the host did: every answer repeats what the function received."""

import json
import logging
import threading
import time

import azure.functions as func
from greetings import GREETING

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
received: list[dict[str, object]] = []
ticks: list[float] = []
lock = threading.Lock()


def _echo(req: func.HttpRequest, name: str) -> func.HttpResponse:
    seen = {
        "function": name,
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route("{ignored:maxlength(0)?}", methods=["GET"])
def root(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(GREETING)


@app.route("items/{number:int}", methods=["GET", "POST"])
def number(req: func.HttpRequest) -> func.HttpResponse:
    return _echo(req, "number")


@app.route("items/{name}", methods=["GET", "PUT"])
def name(req: func.HttpRequest) -> func.HttpResponse:
    return _echo(req, "name")


@app.route("items/special", methods=["GET"])
def special(req: func.HttpRequest) -> func.HttpResponse:
    return _echo(req, "special")


@app.route("optional/{x?}", methods=["GET"])
def optional(req: func.HttpRequest) -> func.HttpResponse:
    return _echo(req, "optional")


@app.route("files/{*rest}", methods=["GET"])
def files(req: func.HttpRequest) -> func.HttpResponse:
    return _echo(req, "files")


@app.route("cookies", methods=["GET"])
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("baked")
    for cookie in (
        "__Host-a=x+y/z==; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600",
        "lost=1; Path=/; Secure; SameSite=None; Partitioned",
        "gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
    ):
        response.headers.add("Set-Cookie", cookie)
    response.headers.add("X-Twice", "one")
    response.headers.add("X-Twice", "two")
    return response


@app.route("boom", methods=["GET"])
def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("secret inside")


@app.route("slow", methods=["GET"])
def slow(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(float(req.params.get("seconds", "1")))
    return func.HttpResponse("done")


@app.route("keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route("received", methods=["GET"])
def show(req: func.HttpRequest) -> func.HttpResponse:
    with lock:
        return func.HttpResponse(
            json.dumps({"messages": received, "ticks": ticks}), mimetype="application/json"
        )


@app.function_name("work")
@app.queue_trigger(arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection="SampleStorage")
def work(msg: func.QueueMessage) -> None:
    order = json.loads(msg.get_body())
    with lock:
        received.append({"id": order["id"], "count": msg.dequeue_count, "at": time.time()})
    logging.getLogger("sample").info("took %s", order["id"], extra={"order": order["id"]})
    time.sleep(order.get("sleep", 0))
    if msg.dequeue_count is not None and msg.dequeue_count <= order.get("fail", 0):
        raise RuntimeError("not yet")


@app.timer_trigger(schedule="* * * * * *", arg_name="tick")
def beat(tick: func.TimerRequest) -> None:
    with lock:
        ticks.append(time.time())
