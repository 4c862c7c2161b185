from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.keys import ensure_keys
from shared.entra.credential import client_credential
from shared.secrets import FileSecrets, SecretMissing
from shared.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    ensure_keys(folder)
    return folder


def test_production_proves_itself_by_its_managed_identity_and_holds_no_secret(
    settings: Settings, tmp_path: Path
) -> None:
    credential = client_credential(settings, FileSecrets(tmp_path), lambda: "assertion of the identity")
    assert credential["client_assertion"]() == "assertion of the identity"


def test_an_identity_s_token_is_asked_for_only_when_needed(settings: Settings, tmp_path: Path) -> None:
    assert callable(client_credential(settings, FileSecrets(tmp_path))["client_assertion"])


@pytest.mark.parametrize("certificate_first", [False, True])
def test_the_sandbox_proves_itself_by_a_certificate(
    settings: Settings, folder: Path, tmp_path: Path, certificate_first: bool
) -> None:
    pem = (folder / "graph-client").read_text()
    place = pem.index("-----BEGIN CERTIFICATE")
    (tmp_path / "graph-client").write_text(pem[place:] + pem[:place] if certificate_first else pem)
    credential = client_credential(replace(settings, environment="sandbox"), FileSecrets(tmp_path))
    assert credential["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert credential["private_key"].rstrip().endswith("-----END PRIVATE KEY-----")
    assert credential["public_certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert credential["public_certificate"].rstrip().endswith("-----END CERTIFICATE-----")


def test_without_identity_and_certificate_there_is_no_credential(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SecretMissing):
        client_credential(replace(settings, identity_client_id=""), FileSecrets(tmp_path))
