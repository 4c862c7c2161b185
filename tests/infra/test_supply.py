"""Workflows that parse and keep no secret, the audit's verdict, the bill of materials."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.audit import main as audit
from scripts.audit import verdict
from scripts.sbom import bill, pinned

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def loaded(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(document, dict)
    # YAML 1.1 reads the key `on` as a truth value.
    return {"on" if key is True else str(key): value for key, value in document.items()}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_should_parse_and_run_on_something(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert ("uses" in job) != ("steps" in job)
        assert "uses" in job or job["timeout-minutes"] <= 90
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_should_keep_no_secret_and_pin_every_action(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "secrets." not in text
    used = re.findall(r"uses: (\S+)", text)
    assert [one for one in used if not one.startswith("./") and not re.fullmatch(r"[\w/-]+@v\d+", one)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_runs_should_be_in_the_repository(path: Path) -> None:
    text = path.read_text("utf-8")
    for name in re.findall(r"(?:python |run: )((?:scripts/|\.ci/)[\w./-]+)", text):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"--file (\S+\.bicep)", text):
        assert (ROOT / name).is_file(), name


def test_production_should_come_after_test_and_test_after_the_check() -> None:
    jobs = loaded(ROOT / ".github/workflows/deploy.yml")["jobs"]
    assert jobs["production"]["needs"] == "test"
    assert jobs["test"]["needs"] == "package"
    assert jobs["package"]["needs"] == "check"
    assert {name: jobs[name]["with"]["environment"] for name in ("test", "production")} == {
        "test": "test",
        "production": "production",
    }


def test_only_what_publishes_should_ask_for_a_token() -> None:
    asking = {path.name for path in WORKFLOWS if "id-token: write" in path.read_text("utf-8")}
    assert asking == {"deploy.yml", "publish.yml"}


FLAWED = {"name": "requests", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.0"]}]}
SOUND = {"name": "jinja2", "version": "3.0", "vulns": []}


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "expected", "said"),
    [
        (0, json.dumps({"dependencies": [SOUND]}), "", 0, "nothing known about 1 packages"),
        (1, json.dumps({"dependencies": [SOUND, FLAWED]}), "", 1, "requests 1.0: PYSEC-1, fixed in 2.0"),
        (1, "", "requests.exceptions.ConnectionError: no route", 0, "could not be reached"),
        (1, "", "ERROR: invalid requirements", 1, "pip-audit failed"),
        (0, "", "", 1, "pip-audit failed"),
    ],
)
def test_the_audit_should_fail_for_flaws_and_not_for_a_closed_network(
    code: int, stdout: str, stderr: str, expected: int, said: str
) -> None:
    found, text = verdict(code, stdout, stderr)
    assert found == expected
    assert said in text


def test_the_audit_should_say_that_it_was_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(["no-such-command-here"]) == 0
    assert "not done" in capsys.readouterr().out


def test_the_bill_should_name_every_deployed_package_with_its_hashes() -> None:
    text = (ROOT / "requirements.txt").read_text("utf-8")
    document = bill(text, "1.2.3")
    lines = set(re.findall(r"^([A-Za-z0-9._-]+==[^\s\\;]+)", text, re.MULTILINE))
    assert {f"{one['name']}=={one['version']}" for one in document["components"]} == lines
    assert sum(len(one["hashes"]) for one in document["components"]) == text.count("--hash=sha256:")
    assert all(one["hashes"] for one in document["components"])
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")


def test_the_bill_should_know_who_needs_whom() -> None:
    text = (
        "msal==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\n    # via -r requirements.in\n"
        "Py_JWT==2.0 \\\n    --hash=sha256:" + "b" * 64 + "\n"
        "    # via\n    #   msal\n    #   -r requirements.in\n"
    )
    assert [one.parents for one in pinned(text)] == [("-r requirements.in",), ("msal", "-r requirements.in")]
    needs = {one["ref"]: one["dependsOn"] for one in bill(text, "1")["dependencies"]}
    assert needs["pkg:pypi/msal@1.0"] == ["pkg:pypi/py-jwt@2.0"]
    assert needs["pkg:generic/antesala@1"] == ["pkg:pypi/msal@1.0", "pkg:pypi/py-jwt@2.0"]


def test_the_same_requirements_should_make_the_same_bill() -> None:
    text = (ROOT / "requirements.txt").read_text("utf-8")
    assert bill(text, "1") == bill(text, "1")
    assert bill(text, "1")["serialNumber"] != bill(text, "2")["serialNumber"]
