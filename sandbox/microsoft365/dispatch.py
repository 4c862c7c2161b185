"""Delivers change notifications from threads of its own, again and again until they are taken.

A delivery that is not answered with 2xx is repeated with exponential back-off for up to four hours
(graph.md 3.4), then lost. Nothing promises an order.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("sandbox.microsoft365")


@dataclass(frozen=True)
class Delivery:
    """One POST to come. `content` is whatever `send` makes its body of; `attempt` counts from 0."""

    subscription: str
    content: Any
    born: float
    attempt: int = 0


class Dispatcher:
    """Hands each delivery to `send` when it is due; `send` says whether it was taken.

    `first_pause` is the pause in seconds before the first repetition; it doubles each time, up to
    `longest_pause`. With one of `threads`, deliveries that are due are made one after the other.
    """

    def __init__(
        self,
        send: Callable[[Delivery], bool],
        first_pause: float = 1.0,
        keep_trying: float = 4 * 3600.0,
        monotonic: Callable[[], float] = time.monotonic,
        threads: int = 1,
        longest_pause: float = 60.0,
    ) -> None:
        self._send, self._monotonic = send, monotonic
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._keep_trying = keep_trying
        self._queue: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._busy = 0
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"m365-notifications-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def enqueue(self, subscription: str, content: Any, delay: float = 0.0) -> None:
        """Deliver `content` to the subscription in `delay` seconds."""
        now = self._monotonic()
        self._put(now + delay, Delivery(subscription, content, now))

    def pending(self) -> int:
        """How many deliveries are still to be taken."""
        with self._changed:
            return len(self._queue) + self._busy

    def settle(self, seconds: float = 5.0) -> bool:
        """Wait until everything was delivered; False if it was not within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, seconds)

    def close(self) -> None:
        """Deliver nothing more and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=15)

    def _put(self, due: float, delivery: Delivery) -> None:
        with self._changed:
            heapq.heappush(self._queue, (due, next(self._order), delivery))
            self._changed.notify_all()

    def _run(self) -> None:
        while (delivery := self._next()) is not None:
            taken = self._try(delivery)
            if not taken:
                self._repeat(delivery)
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _next(self) -> Delivery | None:
        with self._changed:
            while not self._closed:
                wait = self._queue[0][0] - self._monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    self._busy += 1
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(wait)
            return None

    def _try(self, delivery: Delivery) -> bool:
        try:
            return self._send(delivery)
        except Exception:
            # One broken delivery must not end the thread that all others wait for.
            log.exception("A change notification could not be made")
            return True

    def _repeat(self, delivery: Delivery) -> None:
        pause = min(self._first_pause * 2**delivery.attempt, self._longest_pause)
        now = self._monotonic()
        if now + pause - delivery.born > self._keep_trying:
            log.warning("A change notification was given up after %d attempts", delivery.attempt + 1)
            return
        again = Delivery(delivery.subscription, delivery.content, delivery.born, delivery.attempt + 1)
        self._put(now + pause, again)
