"""What the stamp tells the app (settings, parameters, queries), held against the code that reads it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scripts.infra_facts import FORBIDDEN_SETTINGS, HOST_SETTINGS
from scripts.infra_rules import Fault
from scripts.infra_tree import Template, literal, members
from shared.events import COMMON, EVENTS
from shared.settings import REGIONS, Settings, SettingsError

STAMP = "infra/modules/stamp.bicep"
PARAMETERS = "infra/main.parameters.json"
# Stand for what only Azure knows; of the kind that each setting wants.
_GUID = "5e1f7a2c-3b94-4d0e-9c61-0a8d4f2b7e10"
_EXAMPLES = {
    "ANTESALA_ENVIRONMENT": "production",
    "ANTESALA_REGIONS": "emea",
    "ANTESALA_TENANTS": _GUID,
    "ANTESALA_CLIENT_ID": _GUID,
    "AZURE_CLIENT_ID": _GUID,
    "AntesalaEmea__credential": "managedidentity",
    "AntesalaEmea__clientId": _GUID,
}


def settings_set(stamp: Template) -> dict[str, str]:
    """The names that the stamp sets, with the source of each value; as the stamp of emea would."""
    found: dict[str, str] = {}
    for variable in ("regionSettings", "fixedSettings"):
        declared = stamp.of("variable").get(variable)
        if declared is not None and declared.body is not None:
            found |= {
                name.replace("${setting}", "AntesalaEmea"): literal(value)
                for name, value in members(declared.body).items()
            }
    return found


class _Asked(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str:  # type: ignore[override]
        self.names.add(key)
        return super().get(key) or default or ""


def settings_fit(stamp: Template) -> Iterator[Fault]:
    """With these settings the app starts, and every one of them is read by the app or by its host."""
    given = settings_set(stamp)
    environ = _Asked({name: _EXAMPLES.get(name, f"https://{name.lower()}.example") for name in given})
    environ["ANTESALA_ENVIRONMENT"] = given.get("ANTESALA_ENVIRONMENT", "")
    try:
        Settings.from_environ(environ)
    except SettingsError as error:
        yield from (Fault(STAMP, 1, f"the app would not start: {fault}") for fault in error.faults)
    for name in sorted(set(given) - environ.names - set(HOST_SETTINGS)):
        yield Fault(STAMP, 1, f"nothing reads the setting {name}")
    for name in sorted(set(HOST_SETTINGS) - set(given)):
        yield Fault(STAMP, 1, f"the setting {name} is missing: {HOST_SETTINGS[name]}")
    for name in sorted(set(given) & FORBIDDEN_SETTINGS):
        yield Fault(STAMP, 1, f"the plan does not take the setting {name}")


def concurrency_fits(templates: Sequence[Template], host: str) -> Iterator[Fault]:
    """As many threads as requests at once, and ``host.json`` lets the most that may be chosen through."""
    files = {template.name: template for template in templates}
    if settings_set(files[STAMP]).get("PYTHON_THREADPOOL_THREAD_COUNT") != "string(httpConcurrency)":
        yield Fault(STAMP, 1, "PYTHON_THREADPOOL_THREAD_COUNT must be string(httpConcurrency)")
    http = json.loads(host)["extensions"]["http"]
    chosen = files["infra/main.bicep"].of("parameter")["httpConcurrency"]
    most = next((int(text[10:-1]) for text in chosen.decorators if text.startswith("@maxValue(")), 0)
    if not 0 < most <= http["maxConcurrentRequests"]:
        yield Fault("host.json", 1, f"maxConcurrentRequests is below the {most} that httpConcurrency may be")
    if http["routePrefix"]:
        yield Fault("host.json", 1, "routePrefix must be empty: launch URLs are registered without one")
    sampling = json.loads(host)["logging"]["applicationInsights"]["samplingSettings"]
    if "Trace" not in sampling["excludedTypes"].split(";"):
        yield Fault("host.json", 1, "log lines must not be sampled: the alerts read them")


def parameters_fit(main: Template, text: str) -> Iterator[Fault]:
    """The file of parameters names exactly those that there are."""
    given = set(json.loads(text)["parameters"])
    known = set(main.of("parameter"))
    for name in sorted(given - known):
        yield Fault(PARAMETERS, 1, f"main.bicep has no parameter {name}")
    for name in sorted(known - given):
        yield Fault(PARAMETERS, 1, f"the parameter {name} is missing")


def regions_fit(stamp: Template) -> Iterator[Fault]:
    """The stamp knows the regions that the code knows."""
    allowed = next((one for one in stamp.of("parameter")["region"].decorators if "allowed" in one), "")
    if tuple(re.findall(r"'(\w+)'", allowed)) != REGIONS:
        yield Fault(STAMP, stamp.of("parameter")["region"].line, f"the regions are {', '.join(REGIONS)}")


def events_logged() -> dict[str, set[str]]:
    """Every event of the table, which a test holds against the code, with the fields that stand beside it."""
    return {event.name: {*COMMON, *event.fields} for event in EVENTS.values()}


def queries_fit(root: Path, templates: Sequence[Template]) -> Iterator[Fault]:
    """Queries ask for events and fields that the code logs, and each file of them is used."""
    logged = events_logged()
    used = "\n".join(template.source for template in templates)
    for path in sorted((root / "infra" / "queries").glob("*.kql")):
        name, query = f"infra/queries/{path.name}", path.read_text("utf-8")
        if f"'../queries/{path.name}'" not in used:
            yield Fault(name, 1, "no template uses this query")
        for event in re.findall(r'fields\.event == "([^"]*)"', query):
            if event not in logged:
                yield Fault(name, 1, f"nothing logs the event {event}")
                continue
            for field in sorted(set(re.findall(r"fields\.(\w+)", query)) - logged[event]):
                yield Fault(name, 1, f"the event {event} is logged without {field}")


def faults_of(root: Path, templates: Sequence[Template]) -> list[Fault]:
    """Everything in which the templates and the code do not fit."""
    files = {template.name: template for template in templates}
    stamp = files[STAMP]
    return [
        *settings_fit(stamp),
        *concurrency_fits(templates, (root / "host.json").read_text("utf-8")),
        *parameters_fit(files["infra/main.bicep"], (root / PARAMETERS).read_text("utf-8")),
        *regions_fit(stamp),
        *queries_fit(root, templates),
    ]
