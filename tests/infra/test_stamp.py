"""What the stamp makes and starts is what the code uses: queues, tables, functions, queries, parameters."""

import re
import shutil
from pathlib import Path

import pytest

from scripts import infra_settings
from scripts.infra_tree import literal, read_templates

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = read_templates(ROOT)
FILES = {template.name: template for template in TEMPLATES}
STAMP = FILES["infra/modules/stamp.bicep"]
MAIN = FILES["infra/main.bicep"]


def names_in(variable: str) -> list[str]:
    array = next(node for node in STAMP.of("variable")[variable].node.children if node.type == "array")
    return [literal(one) for one in array.named_children]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_every_queue_should_be_made() -> None:
    # Read, not imported: the blueprint registers triggers for the regions of an environment.
    blueprint = read("writeback_function/blueprint.py")
    queues = set(re.findall(r'queue_name="([a-z-]+)"', blueprint))
    listed = re.search(r"^QUEUES = (\(.*\))$", blueprint, re.MULTILINE)
    assert listed
    assert queues == set(re.findall(r'"([a-z-]+)"', listed[1]))
    assert set(names_in("queueNames")) == {
        *queues,
        *(f"{queue}-poison" for queue in queues),
        "writeback-parked",
    }


def test_every_table_should_be_made() -> None:
    used = set(re.findall(r'self\.table\("(\w+)"\)', read("shared/store/region.py")))
    assert len(used) > 5
    assert set(names_in("tableNames")) == used


def test_the_functions_kept_warm_should_exist() -> None:
    warm = re.findall(r"'function:(\w+)_\$\{region\}'", STAMP.source)
    registered = set(
        re.findall(r'function_name\(f"(\w+)_\{region\}"\)', read("writeback_function/blueprint.py"))
    )
    assert warm == ["fold", "deliver"]
    assert set(warm) <= registered


def test_the_connection_of_a_region_should_be_called_as_the_triggers_call_it() -> None:
    for region in ("americas", "emea", "apac"):
        assert f"{region}: 'Antesala{region.capitalize()}'" in STAMP.source


def test_the_secrets_of_the_app_should_lie_in_a_vault_that_it_cannot_write() -> None:
    grants = re.search(r"module keyVault .*?grants: (.*?)\n", STAMP.source, re.DOTALL)
    assert grants
    assert "secretsUser" in grants[1]
    assert "secretsOfficer" not in grants[1]


# What is replaced in a file, and what the check must then say.
UNFIT = [
    (
        "host.json",
        '"maxConcurrentRequests": 64',
        '"maxConcurrentRequests": 32',
        "maxConcurrentRequests is below",
    ),
    ("host.json", "Exception;Trace", "Exception", "log lines must not be sampled"),
    ("host.json", '"routePrefix": ""', '"routePrefix": "api"', "routePrefix must be empty"),
    ("infra/main.bicep", "@maxValue(64)", "@maxValue(65)", "maxConcurrentRequests is below the 65"),
    ("infra/modules/stamp.bicep", "string(httpConcurrency)", "'32'", "must be string(httpConcurrency)"),
    ("infra/modules/stamp.bicep", "'emea', 'apac'])", "'emea'])", "the regions are"),
    ("infra/main.parameters.json", '"useFrontDoor"', '"useFrontDoors"', "has no parameter useFrontDoors"),
    (
        "infra/main.parameters.json",
        '"useFrontDoor"',
        '"useFrontDoors"',
        "the parameter useFrontDoor is missing",
    ),
    ("infra/queries/parked.kql", '"parked"', '"lost"', "nothing logs the event lost"),
    ("infra/queries/late.kql", "fields.age_seconds", "fields.age", "is logged without age"),
    ("infra/modules/alerts.bicep", "queries/forged.kql", "queries/parked.kql", "no template uses this query"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the repository that the check reads."""
    for name in ("infra", "writeback_function", "shared"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc", "locales", "static")
        )
    shutil.copy(ROOT / "host.json", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "old", "new", "said"), UNFIT, ids=[row[3] for row in UNFIT])
def test_what_does_not_fit_should_be_noticed(copy: Path, name: str, old: str, new: str, said: str) -> None:
    assert infra_settings.faults_of(copy, read_templates(copy)) == []
    text = (copy / name).read_text("utf-8")
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1), "utf-8")
    faults = infra_settings.faults_of(copy, read_templates(copy))
    assert any(said in fault.text for fault in faults), [str(fault) for fault in faults]
