"""Admin consent: an organization's administrator lets the app in (Microsoft identity platform, v2.0).

The answer comes to the redirect URI and is nobody's word: whoever opens that address writes its query. What
it names is shown, never believed; the sign-in that follows proves the organization. ``admin_consent=True``
stands in errors as well, so an ``error`` decides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from shared.settings import Settings

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ERROR = re.compile(r"[a-z_]{1,40}")
_NUMBER = re.compile(r"AADSTS[0-9]{1,10}")


@dataclass(frozen=True)
class ConsentAnswer:
    """What the query says. ``tenant``: claimed, empty unless a GUID; ``error``: an OAuth code, or empty.

    ``number``: Entra's own error number (``AADSTS65004``), for whoever looks it up.
    """

    given: bool
    tenant: str = ""
    error: str = ""
    number: str = ""


def consent_address(settings: Settings, redirect_uri: str, state: str) -> str:
    """Where an administrator of any organization grants what the app registration lists, tenant-wide."""
    query = {
        "client_id": settings.client_id,
        "scope": f"{settings.graph_url}/.default",
        "redirect_uri": redirect_uri,
        "state": state,
    }
    # Not "common": personal accounts have no organization to consent for.
    return f"{settings.login_url}/organizations/v2.0/adminconsent?{urlencode(query)}"


def consent_answer(query: Mapping[str, str]) -> ConsentAnswer:
    """Reads the answer; of a stranger's text only what looks like a code is kept."""
    tenant = query.get("tenant", "")
    claimed = tenant.lower() if _GUID.fullmatch(tenant) else ""
    error = query.get("error", "")
    if error:
        number = _NUMBER.match(query.get("error_description", ""))
        return ConsentAnswer(
            False,
            claimed,
            error if _ERROR.fullmatch(error) else "error",
            number.group() if number is not None else "",
        )
    return ConsentAnswer(query.get("admin_consent", "").lower() == "true", claimed)
