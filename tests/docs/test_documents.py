"""The documents say what the code does, and nothing else."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = r"(?:ANTESALA_[A-Z_]+|AZURE_CLIENT_ID)"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def settings_read() -> set[str]:
    return set(re.findall(rf'reader\.\w+\(\s*"({NAME})"', read("shared/settings.py")))


def test_the_code_should_read_settings_at_all() -> None:
    assert len(settings_read()) > 15


def test_every_setting_should_be_documented_and_nothing_else() -> None:
    assert set(re.findall(rf"^\| `({NAME})`", read("docs/settings.md"), re.MULTILINE)) == settings_read()


@pytest.mark.parametrize("place", ["infra/modules/stamp.bicep", "local.settings.json.example"])
def test_every_setting_that_is_set_should_be_one_that_is_read(place: str) -> None:
    given = set(re.findall(rf'^\s+"?({NAME})"?:', read(place), re.MULTILINE))
    assert given
    assert given <= settings_read()


@pytest.mark.parametrize("document", ["README.md", "docs/deploy.md"])
def test_every_make_target_that_is_named_should_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", code_of(read(document)))) <= targets


@pytest.mark.parametrize(
    "document", ["README.md", "docs/deploy.md", "docs/launch.md", "docs/privacy.md", "docs/settings.md"]
)
def test_every_link_into_the_repository_should_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", read(document))
    assert all((ROOT / document).parent.joinpath(link).exists() for link in links), links


def test_the_readme_should_name_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*_*/blueprint.py")} | {"shared", "sandbox"}
    assert packages <= set(re.findall(r"^\| `(\w+)` \|", read("README.md"), re.MULTILINE))


def code_of(text: str) -> str:
    """What stands in backticks or code blocks."""
    return "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
