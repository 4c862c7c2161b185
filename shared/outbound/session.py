"""The seam in the shape that MSAL asks of its ``http_client``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.errors import StatusRefused
from shared.outbound.answer import Answer

if TYPE_CHECKING:
    from shared.outbound.call import Outbound


class Response:
    """An answer as ``requests`` would show it: ``status_code``, ``text``, ``headers``."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.status_code = answer.status
        self.headers = dict(answer.headers)
        self.text = answer.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """See ``Answer.json``."""
        return self._answer.json()

    def raise_for_status(self) -> None:
        """StatusRefused unless the status is a success or a redirect."""
        if self.status_code >= 400:
            raise StatusRefused(self.status_code, retry_after=self._answer.retry_after())


class Session:
    """Sends through ``Outbound``; knows no other options than these, so that none can weaken the policy."""

    def __init__(self, outbound: "Outbound", service: str = "microsoft-365") -> None:
        self._outbound = outbound
        self._service = service

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Sends a GET."""
        return self._send("GET", url, params, headers, None, timeout)

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Sends a form by POST."""
        return self._send("POST", url, params, headers, data, timeout)

    def close(self) -> None:
        """Keeps the connections: they belong to the seam."""

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        data: Mapping[str, str] | str | None,
        timeout: float | None,
    ) -> Response:
        answer = self._outbound.send(
            method,
            url,
            headers=headers,
            query=params,
            form=data if isinstance(data, Mapping) else None,
            body=data if isinstance(data, str) else None,
            timeout=timeout or 10.0,
            service=self._service,
        )
        return Response(answer)
