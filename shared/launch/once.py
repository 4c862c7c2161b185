"""One answer for one launch: a reload or double click gets what the first request gets."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait

from shared.errors import Refusal
from shared.web import Response

_KEPT = 200
_PATIENCE = 30.0


class Once:
    """Remembers the answers of the last few flows of this process.

    A code works once, and trading it twice may even revoke the token (RFC 6749 section 4.1.2), so the second
    request must not try. Another instance of the app cannot know: there the EHR refuses, which is safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Future[Response]] = OrderedDict()

    def answer(self, flow: str, make: Callable[[], Response]) -> Response:
        """What ``make`` returned or raised the first time that it was asked for this flow."""
        with self._lock:
            known = self._answers.get(flow)
            if known is None:
                future = self._answers[flow] = Future()
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
        if known is not None:
            return _waited(known)
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)
            raise
        return future.result()


def _waited(known: Future[Response]) -> Response:
    wait((known,), _PATIENCE)
    if not known.done():
        raise Refusal("meeting-unavailable", "the first request of this flow is still under way")
    return known.result()
