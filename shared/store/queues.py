"""A region's queues. Text goes in and comes out; on the wire it is base64, as the Functions host expects."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from shared.errors import Refusal
from shared.store.faults import translated

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

LONGEST = 49_152
"""Bytes of text in one message: 64 KiB as base64."""
FOREVER = -1
PARKED = "writeback-parked"
"""The queue of what was parked and belongs to no connection, as far as anybody can tell."""


@dataclass(frozen=True)
class Message:
    """A message that was received and is hidden for a while; ``receipt`` is needed to delete it."""

    id: str
    receipt: str = field(repr=False)
    text: str = field(repr=False)
    deliveries: int = 1
    inserted_at: datetime | None = None


class Queue:
    """One queue; made by the first message if need be. Failures: StorageUnavailable, StorageRefused."""

    def __init__(self, client: "QueueClient") -> None:
        self._client = client
        self._name = f"queue {client.queue_name}"

    def send(self, text: str, *, delay: float = 0, ttl: int = FOREVER) -> None:
        """Adds a message that is seen after ``delay`` seconds and kept for ``ttl`` seconds.

        Refusal ``too-large`` for more than 48 KiB.
        """
        if len(text.encode()) > LONGEST:
            raise Refusal("too-large", self._name)
        hidden = math.ceil(delay) or None

        def send() -> None:
            self._client.send_message(text, visibility_timeout=hidden, time_to_live=ttl)

        try:
            translated(self._name, send)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                translated(self._name, self._client.create_queue)
            translated(self._name, send)

    def length(self) -> int:
        """About how many messages there are, hidden ones included."""
        return self._read(lambda: self._client.get_queue_properties().approximate_message_count or 0, 0)

    def receive(self, most: int = 16, hide: int = 30) -> list[Message]:
        """At most 32 messages, hidden from others for ``hide`` seconds."""

        def receive() -> list[Message]:
            found = self._client.receive_messages(
                messages_per_page=most, max_messages=most, visibility_timeout=hide
            )
            return [
                Message(
                    str(row.id),
                    str(row.pop_receipt),
                    str(row.content),
                    row.dequeue_count or 0,
                    _in_utc(row.inserted_on),
                )
                for row in found
            ]

        return self._read(receive, [])

    def delete(self, message: Message) -> bool:
        """Takes the message away; False when it came back to the queue meanwhile."""

        def delete() -> bool:
            self._client.delete_message(message.id, message.receipt)
            return True

        return self._read(delete, False)

    def release(self, message: Message) -> bool:
        """Lets others see the message at once; False when it came back to the queue meanwhile."""

        def release() -> bool:
            self._client.update_message(message.id, message.receipt, visibility_timeout=0)
            return True

        return self._read(release, False)

    def oldest(self) -> datetime | None:
        """When the message at the head was inserted; None when the queue is empty. Changes nothing."""

        def peek() -> datetime | None:
            found = self._client.peek_messages(max_messages=1)
            return _in_utc(found[0].inserted_on) if found else None

        return self._read(peek, None)

    def _read[T](self, read: Callable[[], T], absent: T) -> T:
        try:
            return translated(self._name, read)
        except ResourceNotFoundError:
            return absent


def parked_queue(connection: str) -> str:
    """Where a connection's parked messages lie: a queue of its own, so that no search hides another's."""
    return f"{PARKED}-{connection}"


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None
