"""The ways to call an EHR as ourselves: with a token of our own, or with a user name and password."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from shared.connection import Approved
from shared.ehr.attempt import Attempt
from shared.ehr.backend import Backend
from shared.ehr.rest import genuine
from shared.errors import AnswerRefused, NoToken
from shared.outbound import Answer, Outbound
from shared.secrets import SecretMissing
from shared.smart.token import Tokens

_SECONDS = 15.0


class Basic:
    """Sends with HTTP Basic (RFC 7617); the password is the backend client's secret."""

    def __init__(self, outbound: Outbound, tokens: Tokens) -> None:
        self._outbound = outbound
        self._tokens = tokens

    def send(
        self,
        attempt: Attempt,
        method: str,
        url: str,
        *,
        user: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever its status; OutsideErrors where there is none.

        AnswerRefused for a client that has no secret, NoToken where its secret is not stored. A success that
        is a page is no answer (see ``genuine``).

        ``user`` must hold no colon. The caller answers for ``url`` being on the FHIR base's own server.
        """
        pair = f"{user}:{self._password(attempt.approved)}".encode()
        answer = self._outbound.send(
            method,
            url,
            headers={**(headers or {}), "Authorization": f"Basic {b64encode(pair).decode()}"},
            form=form,
            query=query,
            timeout=attempt.seconds(_SECONDS),
            service="ehr-writeback",
        )
        return genuine(answer)

    def _password(self, approved: Approved) -> str:
        client = approved.revision.backend
        if client.auth != "client_secret_basic":
            raise AnswerRefused("the option auth is basic, but the backend client has no secret")
        try:
            return self._tokens.secret(client)
        except SecretMissing as error:
            raise NoToken("the backend client's secret is not stored") from error


@dataclass(frozen=True)
class Senders:
    """What adapters are built with."""

    bearer: Backend
    basic: Basic
