"""What every simulator can be asked about itself: the requests it received, its failure modes, its record.

The endpoints live below `/sandbox/` and answer on the TLS port only:

* `GET /sandbox/requests` every request received, oldest first (JSON, body base64); `DELETE` forgets them.
* `GET /sandbox/failures` the failure modes as they stand; `PUT` sets exactly these (a field not named goes
  back to its default, so `{}` switches everything off); `PATCH` changes the named ones only. An unknown field
  or a value of the wrong type is a 400 and changes nothing.
* `GET /sandbox/state` what the simulator's record says.

Requests below `/sandbox/` are controls, not traffic: they are not recorded.
"""

import base64
import time
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, Protocol

from flask import Flask, Response, jsonify, request
from werkzeug.urls import iri_to_uri

CONTROLS = "/sandbox/"


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived; `url` with its query, `headers` as sent, `at` in Unix seconds."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values; the body in base64."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "body": base64.b64encode(self.body).decode("ascii"),
            "at": self.at,
        }


@dataclass
class Recorder:
    """Every request a simulator received, oldest first; `clock` gives Unix seconds."""

    clock: Callable[[], float] = time.time
    requests: list[Recorded] = field(default_factory=list)

    def record_request(self) -> None:
        """Keep the request that Flask handles at the moment, unless it is a control."""
        if request.path.startswith(CONTROLS):
            return
        body = request.get_data(cache=True)
        self.requests.append(Recorded(request.method, _raw_url(), dict(request.headers), body, self.clock()))

    def sent_to(self, path: str, method: str | None = None) -> list[Recorded]:
        """The requests whose URL contains `path`, optionally of one method only."""
        return [one for one in self.requests if path in one.url and method in (None, one.method)]

    def forget(self) -> None:
        """Forget all of them, in place."""
        self.requests.clear()

    def install(self, app: Flask) -> None:
        """Record every request of `app`, and answer `/sandbox/requests`."""
        app.before_request(self.record_request)
        app.before_request(_refuse_controls_without_tls)
        app.add_url_rule(
            f"{CONTROLS}requests", "sandbox_requests", self._answer_requests, methods=["GET", "DELETE"]
        )

    def _answer_requests(self) -> Response:
        if request.method == "DELETE":
            self.forget()
            return Response(status=204)
        return jsonify([one.as_json() for one in list(self.requests)])


class FailureModes(Protocol):
    """Any dataclass instance: one field a failure mode, its default meaning "off"."""

    __dataclass_fields__: typing.ClassVar[dict[str, Field[Any]]]


def install_controls(
    app: Flask, recorder: Recorder, failures: FailureModes, state: Callable[[], dict[str, Any]]
) -> None:
    """Give `app` all of this module's endpoints over this recorder, these failure modes and this record."""
    recorder.install(app)

    def answer_failures() -> Response | tuple[Response, int]:
        if request.method == "GET":
            return jsonify(asdict(failures))
        wanted = request.get_json(silent=True)
        if not isinstance(wanted, dict):
            return jsonify({"error": "expected a JSON object"}), 400
        try:
            set_failures(failures, wanted, keep_others=request.method == "PATCH")
        except ValueError as error:
            return jsonify({"error": str(error)}), 400
        return jsonify(asdict(failures))

    app.add_url_rule(
        f"{CONTROLS}failures", "sandbox_failures", answer_failures, methods=["GET", "PUT", "PATCH"]
    )
    app.add_url_rule(f"{CONTROLS}state", "sandbox_state", lambda: jsonify(state()))


def set_failures(failures: FailureModes, wanted: Mapping[str, Any], keep_others: bool = False) -> None:
    """Set the failure modes in place from JSON values, all or nothing.

    Raises `ValueError` in words: an unknown field, or a value of another type than the field's.
    """
    known = {one.name: one for one in fields(failures)}
    hints = typing.get_type_hints(type(failures))
    for name, value in wanted.items():
        if name not in known:
            raise ValueError(f"unknown failure mode: {name}")
        if not _fits(value, hints[name]):
            raise ValueError(f"{name}: {value!r} does not fit {hints[name]}")
    for name, one in known.items():
        if name in wanted:
            setattr(failures, name, wanted[name])
        elif not keep_others:
            setattr(failures, name, _default(one))


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _fits(value: object, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is None or hint is type(None):
        return value is None
    kind = origin or hint
    return not isinstance(kind, type) or isinstance(value, kind)


def _refuse_controls_without_tls() -> tuple[Response, int] | None:
    if request.path.startswith(CONTROLS) and request.scheme != "https":
        return jsonify({"error": "controls answer on the TLS port only"}), 403
    return None


def _raw_url() -> str:
    """The URL with its percent signs as sent; `request.url` decodes what it can."""
    raw = request.environ.get("RAW_URI", "")
    return f"{request.scheme}://{request.host}{raw}" if raw.startswith("/") else iri_to_uri(request.url)
