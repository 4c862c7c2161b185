from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from shared.outbound import Outbound
from tests.fakes import FakeClock
from tests.shared.hostile import HostileServer
from tests.shared.outward import HOST, Names, Serve


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(HOST, "localhost")


@pytest.fixture
def serve(certificate: trustme.LeafCert) -> Iterator[Serve]:
    servers = []

    def start(behaviour: Any, leaf: Any = certificate, newest: Any = None) -> Any:
        server = HostileServer(leaf, behaviour, newest)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def outbound(clock: FakeClock, bundle: str, names: Names) -> Outbound:
    return Outbound(clock, private_hosts=frozenset({HOST}), ca_bundle=bundle, resolve=names)
