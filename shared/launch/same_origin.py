"""Whether a form was sent by a page of ours (OWASP CSRF: Fetch Metadata, else Origin)."""

from shared.errors import Refusal
from shared.web import Request


def own_page_only(request: Request, public_url: str) -> None:
    """Refusal ``cross-site`` for what another site's page caused, or nobody can tell."""
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    # "null" is what a browser sends for our own page under no-referrer: then Fetch Metadata alone decides.
    if origin not in ("", "null") and origin != public_url:
        raise Refusal("cross-site", "origin")
    if site and site != "same-origin":
        raise Refusal("cross-site", "sec-fetch-site")
    if not site and origin != public_url:
        raise Refusal("cross-site", "no header tells")
