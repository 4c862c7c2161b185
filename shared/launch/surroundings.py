"""Where a launch arrives: a browser's own window, somebody's frame, an app's web view, a browser too old.

Whatever is shown here comes before the first call to the EHR: the launch value is still unused, so the same
address works once more in a window or browser that is fit for a video visit.
"""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode, urlsplit

from shared.edge import content_security_policy
from shared.errors import Refusal
from shared.pages import Pages
from shared.web import Request, Response, html

# Fetch Metadata destinations that mean: inside somebody else's page.
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})
# What a launch's address may carry on; ``here``: the person chose to go on in this web view.
_KEPT = ("iss", "launch", "open")
HERE = "here"

# Engines that Teams' meeting page does not run on, whatever their version.
_NEVER = re.compile(r"MSIE |Trident/|Edge/1\d\.|Opera Mini|Android.*Version/4\.0(?!.*Chrome/)")
# The first version that does, by the mark that the browser leaves; an unknown browser is let through.
_SINCE: Mapping[str, int] = {
    r"Chrome/(\d+)\.": 80,
    r"Firefox/(\d+)\.": 80,
    r"Version/(\d+)[\d.]* (?:Mobile/\w+ )?Safari/": 13,
}
# Android marks its web view; on Apple's systems an app's own view lacks the browser's last word.
_WEB_VIEW = re.compile(
    r"; wv\)|FBAN/|FBAV/|Instagram|MicroMessenger|(?:iPhone|iPad|iPod)(?=.*AppleWebKit/)(?!.*Safari/)"
)

type Fitness = Literal["fit", "web-view", "too-old"]


def fitness(agent: str) -> Fitness:
    """What a User-Agent header says of the browser; nothing but help depends on it."""
    agent = agent[:1000]
    if _NEVER.search(agent):
        return "too-old"
    if _WEB_VIEW.search(agent):
        return "web-view"
    for mark, first in _SINCE.items():
        found = re.search(mark, agent)
        if found is not None:
            return "fit" if int(found[1]) >= first else "too-old"
    return "fit"


def outside(url: str, agent: str) -> str:
    """An address that an app's web view hands to the telephone's own browser."""
    scheme, _, rest = url.partition("://")
    if "Android" in agent:
        return f"intent://{rest}#Intent;scheme={scheme};action=android.intent.action.VIEW;end"
    return f"x-safari-{url}"


class Surroundings:
    """Looks at where a launch arrives."""

    def __init__(self, pages: Pages, public_url: str) -> None:
        self._pages = pages
        self._public_url = public_url

    def page(self, request: Request, frames: tuple[str, ...] = ()) -> Response | None:
        """The page that leads to a better place, or None where a visit can begin.

        ``frames``: origins that may show it in a frame, any where there are none.

        A page of an app's web view moves on by itself where a camera can be had there after all. Refusal
        browser-unsupported.
        """
        if request.header("sec-fetch-dest") in _FRAMES:
            return self._framed(request, frames or ("*",))
        agent = request.header("user-agent")
        fit = fitness(agent)
        if fit == "too-old":
            raise Refusal("browser-unsupported")
        if fit == "web-view" and HERE not in request.query:
            return self._web_view(request, agent)
        return None

    def _framed(self, request: Request, frames: tuple[str, ...]) -> Response:
        page = self._pages.render("framed.html", request, href=_again(request))
        # Even where any page may frame this one it sets no cookie, and its one link leads to a launch that
        # checks all again.
        policy = content_security_policy(frame_ancestors=frames)
        return html(page).with_headers(Content_Security_Policy=policy)

    def _web_view(self, request: Request, agent: str) -> Response:
        plain = f"{self._public_url}{_again(request)}"
        here = f"{_again(request)}&{HERE}=1"
        page = self._pages.page(
            "web_view.html", request, outside=outside(plain, agent), plain=plain, here=here
        )
        # The page only asks whether a camera could be had; it opens none.
        return page.with_headers(Permissions_Policy="camera=(self), microphone=(self)")


def _again(request: Request) -> str:
    kept = {name: request.query[name] for name in _KEPT if name in request.query}
    return f"{urlsplit(request.path).path}?{urlencode(kept)}"
