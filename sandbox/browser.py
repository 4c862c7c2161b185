"""A browser without a screen: cookies, redirects and forms, enough to play a person in ``make visit``.

It keeps the rules that matter to the connector: ``__Host-`` cookies only when Secure, Path=/ and without
Domain; cookies are kept per host and, as in real browsers, shared between the host's ports; ``Secure``
cookies are sent to ``http://localhost`` (a potentially trustworthy origin). Every hop is told with status
and time.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import Morsel, SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

import requests

MAX_HOPS = 12
_NAVIGATION = {
    "Accept": "text/html,application/json;q=0.9",
    "Accept-Language": "en",
    "User-Agent": "Mozilla/5.0 (sandbox)",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
}


@dataclass
class Form:
    """One form of a page: where it goes, how, and the fields it would send by itself."""

    action: str
    method: str
    fields: dict[str, str]
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base, self.forms, self.links, self.text = (
            base,
            list[Form](),
            list[tuple[str, str]](),
            list[str](),
        )
        self._link: list[str] | None = None
        self._href = ""
        self._button: tuple[str, str, list[str]] | None = None
        self._select: str | None = None
        self._textarea: str | None = None
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                action = urljoin(self.base, given.get("action") or self.base)
                self.forms.append(Form(action, given.get("method", "get").lower(), {}))
            case "a":
                self._link, self._href = [], urljoin(self.base, given.get("href", ""))
            case "script" | "style":
                self._skip += 1
            case "input" | "select" | "textarea" | "option" | "button" if self.forms:
                self._field(tag, given, dict(attrs))

    def _field(self, tag: str, given: Mapping[str, str], flags: Mapping[str, str | None]) -> None:
        form, name = self.forms[-1], given.get("name", "")
        kind = given.get("type", "submit" if tag == "button" else "text")
        if tag == "button" or kind in ("submit", "image"):
            self._button = (name, given.get("value", ""), [given.get("value", "") if tag == "input" else ""])
            if tag == "input":
                self._end_button()
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in flags or self._select not in form.fields:
                form.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            form.fields[name] = ""
        elif name and (kind not in ("checkbox", "radio") or "checked" in flags):
            form.fields[name] = given.get("value", "on" if kind in ("checkbox", "radio") else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self.links.append((" ".join("".join(self._link).split()), self._href))
            self._link = None
        elif tag in ("script", "style"):
            self._skip -= 1
        elif tag == "button":
            self._end_button()
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None

    def _end_button(self) -> None:
        if self._button and self.forms:
            name, value, words = self._button
            self.forms[-1].buttons.append((name, value, " ".join("".join(words).split())))
        self._button = None

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        self.text.append(data)
        for sink in (self._link, self._button[2] if self._button else None):
            if sink is not None:
                sink.append(data)
        if self._textarea and self.forms:
            self.forms[-1].fields[self._textarea] += data.strip()


@dataclass
class Page:
    """Where the browser stands after following every redirect."""

    url: str
    status: int
    body: str
    headers: Mapping[str, str]
    _read: _Reader | None = None

    @property
    def _reader(self) -> _Reader:
        if self._read is None:
            self._read = _Reader(self.url)
            self._read.feed(self.body)
        return self._read

    @property
    def forms(self) -> list[Form]:
        """The page's forms in order."""
        return self._reader.forms

    @property
    def links(self) -> list[tuple[str, str]]:
        """(text, absolute address) of each link."""
        return self._reader.links

    @property
    def text(self) -> str:
        """What a person reads, in one line."""
        return " ".join(" ".join(self._reader.text).split())

    def button(self, label: str) -> tuple[Form, tuple[str, str, str]]:
        """The form and button whose words contain the label; LookupError names what is offered instead."""
        for form in self.forms:
            for button in form.buttons:
                if label.lower() in button[2].lower():
                    return form, button
        offered = [button[2] for form in self.forms for button in form.buttons]
        raise LookupError(
            f"no button {label!r} at {urlsplit(self.url).path}: offered {offered}; {self.text[:300]}"
        )

    def link(self, label: str) -> str:
        """The address of the link whose words contain the label; LookupError names what is offered."""
        for text, href in self.links:
            if label.lower() in text.lower():
                return href
        raise LookupError(
            f"no link {label!r} at {urlsplit(self.url).path}: offered {[t for t, _ in self.links]}"
        )


