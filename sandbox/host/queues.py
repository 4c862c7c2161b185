"""The queue trigger: polling, delivery, retry and poison by the storage extension's rules.

* messages are received with a long invisibility that is renewed at half time while the function runs
* success deletes; failure makes the message visible again after ``visibilityTimeout``; the
  ``maxDequeueCount``-th
  failure copies it to ``<queue>-poison`` and deletes it
* a message that is not base64 goes to poison as it is, without running anything
* an empty queue is asked less and less often, up to ``maxPollingInterval``
"""

import base64
import binascii
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import requests
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import LinearRetry, QueueClient, QueueMessage

from sandbox.host.protocol import Message
from sandbox.host.settings import QueueSettings
from sandbox.host.worker import Function, InvocationError, Worker

log = logging.getLogger("Host.Queues")

INVISIBILITY = timedelta(minutes=10)
_SHORTEST_WAIT = 0.1
_LONGEST_NAME = 63
_POISON = "-poison"


@dataclass(frozen=True)
class QueueRules:
    """How one queue function is served: ``host.json``'s settings and the host's own invisibility."""

    settings: QueueSettings
    invisibility: timedelta = INVISIBILITY


class Delivery:
    """One received message; knows how it may end."""

    def __init__(self, message: QueueMessage, client: QueueClient, poison: QueueClient | None) -> None:
        """Bind the message to its queue and to the queue for messages that fail for good, if there is one."""
        self.message = message
        self._client = client
        self._poison = poison
        self._lock = threading.Lock()
        self._receipt: str = message.pop_receipt or ""
        self._ended = False

    def text(self, *, base64_encoded: bool) -> str:
        """The message as the function sees it; ValueError if it is not valid base64."""
        if not base64_encoded:
            return str(self.message.content)
        try:
            return base64.b64decode(self.message.content, validate=True).decode("utf-8", "replace")
        except binascii.Error as error:
            raise ValueError("not base64") from error

    def renew(self, invisibility: timedelta) -> None:
        """Keep the message hidden for another `invisibility` from now, unless it has ended."""
        with self._lock:
            if not self._ended:
                self._hide(invisibility)

    def delete(self) -> None:
        """The function is done with it."""
        with self._lock:
            self._ended = True
            self._client.delete_message(self.message.id, pop_receipt=self._receipt)

    def release(self, delay: timedelta) -> None:
        """Let it be delivered again after `delay`."""
        with self._lock:
            self._ended = True
            self._hide(delay)

    def bury(self) -> None:
        """Move it to the poison queue, made on demand; where there is none it just stays hidden."""
        if self._poison is None:
            return
        try:
            self._poison.send_message(self.message.content)
        except ResourceNotFoundError:
            self._poison.create_queue()
            self._poison.send_message(self.message.content)
        self.delete()

    def _hide(self, delay: timedelta) -> None:
        changed = self._client.update_message(
            self.message.id, pop_receipt=self._receipt, visibility_timeout=int(delay.total_seconds())
        )
        self._receipt = changed.pop_receipt or self._receipt


class Backoff:
    """How long to wait before an empty queue is asked again: doubles with jitter up to the longest wait."""

    def __init__(self, longest: float, jitter: Callable[[float, float], float] = random.uniform) -> None:
        """`longest` in seconds; `jitter` draws a factor between two bounds."""
        self._longest = longest
        self._jitter = jitter
        self._empty_polls = 0

    def after_messages(self) -> float:
        """Messages came: ask again soon."""
        self._empty_polls = 0
        return _SHORTEST_WAIT

    def after_nothing(self) -> float:
        """Nothing came: wait longer than last time."""
        self._empty_polls = min(self._empty_polls + 1, 16)
        grown = _SHORTEST_WAIT * self._jitter(0.8, 1.2) * (2**self._empty_polls - 1)
        return float(min(_SHORTEST_WAIT + grown, self._longest))


