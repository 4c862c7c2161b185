"""People at their own browsers, who remember what the browser complained about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

from tests.e2e.camera import WIDE

_COMPLAINTS = ("error", "warning")


@dataclass
class Person:
    """One browser context. `complaints` are console errors and script errors as (page, text);
    `pages` the addresses of all documents that were shown (answered 200)."""

    context: BrowserContext
    page: Page
    complaints: list[tuple[str, str]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Begin to remember."""
        self.context.on("console", self._console)
        self.context.on("weberror", lambda one: self.complaints.append((self.page.url, str(one.error))))
        self.context.on("response", self._response)

    def window(self, press: Callable[[], None]) -> Page:
        """The new window that `press` opens."""
        with self.context.expect_page() as opened:
            press()
        return opened.value

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in _COMPLAINTS:
            where = message.location.get("url") or (message.page.url if message.page else "")
            self.complaints.append((where, message.text))

    def _response(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.status == 200:
            self.pages.append(response.url)


@contextmanager
def person(browser: Browser, locale: str = "en-US") -> Iterator[Person]:
    """Somebody with an empty browser; its windows close at the end."""
    context = browser.new_context(
        viewport=WIDE, permissions=["camera", "microphone"], locale=locale, reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    somebody = Person(context, context.new_page())
    somebody.watch()
    try:
        yield somebody
    finally:
        context.close()
