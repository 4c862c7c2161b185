"""A region's storage account: clients for its tables and queues over one pool of connections."""

import logging
from typing import TYPE_CHECKING, Any

from azure.data.tables import TableClient

from shared.credential import managed_identity
from shared.settings import Storage
from shared.store.faults import translated
from shared.store.transport import StorageTransport

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueServiceClient

POOLED = 64
# A launch waits for storage, and Graph for a webhook's answer ten seconds at most: better a clear failure
# after some seconds than the SDK's patience of minutes. Storage that hangs is given up after three tries:
# a table after 3 x 3 s and 0.2 s of pauses, a queue after 3 x 2 s and at most 2 s of pauses.
_TABLE_SECONDS = 3.0
_QUEUE_SECONDS = 2.0
_CONNECT_SECONDS = 2.0
_OPTIONS: dict[str, Any] = {
    "retry_total": 2,
    "retry_connect": 2,
    "retry_read": 2,
    "retry_status": 2,
    "retry_backoff_factor": 0.1,
}

# At levels INFO and DEBUG they write every request's address, which holds the keys of rows, into the log;
# urllib3, below Azure's own libraries, also at WARNING, of an answer with broken headers.
for _name, _level in (("azure", logging.WARNING), ("urllib3", logging.ERROR)):
    logging.getLogger(_name).setLevel(_level)


class Account:
    """One storage account, by connection string (sandbox) or by the app's identity."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._options = {**_OPTIONS, "transport": StorageTransport(_CONNECT_SECONDS, _TABLE_SECONDS, POOLED)}
        self._queue_transport = StorageTransport(_CONNECT_SECONDS, _QUEUE_SECONDS, POOLED)

    def table(self, name: str) -> TableClient:
        """A client of the table; asks nothing of the service yet."""
        if self._storage.connection_string:
            return TableClient.from_connection_string(self._storage.connection_string, name, **self._options)
        credential = managed_identity(self._storage.client_id)
        return TableClient(self._storage.table_url, name, credential=credential, **self._options)

    def queue(self, name: str) -> "QueueClient":
        """A client of the queue, whose messages travel as base64, as the Functions host expects them."""
        # Imported here: the first redirect of a launch on a cold instance needs tables alone.
        from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy

        options = {
            **self._patience(),
            "message_encode_policy": TextBase64EncodePolicy(),
            "message_decode_policy": TextBase64DecodePolicy(),
        }
        if self._storage.connection_string:
            return QueueClient.from_connection_string(self._storage.connection_string, name, **options)
        credential = managed_identity(self._storage.client_id)
        return QueueClient(self._storage.queue_url, name, credential=credential, **options)

    def queue_names(self, prefix: str) -> list[str]:
        """The names of the queues that there are, of those that begin like this. For timers and checks."""
        client = self._queues()
        found = translated(
            "queues", lambda: [one.name for one in client.list_queues(name_starts_with=prefix)]
        )
        return sorted(found)

    def _queues(self) -> "QueueServiceClient":
        from azure.storage.queue import QueueServiceClient

        if self._storage.connection_string:
            return QueueServiceClient.from_connection_string(
                self._storage.connection_string, **self._patience()
            )
        credential = managed_identity(self._storage.client_id)
        return QueueServiceClient(self._storage.queue_url, credential=credential, **self._patience())

    def _patience(self) -> dict[str, Any]:
        from azure.storage.queue import LinearRetry

        return {
            **self._options,
            "transport": self._queue_transport,
            # The queue client does not know the back-off factor: left alone it waits for 15 s and more, and
            # Graph gives up on a webhook long before.
            "retry_policy": LinearRetry(backoff=0, retry_total=2, random_jitter_range=1),
        }
