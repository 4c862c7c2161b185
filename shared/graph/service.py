"""One call to Microsoft Graph: token, address, one fresh token after a 401, and the error envelope read.

* App-only tokens; the tenant is always an argument.
* A status that is no success is a ``GraphRefused``; what it means is the caller's business.
* Nothing is repeated unless the caller says, by asking for ``attempts``, that repeating is harmless.
* ``request-id`` is logged for every refusal, because Microsoft's support asks for it; addresses are not,
  because join links are as good as keys.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.clock import Entropy
from shared.entra import Entra
from shared.errors import AnswerRefused, StatusRefused
from shared.events import note
from shared.outbound import Answer, Outbound
from shared.settings import Settings

# Two generations of wording for the same thing (graph.md 1.6); there is no error code of its own for it.
_POLICY_MISSING = re.compile(
    r"application access policy|not authorized to \w+ meeting on behalf", re.IGNORECASE
)
_CODE = re.compile(r"[\w.-]{1,64}")
_HEX = "0123456789abcdef"


class GraphRefused(StatusRefused):
    """Graph's answer was no success. ``code``: ``error.code``; the message stays out of text and log."""

    def __init__(
        self, status: int, code: str = "", message: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(status, code, retry_after)
        self.message = message

    @property
    def policy_missing(self) -> bool:
        """Whether Teams said that no application access policy names this app for the organizer."""
        return self.status in (401, 403) and _POLICY_MISSING.search(self.message) is not None


class Graph:
    """Microsoft Graph of one cloud, as the app itself."""

    def __init__(self, settings: Settings, outbound: Outbound, entra: Entra, entropy: Entropy) -> None:
        self._root = settings.graph_url
        self._outbound = outbound
        self._entra = entra
        self._entropy = entropy

    def call(
        self,
        tenant: str,
        method: str,
        path: str,
        *,
        version: str = "v1.0",
        json: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        attempts: int = 1,
    ) -> dict[str, Any]:
        """The JSON object of the answer, ``{}`` where the answer has no body; see ``send``."""
        answer = self.send(
            tenant,
            method,
            path,
            version=version,
            json=json,
            query=query,
            headers=headers,
            timeout=timeout,
            attempts=attempts,
        )
        return document_of(answer) if answer.body else {}

    def send(
        self,
        tenant: str,
        method: str,
        path: str,
        *,
        version: str = "v1.0",
        json: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        attempts: int = 1,
    ) -> Answer:
        """Sends ``{root}/{version}{path}`` and gives the successful answer.

        ``timeout`` in seconds for the whole call. GraphRefused for any other status, Unreachable without one.
        """
        url = f"{self._root}/{version}{path}"

        def once(token: str) -> Answer:
            return self._outbound.send(
                method,
                url,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json",
                    "client-request-id": self._request_id(),
                    **(headers or {}),
                },
                json=json,
                query=query,
                timeout=timeout,
                attempts=attempts,
                idempotent=attempts > 1,
                service="graph",
            )

        token = self._entra.app_token(tenant)
        answer = once(token)
        if answer.status == 401:
            answer = once(self._entra.app_token(tenant, refused=token))
        if not answer.ok:
            raise _refused(method, answer)
        return answer

    def pages(
        self,
        tenant: str,
        path: str,
        *,
        version: str = "v1.0",
        query: Mapping[str, str] | None = None,
        most: int = 20,
    ) -> Iterator[dict[str, Any]]:
        """Every item of a collection, over at most ``most`` pages; no next link leads elsewhere."""
        root = f"{self._root}/{version}"
        for _ in range(most):
            page = self.call(tenant, "GET", path, version=version, query=query, attempts=2)
            items = page.get("value")
            if not isinstance(items, list):
                raise AnswerRefused("graph collection")
            yield from (item for item in items if isinstance(item, dict))
            following = page.get("@odata.nextLink")
            if not isinstance(following, str) or not following.startswith(f"{root}/"):
                return
            path, query = following.removeprefix(root), None

    def _request_id(self) -> str:
        digits = self._entropy.choose(_HEX, 32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def document_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; AnswerRefused for anything else."""
    document = answer.json()
    if not isinstance(document, dict):
        raise AnswerRefused("graph")
    return document


def _refused(method: str, answer: Answer) -> GraphRefused:
    error = _error(answer)
    code = str(error.get("code", ""))
    code = code if _CODE.fullmatch(code) else ""
    request_id = answer.headers.get("request-id", "")
    request_id = request_id if _CODE.fullmatch(request_id) else ""
    note("graph-refused", method=method, status=answer.status, error=code, request_id=request_id)
    return GraphRefused(answer.status, code, str(error.get("message", "")), answer.retry_after())


def _error(answer: Answer) -> Mapping[str, Any]:
    """Graph's error envelope, or nothing: a gateway in between may answer in HTML."""
    try:
        error = document_of(answer).get("error")
    except AnswerRefused:
        return {}
    return error if isinstance(error, dict) else {}