@dataclass(frozen=True)
class Hop:
    """One request on the way: method, address without its query, status, milliseconds."""

    method: str
    address: str
    status: int
    milliseconds: float


class Browser:
    """One person's browser. ``bundle``: PEM file to trust for TLS; ``seen`` is told of every hop."""

    def __init__(self, bundle: str | None = None, seen: Callable[[Hop], None] | None = None) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = bundle or True
        self._session.cookies.set_policy(_NoCookies())
        self._cookies: dict[str, dict[str, Morsel[str]]] = {}
        self._seen = seen
        self.urls: list[str] = []

    def get(self, url: str) -> Page:
        """Opens an address and follows redirects."""
        return self._go("GET", url, None, "")

    def press(self, page: Page, label: str, **values: str) -> Page:
        """Fills fields in (names as in the form; ``_`` for ``-``) and presses the button with these words."""
        form, (name, value, _) = page.button(label)
        filled = {**form.fields, **values}
        if name:
            filled[name] = value
        return self.submit(page, form, filled)

    def submit(self, page: Page, form: Form, values: Mapping[str, str | list[str]]) -> Page:
        """Sends a form's fields the way a browser does, ``Origin`` included; a list is ticked boxes."""
        if form.method == "get":
            return self._go(
                "GET", form.action.split("?")[0] + "?" + urlencode(values, doseq=True), None, page.url
            )
        return self._go("POST", form.action, urlencode(values, doseq=True).encode(), page.url)

    def follow(self, page: Page, label: str) -> Page:
        """Follows the link with these words."""
        return self.get(page.link(label))

    def cookies(self, host: str = "localhost") -> dict[str, str]:
        """The cookies held for a host."""
        return {name: morsel.value for name, morsel in self._cookies.get(host, {}).items()}

    def _go(self, method: str, url: str, body: bytes | None, referrer: str) -> Page:
        for _ in range(MAX_HOPS):
            self.urls.append(url)
            answer, took = self._send(method, url, body, referrer)
            self._keep(url, answer)
            if self._seen:
                self._seen(Hop(method, url.split("?", maxsplit=1)[0], answer.status_code, took))
            if answer.status_code not in (301, 302, 303, 307, 308):
                return Page(url, answer.status_code, answer.text, answer.headers)
            url = urljoin(url, answer.headers["Location"])
            if answer.status_code in (301, 302, 303):
                method, body = "GET", None
        raise RuntimeError(f"more than {MAX_HOPS} redirects, last to {url.split('?')[0]}")

    def _send(
        self, method: str, url: str, body: bytes | None, referrer: str
    ) -> tuple[requests.Response, float]:
        parts = urlsplit(url)
        headers = {
            "Accept": "text/html,application/json;q=0.9",
            "Accept-Language": "en",
            "User-Agent": "Mozilla/5.0",
        }
        headers |= {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
        if jar := self._cookies.get(parts.hostname or ""):
            headers["Cookie"] = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())
        if method == "POST":
            origin = urlsplit(referrer)
            same = (origin.scheme, origin.netloc) == (parts.scheme, parts.netloc)
            headers["Origin"] = f"{origin.scheme}://{origin.netloc}"
            headers["Sec-Fetch-Site"] = "same-origin" if same else "cross-site"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        begun = time.perf_counter()
        answer = self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False, timeout=30
        )
        return answer, (time.perf_counter() - begun) * 1000

    def _keep(self, url: str, answer: requests.Response) -> None:
        host = urlsplit(url).hostname or ""
        jar = self._cookies.setdefault(host, {})
        for line in _set_cookie_lines(answer):
            parsed: SimpleCookie = SimpleCookie()
            parsed.load(line)
            for name, morsel in parsed.items():
                if name.startswith("__Host-") and not (morsel["secure"] and morsel["path"] == "/"):
                    continue
                if morsel["domain"]:
                    continue
                if morsel["max-age"] == "0" or "1970" in morsel["expires"]:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel


def _set_cookie_lines(answer: requests.Response) -> Iterator[str]:
    raw = answer.raw.headers
    yield from raw.getlist("Set-Cookie")


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):  # type: ignore[name-defined, misc]
    """Keeps requests' own jar empty: it refuses Secure cookies on localhost, real browsers do not."""

    def set_ok(self, cookie: object, request: object) -> bool:
        return False
