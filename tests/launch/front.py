"""The doors as the Functions host calls them: every route of both blueprints, through the edge.

Which routes there are is read from the blueprints, so that none can be forgotten.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import azure.functions as func
import pytest

from launch_patient import blueprint as patient
from launch_provider import blueprint as provider
from tests.launch.conftest import PUBLIC, World

_BLUEPRINTS: tuple[ModuleType, ...] = (provider, patient)


@dataclass(frozen=True)
class Route:
    """``template`` as it was registered: ``launch/provider/{connection}``."""

    method: str
    template: str
    call: Callable[[func.HttpRequest], func.HttpResponse] = field(repr=False, compare=False)

    @property
    def names(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.template)

    def path(self, **values: str) -> str:
        return f"/{self.template.format(**values)}"


def routes() -> list[Route]:
    """Every route of the launches."""
    found = []
    for blueprint in _BLUEPRINTS:
        for builder in blueprint.bp._function_builders:
            made = builder._function
            trigger: Any = made.get_trigger()
            found += [
                Route(method.value, trigger.route, made.get_user_function()) for method in trigger.methods
            ]
    return found


@contextmanager
def wired(world: World) -> Iterator[None]:
    """While this lasts the blueprints serve this world."""
    with pytest.MonkeyPatch.context() as patch:
        for blueprint in _BLUEPRINTS:
            patch.setattr(blueprint, "services", lambda: world.services)
        _forget()
        yield
    _forget()


def _forget() -> None:
    for blueprint in _BLUEPRINTS:
        for built in vars(blueprint).values():
            if hasattr(built, "cache_clear") and built.__module__ == blueprint.__name__:
                built.cache_clear()


@dataclass(frozen=True)
class Answered:
    """What left the app."""

    status: int
    headers: Message | Any
    text: str

    @property
    def location(self) -> str:
        return str(self.headers.get("Location") or "")

    @property
    def cookies(self) -> list[str]:
        return list(self.headers.get_all("Set-Cookie") or [])


def ask(
    route: Route,
    query: Mapping[str, str] | None = None,
    *,
    values: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answered:
    """One request at one route; ``values`` fill in the route's template."""
    named = {name: (values or {}).get(name, "x") for name in route.names}
    url = f"{PUBLIC}{route.path(**named)}" + (f"?{urlencode(query)}" if query else "")
    sent = {"content-type": "application/x-www-form-urlencoded"} if form is not None else {}
    if cookies:
        sent["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    request = func.HttpRequest(
        method=route.method,
        url=url,
        headers={**sent, **(headers or {})},
        params=dict(parse_qsl(urlsplit(url).query)),
        route_params=named,
        body=urlencode(form or {}).encode(),
    )
    answer = route.call(request)
    return Answered(answer.status_code, answer.headers, answer.get_body().decode("utf-8", "replace"))


def keep(cookies: dict[str, str], answered: Answered) -> None:
    """What a browser does with the cookies of an answer."""
    for cookie in answered.cookies:
        name, _, value = cookie.partition(";")[0].partition("=")
        if "Max-Age=0;" in cookie:
            cookies.pop(name, None)
        else:
            cookies[name] = value