class QueueListener:
    """Serves one queue function until `close`."""

    def __init__(
        self, function: Function, queue: str, connection: str, rules: QueueRules, worker: Worker
    ) -> None:
        """Connect to `queue` in the account of the `connection` string; nothing runs before `start`."""
        self._function = function
        self._rules = rules
        self._worker = worker
        self._client = _client(connection, queue)
        poison = queue + _POISON
        has_poison = not queue.endswith(_POISON) and len(poison) <= _LONGEST_NAME
        self._poison = _client(connection, poison) if has_poison else None
        self._in_flight: dict[Delivery, float] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        most = rules.settings.batch_size + rules.settings.new_batch_threshold
        self._pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix=function.name)
        self._threads = [
            threading.Thread(target=self._poll, name=f"poll-{function.name}", daemon=True),
            threading.Thread(target=self._renew, name=f"renew-{function.name}", daemon=True),
        ]

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Receive no more."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Stop, and wait up to `seconds` for messages in flight; the rest comes back by itself."""
        self.stop()
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight, timeout=seconds)
        for thread in self._threads:
            thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in filter(None, (self._client, self._poison)):
            client.close()

    def _poll(self) -> None:
        backoff = Backoff(self._rules.settings.max_polling_interval.total_seconds())
        while not self._stopping.is_set():
            received = self._receive()
            for message in received:
                self._accept(Delivery(message, self._client, self._poison))
            if received:
                backoff.after_messages()
                self._wait_for_room()
            else:
                self._stopping.wait(backoff.after_nothing())

    def _receive(self) -> list[QueueMessage]:
        size = self._rules.settings.batch_size
        hidden = int(self._rules.invisibility.total_seconds())
        try:
            pages = self._client.receive_messages(
                messages_per_page=size, max_messages=size, visibility_timeout=hidden
            )
            return list(pages)
        except ResourceNotFoundError:
            return []
        except AzureError as error:
            log.warning("%s cannot read its queue: %s", self._function.name, type(error).__name__)
            return []

    def _accept(self, delivery: Delivery) -> None:
        with self._changed:
            self._in_flight[delivery] = time.monotonic()
        self._pool.submit(self._handle, delivery)

    def _wait_for_room(self) -> None:
        threshold = self._rules.settings.new_batch_threshold
        with self._changed:
            self._changed.wait_for(lambda: len(self._in_flight) <= threshold or self._stopping.is_set())

    def _handle(self, delivery: Delivery) -> None:
        try:
            self._deliver(delivery)
        except AzureError as error:
            # The message comes back by itself when its invisibility ends.
            log.warning("%s could not settle a message: %s", self._function.name, type(error).__name__)
        except Exception:
            log.exception("%s: a delivery failed", self._function.name)
        finally:
            with self._changed:
                del self._in_flight[delivery]
                self._changed.notify_all()

    def _deliver(self, delivery: Delivery) -> None:
        settings = self._rules.settings
        count = delivery.message.dequeue_count or 1
        try:
            text = delivery.text(base64_encoded=settings.base64)
        except ValueError:
            self._bury(delivery, "it is not base64")
            return
        if count > settings.max_dequeue_count:
            self._bury(delivery, f"it was delivered {count} times")
            return
        try:
            self._worker.invoke(self._function, Message(string=text), _metadata(delivery.message))
        except InvocationError:
            if count >= settings.max_dequeue_count:
                self._bury(delivery, f"it failed {count} times")
            else:
                delivery.release(settings.visibility_timeout)
        else:
            delivery.delete()

    def _bury(self, delivery: Delivery, reason: str) -> None:
        log.error("%s: message %s to poison: %s", self._function.name, delivery.message.id, reason)
        delivery.bury()

    def _renew(self) -> None:
        half = self._rules.invisibility.total_seconds() / 2
        while not self._stopping.wait(min(half / 2, 1.0)):
            now = time.monotonic()
            with self._changed:
                due = [one for one, since in self._in_flight.items() if now - since >= half]
            for delivery in due:
                self._renew_one(delivery, now)

    def _renew_one(self, delivery: Delivery, now: float) -> None:
        try:
            delivery.renew(self._rules.invisibility)
        except AzureError as error:
            log.warning("%s could not keep a message hidden: %s", self._function.name, type(error).__name__)
            return
        with self._changed:
            if delivery in self._in_flight:
                self._in_flight[delivery] = now


def _metadata(message: QueueMessage) -> dict[str, Message]:
    return {
        "Id": Message(string=message.id),
        "DequeueCount": Message(json=str(message.dequeue_count)),
        "InsertionTime": Message(json=_moment(message.inserted_on)),
        "ExpirationTime": Message(json=_moment(message.expires_on)),
        "NextVisibleTime": Message(json=_moment(message.next_visible_on)),
        "PopReceipt": Message(string=message.pop_receipt),
    }


def _moment(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return f'"{isoformat()}"' if isoformat is not None else "null"


def _retry() -> LinearRetry:
    # The listener has a back-off of its own; the SDK's would hold up the host's end for many seconds.
    return LinearRetry(backoff=1, retry_total=1, random_jitter_range=0)


def _client(connection: str, queue: str) -> QueueClient:
    session = requests.Session()
    # The environment's proxies and certificate bundles are for the internet, not for an emulator on loopback.
    session.trust_env = False
    transport = RequestsTransport(session=session, session_owner=False)
    return QueueClient.from_connection_string(connection, queue, transport=transport, retry_policy=_retry())
