"""The documents say what the code does, and nothing else."""

import re

import pytest

from config_function.api_routes import JSON
from config_function.page_routes import OPEN, SIGNED_IN
from scripts.infra_tree import read_templates
from shared.reasons import REASONS
from tests.docs.reading import PAGES, ROOT, anchors, read

NAME = r"(?:ANTESALA_[A-Z_]+|AZURE_CLIENT_ID)"
DOCUMENTS = ["README.md", *(f"docs/{page.name}" for page in PAGES)]
EVERY = pytest.mark.parametrize("document", DOCUMENTS)
# A line of a flowchart: a box, an arrow, or the frame of a group. Brackets inside a text would end it.
_BOX = r"[A-Za-z]\w*(?:\[\(?[^\[\](){}|\"]+\)?\])?"
DRAWN = re.compile(rf"\s*(?:{_BOX}|{_BOX} <?-->(?:\|[^|\"()\[\]]+\|)? ?{_BOX}|subgraph {_BOX}|end)")


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


@EVERY
def test_every_make_target_that_is_named_should_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", code_of(read(document)))) <= targets


@EVERY
def test_every_link_into_the_repository_should_lead_somewhere(document: str) -> None:
    here = ROOT / document
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", read(document)):
        target = here.parent / path if path else here
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text("utf-8")), f"{path}#{anchor}"


@EVERY
def test_every_setting_that_is_named_should_be_one_that_is_read(document: str) -> None:
    # Variables of azd begin in the same way; the deployment's document has a test for them.
    azd = set(re.findall(r"\$\{(\w+)[}=]", read("infra/main.parameters.json"))) | {
        "ANTESALA_STAMPS",
        "ANTESALA_DEPLOY",
    }
    assert set(re.findall(rf"\b{NAME}\b", read(document))) - azd <= settings_read()


@EVERY
def test_every_address_of_the_portal_that_is_named_should_be_a_route(document: str) -> None:
    templates = [*(one.template for one in JSON), *(one.template for one in (*OPEN, *SIGNED_IN))]
    routes = {re.sub(r"\{\w+\}", "*", f"/{template}") for template in templates}
    for named in re.findall(r"(?<![\w.])/config/[\w/{}<>.-]*\w[}>]?", code_of(read(document))):
        one = re.sub(r"\{\w+\}|<[^>]+>", "*", named.rstrip("/"))
        assert any(one == route or route.startswith(f"{one}/") for route in routes), named


def test_the_index_should_lead_to_every_document() -> None:
    index = set(re.findall(r"\]\(([\w-]+\.md)\)", read("docs/README.md")))
    assert index == {page.name for page in PAGES} - {"README.md"}


@pytest.mark.parametrize(
    "document", ["docs/epic.md", "docs/oracle-health.md", "docs/smart-on-fhir.md", "docs/operations.md"]
)
def test_every_reason_with_which_a_launch_is_said_to_end_should_exist(document: str) -> None:
    named = set(
        re.findall(r"(?:ends?|end) with((?: or|,)? ?`[a-z-]+`(?:(?: or|,) `[a-z-]+`)*)", read(document))
    )
    codes = {code for one in named for code in re.findall(r"`([a-z-]+)`", one)}
    assert codes
    assert codes <= set(REASONS)


@pytest.mark.parametrize("document", ["docs/operations.md", "docs/security.md", "docs/threat-model.md"])
def test_every_parameter_of_the_templates_that_is_named_should_exist(document: str) -> None:
    main = next(one for one in read_templates(ROOT) if one.name == "infra/main.bicep")
    known = set(main.of("parameter"))
    named = set(re.findall(r"`((?:use|isolate|maximum|http|always|alert|log)[A-Z]\w+)`", read(document)))
    assert named
    assert named <= known


@EVERY
def test_a_diagram_should_be_drawn_by_the_rules(document: str) -> None:
    for diagram in re.findall(r"```mermaid\n(.*?)```", read(document), re.DOTALL):
        first, *lines = diagram.splitlines()
        assert re.fullmatch(r"flowchart (LR|TD|TB)|sequenceDiagram", first)
        assert first == "sequenceDiagram" or [line for line in lines if not DRAWN.fullmatch(line)] == []
        assert sum(line.strip().startswith("subgraph") for line in lines) == sum(
            line.strip() == "end" for line in lines
        )


def test_the_readme_should_name_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*_*/blueprint.py")} | {"shared", "sandbox"}
    assert packages <= set(re.findall(r"^\| `(\w+)` \|", read("README.md"), re.MULTILINE))


def code_of(text: str) -> str:
    """What stands in backticks or code blocks."""
    return "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
