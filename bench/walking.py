"""A browser as lean as can be, so that what is measured is not the browser: kept connections and cookies."""

import time
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlsplit


class Walked:
    """One answer: status, where it leads, how long it took in seconds, and the headers."""

    def __init__(self, answer: HTTPResponse, seconds: float) -> None:
        """Reads what is needed of the answer."""
        self.status, self.seconds, self.headers = answer.status, seconds, answer.headers
        self.location = answer.headers.get("Location", "")


class Walker:
    """One person. Cookies are kept per port: the apps under test shall not see each other's."""

    def __init__(self) -> None:
        """Without connections."""
        self._connections: dict[str, HTTPConnection] = {}
        self._cookies: dict[str, dict[str, str]] = {}

    def get(self, url: str) -> Walked:
        """One request, no redirect followed."""
        parts = urlsplit(url)
        place = parts.netloc
        connection = self._connections.get(place)
        if connection is None:
            connection = self._connections[place] = HTTPConnection("127.0.0.1", parts.port, timeout=60)
        jar = self._cookies.setdefault(place, {})
        headers = {"Host": place, "Accept": "text/html", "Sec-Fetch-Dest": "document"}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        begun = time.perf_counter()
        connection.request(
            "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers
        )
        answer = connection.getresponse()
        answer.read()
        walked = Walked(answer, time.perf_counter() - begun)
        for line in answer.headers.get_all("Set-Cookie", ()):
            for name, morsel in SimpleCookie(line).items():
                jar[name] = morsel.coded_value
                if morsel["max-age"] == "0":
                    del jar[name]
        return walked

    def forget(self) -> None:
        """Drops the cookies."""
        self._cookies.clear()

    def close(self) -> None:
        """Gives up the connections."""
        for connection in self._connections.values():
            connection.close()


class LaunchFailed(Exception):
    """A step of a launch was not answered with a redirect."""


def onward(walked: Walked, step: str) -> str:
    """Where a redirect leads; LaunchFailed names the step."""
    if walked.status not in (302, 303) or not walked.location:
        raise LaunchFailed(f"{step}: HTTP {walked.status}")
    return walked.location
