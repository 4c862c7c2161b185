"""What a whole visit left behind: in storage, in logs, in what Graph was sent, and in addresses."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import requests
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox.ehr.people import Person, Visit
from sandbox.run import Sandbox
from tests.docs.privacy_document import stored

_LOOK_SECONDS = 0.05


def canaries(patients: Sequence[Person], visits: Sequence[Visit]) -> list[str]:
    """Every value that names a patient or a visit of theirs in the EHR's own words."""
    found: set[str] = set()
    for patient in patients:
        found |= {patient.name, patient.given, *patient.name.split()[1:], patient.birth_date, patient.mrn}
        found |= {patient.phone, patient.phone.lstrip("+"), patient.fhir_id, patient.ehr_id, patient.login}
    for visit in visits:
        found |= {visit.key, visit.conference_id}
        for contact in visit.contacts.values():
            found |= {contact.appointment_id, contact.encounter_id, contact.csn}
    # Shorter texts occur by chance in what is sealed.
    return sorted(value for value in found if value and len(value) > 5)


class QueueWatch:
    """Peeks at every message of every regional queue for as long as it lasts: most live for a moment only."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        with quiet_session() as session:
            queues = list(_queues(self._sandbox, session))
            while not self._stop.wait(_LOOK_SECONDS):
                for name, queue in queues:
                    for message in queue.peek_messages(max_messages=32):
                        self.seen[f"{name}/{message.id}"] = str(message.content)


@contextmanager
def quiet_session() -> Iterator[requests.Session]:
    """A session that no environment variable bends."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def gathered(sandbox: Sandbox, watch: QueueWatch, urls: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """Named piles of bytes."""
    piles = {f"queue {name}": text.encode() for name, text in watch.seen.items()}
    piles |= {f"disk {path.name}": path.read_bytes() for path in _files(sandbox, "azurite")}
    piles |= {f"log {path.name}": path.read_bytes() for path in _files(sandbox, "logs")}
    with quiet_session() as session:
        piles |= dict(_table_rows(sandbox, session))
        piles |= dict(_queue_messages(sandbox, session))
        piles |= dict(_graph_requests(sandbox, session))
    for who, addresses in urls.items():
        piles |= {f"address {who} {number}": url.encode() for number, url in enumerate(addresses)}
    return piles


def _files(sandbox: Sandbox, folder: str) -> list[Any]:
    return [path for path in (sandbox.state / folder).rglob("*") if path.is_file()]


def _strings(sandbox: Sandbox) -> Iterator[tuple[str, str]]:
    for name, account in sandbox.storage.accounts.items():
        yield name, account.connection_string


def _table_rows(sandbox: Sandbox, session: requests.Session) -> Iterator[tuple[str, bytes]]:
    for name, connection in _strings(sandbox):
        with TableServiceClient.from_connection_string(connection) as service:
            for table in service.list_tables():
                rows = [dict(row) for row in service.get_table_client(table.name).list_entities()]
                yield f"table {name}/{table.name}", json.dumps(rows, default=str, ensure_ascii=False).encode()


def stored_fields(sandbox: Sandbox) -> dict[str, set[str]]:
    """The paths of everything that is stored, by table."""
    found: dict[str, set[str]] = {}
    for _, connection in _strings(sandbox):
        with TableServiceClient.from_connection_string(connection) as service:
            for table in service.list_tables():
                fields = found.setdefault(table.name, set())
                for row in service.get_table_client(table.name).list_entities():
                    fields |= stored(dict(row))
    return found


def queue_names(sandbox: Sandbox) -> set[str]:
    """Every queue that there is."""
    with quiet_session() as session:
        return {queue.queue_name for _, queue in _queues(sandbox, session)}


def _queues(sandbox: Sandbox, session: requests.Session) -> Iterator[tuple[str, Any]]:
    for name, connection in _strings(sandbox):
        service = QueueServiceClient.from_connection_string(connection)
        for queue in service.list_queues():
            yield f"{name}/{queue.name}", service.get_queue_client(queue.name)


def _queue_messages(sandbox: Sandbox, session: requests.Session) -> Iterator[tuple[str, bytes]]:
    for name, queue in _queues(sandbox, session):
        try:
            for message in queue.receive_messages(max_messages=320, visibility_timeout=1):
                yield f"queue {name} {message.id}", str(message.content).encode()
        except HttpResponseError as failure:  # pragma: no cover - a queue that vanished meanwhile
            raise AssertionError(name) from failure


def _graph_requests(sandbox: Sandbox, session: requests.Session) -> Iterator[tuple[str, bytes]]:
    url = f"{sandbox.addresses.m365_tls_url}/sandbox/requests"
    answer = session.get(url, verify=str(sandbox.authority.bundle), timeout=10)
    for number, one in enumerate(answer.json()):
        text = json.dumps([one["method"], one["url"], one["headers"]]).encode()
        yield f"microsoft365 {number} {one['method']}", text + b"\n" + base64.b64decode(one["body"])
