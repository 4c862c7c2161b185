"""Whether others reach us: the EHR our public keys, Microsoft Graph our webhooks. And our keys themselves.

Asked through the outbound seam at the address that servers are told, so that firewall, name and certificate
are part of what is tried.
"""

from config_function.access import View
from config_function.checks.verdict import Trial, Verdict, remedy_for, said
from config_function.records import Addresses
from shared.clock import Clock, Entropy
from shared.errors import AddressRefused, AnswerRefused, AntesalaError, OutsideError
from shared.key_review import KeyReview
from shared.outbound import Answer, Outbound
from shared.reasons import REASONS
from shared.texts import Text, Together

SECONDS = 7.0
# Graph holds slow endpoints back and then drops what it has for them (graph.md 3.4).
SLOW_SECONDS = 3.0
KEYS_MISSING = REASONS["keys-missing"]
WEBHOOKS = ("notifications", "lifecycle")
OPEN_UP = Text("Open this address to the EHR's servers: no sign-in, no firewall, a public certificate.")
ROTATE = Text("Whoever operates this deployment renews the key: docs/keys.md says how, step by step.")
OPEN_TO_MICROSOFT = Text("Open this address to Microsoft 365: no sign-in, no firewall, a public certificate.")


class OwnProbes:
    """What is tried at our own front door."""

    def __init__(
        self, addresses: Addresses, outbound: Outbound, review: KeyReview, clock: Clock, entropy: Entropy
    ) -> None:
        self._addresses = addresses
        self._outbound = outbound
        self._review = review
        self._clock = clock
        self._entropy = entropy

    def keys(self, view: View, _: str) -> Verdict:
        """Fetches our key set."""
        url = self._addresses.jwks(view.connection.id)
        trial = Trial("jwks", Text("Fetched %(address)s", address=url))
        try:
            answer = self._outbound.send("GET", url, timeout=SECONDS, service="own-jwks")
            document = answer.json() if answer.status == 200 else None
        except AntesalaError as error:
            return _unreached(trial, error, OPEN_UP)
        if answer.status == KEYS_MISSING.status and _code(answer) == KEYS_MISSING.code:
            return trial.failed(Text(KEYS_MISSING.title), Text(KEYS_MISSING.staff))
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list) or not keys:
            empty = Text("It answered %(status)s without keys.", status=answer.status)
            return trial.failed(empty, OPEN_UP)
        return trial.ok(Text("Public keys found: %(number)s.", number=len(keys)))

    def own_keys(self, view: View, _: str) -> Verdict:
        """Judges every key of this deployment; of signing keys the organization's own."""
        trial = Trial("keys", Text("Read every key and looked at strength, state and dates"))
        try:
            found = self._review.findings([view.connection.tenant])
        except OutsideError as error:
            return trial.failed(said(error), remedy_for(error, ROTATE))
        if not found:
            return trial.ok(Text("Every key is sound."))
        words = Together(*(finding.text for finding in found))
        if all(finding.soon for finding in found):
            return trial.warning(words, ROTATE)
        return trial.failed(words, ROTATE)

    def webhook(self, _: View, __: str) -> Verdict:
        """Shakes hands with both webhooks, as Graph does before it sends anything."""
        urls = [f"{self._addresses.server}/attendance/{name}" for name in WEBHOOKS]
        tried = Text("Sent a validation token to %(first)s and %(second)s", first=urls[0], second=urls[1])
        trial, begun = Trial("webhook", tried), self._clock.now()
        try:
            for url in urls:
                token = f"Validation: {self._entropy.token(12)} & more"
                left = SECONDS - (self._clock.now() - begun).total_seconds()
                answer = self._handshake(url, token, max(left, 1.0))
                if not _gave_back(answer, token):
                    status = answer.status
                    return trial.failed(
                        Text(
                            "%(address)s answered %(status)s without the token.", address=url, status=status
                        ),
                        OPEN_TO_MICROSOFT,
                    )
        except OutsideError as error:
            return _unreached(trial, error, OPEN_TO_MICROSOFT)
        spent = (self._clock.now() - begun).total_seconds() / len(urls)
        if spent > SLOW_SECONDS:
            remedy = Text(
                "Keep an instance of the app always ready: Microsoft 365 drops what waits too long."
            )
            return trial.warning(Text("The answers took %(seconds)s seconds.", seconds=round(spent)), remedy)
        return trial.ok(Text("The token came back from both."))

    def _handshake(self, url: str, token: str, timeout: float) -> Answer:
        return self._outbound.send(
            "POST",
            url,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            query={"validationToken": token},
            timeout=timeout,
            service="own-webhook",
        )


def _code(answer: Answer) -> str:
    """The reason code of a problem of ours."""
    try:
        document = answer.json()
    except AnswerRefused:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""


def _gave_back(answer: Answer, token: str) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return answer.status == 200 and kind == "text/plain" and answer.body == token.encode()


def _unreached(trial: Trial, error: AntesalaError, remedy: Text) -> Verdict:
    if isinstance(error, AddressRefused):
        # In a network of one's own the name leads inside for us, and outside for everybody else.
        inside = Text("From here the name leads inside, so nothing is known about how others reach it.")
        return trial.warning(inside, remedy)
    return trial.failed(said(error), remedy)
