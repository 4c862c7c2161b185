"""What happens in a played visit, step by step: each is timed, told and must have worked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.browser import Browser, Page

_SHOWN = 300


class VisitFailed(Exception):
    """The visit cannot go on; the message says at which step and why."""


@dataclass(frozen=True)
class Step:
    """Somebody did something. `status`: of the last answer; `milliseconds`: of all, redirects included."""

    who: str
    what: str
    status: int
    milliseconds: float


class Timeline:
    """Plays steps for one visit. Every person has one browser, made at their first step."""

    def __init__(self, bundle: str, tell: Callable[[Step], None]) -> None:
        """`bundle`: PEM file with the sandbox's authority; `tell` hears of each step, failed too."""
        self._bundle = bundle
        self._tell = tell
        self._browsers: dict[str, Browser] = {}
        self._session = requests.Session()
        # The machine's environment may name other authorities and proxies.
        self._session.trust_env = False
        self._session.verify = bundle

    def browser(self, who: str) -> Browser:
        """The browser of one person."""
        if who not in self._browsers:
            self._browsers[who] = Browser(self._bundle)
        return self._browsers[who]

    @property
    def urls(self) -> dict[str, tuple[str, ...]]:
        """Every address each person's browser was sent to, redirects included."""
        return {who: tuple(browser.urls) for who, browser in self._browsers.items()}

    def page(self, who: str, what: str, act: Callable[[Browser], Page]) -> Page:
        """A step in a browser; VisitFailed unless it ends on a page with status 200."""
        begun = time.perf_counter()
        try:
            page = act(self.browser(who))
        except (LookupError, RuntimeError, requests.RequestException) as error:
            raise VisitFailed(f"{who}, {what}: {error}") from error
        self.done(who, what, page.status, begun)
        if page.status != 200:
            raise VisitFailed(f"{who}, {what}: HTTP {page.status}, {page.text[:_SHOWN]}")
        return page

    def ask(self, who: str, what: str, method: str, url: str, body: object = None) -> dict[str, Any]:
        """A step by JSON, without a browser; VisitFailed unless it is answered with success."""
        begun = time.perf_counter()
        answer = self._request(who, what, method, url, body)
        self.done(who, what, answer.status_code, begun)
        return self._document(who, what, answer)

    def look(self, who: str, what: str, url: str) -> dict[str, Any]:
        """Reads a JSON document without telling a step of it."""
        return self._document(who, what, self._request(who, what, "GET", url, None))

    def done(self, who: str, what: str, status: int, begun: float) -> None:
        """Tells a step that began at `begun` (`time.perf_counter`)."""
        self._tell(Step(who, what, status, (time.perf_counter() - begun) * 1000))

    def close(self) -> None:
        """Gives the connections back."""
        self._session.close()

    def _request(self, who: str, what: str, method: str, url: str, body: object) -> requests.Response:
        try:
            return self._session.request(method, url, json=body, timeout=30)
        except requests.RequestException as error:
            raise VisitFailed(f"{who}, {what}: {error}") from error

    @staticmethod
    def _document(who: str, what: str, answer: requests.Response) -> dict[str, Any]:
        if not answer.ok:
            raise VisitFailed(f"{who}, {what}: HTTP {answer.status_code}, {answer.text[:_SHOWN]}")
        try:
            document: dict[str, Any] = answer.json()
        except requests.JSONDecodeError as error:
            raise VisitFailed(f"{who}, {what}: not JSON, {answer.text[:_SHOWN]}") from error
        return document
