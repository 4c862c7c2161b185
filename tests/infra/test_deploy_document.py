"""``docs/deploy.md`` names what there is: files, parameters, options, secrets, permissions, sections."""

import json
import re
from pathlib import Path

import pytest

from infra.entra.register_app import options_of
from scripts.infra_tree import read_templates
from shared.secrets import KEYS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text("utf-8")
CODE = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", DOCUMENT, re.DOTALL))
MAIN = next(one for one in read_templates(ROOT) if one.name == "infra/main.bicep")
OTHERS = ("README.md", "docs", "infra", ".github", "scripts")


def test_every_path_that_is_named_should_exist() -> None:
    paths = set(
        re.findall(r"(?<![\w/.<])(?:\./)?((?:infra|docs|tests|scripts|\.github|\.ci)/[\w./-]*\w)", CODE)
    )
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_parameter_should_be_told_and_nothing_else() -> None:
    given = set(re.findall(r"(?<=[ ])(\w+)=(?=[<\w'])", "\n".join(re.findall(r"--parameters .*", CODE))))
    rows = set(re.findall(r"^\| `(\w+)` \|[^|]*\|[^|]*\|$", DOCUMENT, re.MULTILINE))
    assert given <= set(MAIN.of("parameter"))
    assert given | rows == set(MAIN.of("parameter"))


def test_a_parameter_should_be_told_in_the_words_of_the_template() -> None:
    for name, text in re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|$", DOCUMENT, re.MULTILINE):
        (described,) = (
            one for one in MAIN.of("parameter")[name].decorators if one.startswith("@description(")
        )
        assert described[14:-2].replace("\\'", "'") == text


def test_the_parameters_without_a_default_should_be_in_every_command() -> None:
    needed = {name for name, one in MAIN.of("parameter").items() if not one.has_default}
    commands = re.findall(r"az deployment sub (?:what-if|create) .*", CODE)
    assert len(commands) >= 3
    for command in commands:
        assert needed <= set(re.findall(r" (\w+)=", command)), command


def test_the_variables_of_azd_should_be_those_of_the_parameter_file() -> None:
    asked = set(re.findall(r"\$\{(ANTESALA_\w+)", (ROOT / "infra/main.parameters.json").read_text("utf-8")))
    assert set(re.findall(r"azd env set (\w+)", CODE)) <= asked


def test_every_option_of_the_scripts_should_exist() -> None:
    given = re.findall(r"register_app\.py (--.*)", CODE)
    assert len(given) >= 3
    for line in given:
        words = [
            re.sub(r"<.*?>", "https://a.example", word) for word in re.split(r" (?![^<]*>)", line.strip("`"))
        ]
        options_of(words)
    script = (ROOT / "infra/entra/Grant-TeamsPolicy.ps1").read_text("utf-8")
    shown = set(re.findall(r" -(\w+)", "\n".join(re.findall(r"Grant-TeamsPolicy\.ps1 .*", CODE))))
    assert shown - {"WhatIf"} <= set(re.findall(r"\] \$(\w+)", script))


def test_the_permissions_should_be_those_of_the_registration() -> None:
    plan = json.loads((ROOT / "infra/entra/app.json").read_text("utf-8"))
    rows = re.findall(r"^\| `([\w.]+)` \| `([0-9a-f-]{36})` \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert rows == [(one["name"], one["id"], one["why"]) for one in plan["permissions"]]


def test_every_secret_of_the_app_should_be_put_into_the_vault() -> None:
    put = {name for names in re.findall(r"for name in ([a-z -]+); do", CODE) for name in names.split()}
    # The identity stands in for graph-client, which only the sandbox has.
    assert put == KEYS - {"graph-client"}


def test_what_the_output_holds_should_be_what_the_document_uses() -> None:
    output = MAIN.of("output")["ANTESALA_STAMPS"]
    fields = set(re.findall(r"^  (\w+):", (output.node.text or b"").decode(), re.MULTILINE))
    assert {"functionApp", "keyVault", "identityPrincipalId", "url"} <= fields
    assert {"functionApp", "keyVault", "identityPrincipalId"} <= set(re.findall(r"<(\w+)>", CODE))


@pytest.mark.parametrize("name", OTHERS)
def test_a_section_that_is_named_elsewhere_should_exist(name: str) -> None:
    place = ROOT / name
    paths = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
    sections = {
        (number, re.sub(r"[^\w -]", "", f"{number} {title}".lower()).replace(" ", "-"))
        for number, title in re.findall(r"^## (\d+)\. (.+)$", DOCUMENT, re.MULTILINE)
    }
    for path in paths:
        if path.suffix in (".png", ".pyc"):
            continue
        text = path.read_text("utf-8")
        named = set(re.findall(r"deploy\.md[,( as]*section (\d+)", text))
        assert named <= {number for number, _ in sections}, path
        assert set(re.findall(r"deploy\.md#([\w-]+)", text)) <= {anchor for _, anchor in sections}, path
