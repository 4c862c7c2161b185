"""The OpenAPI 3.1 document of the JSON API, made from the same tables that the API reads by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from config_function import deep_check
from config_function.beginning import ENVIRONMENTS, REGIONS, kinds
from config_function.checks import PROBES
from config_function.checks.verdict import Outcome
from config_function.connections import REASON, REASON_LIMIT
from config_function.field_rules import OBJECT_ID, RULES
from config_function.fields import LARGEST
from config_function.launch_report import OUTCOMES, SIDES
from config_function.letter_schemas import letter_schemas
from config_function.names import LONGEST, SHORTEST
from config_function.people_schemas import CURSOR_LIMIT, STATE, people_schemas
from config_function.person_schemas import person_schemas
from config_function.setting_schemas import Schema, setting_schema
from shared.connection import CONNECTION_ID

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_VERDICT: Schema = {"enum": list(get_args(deep_check.Verdict.__value__))}
_OF_REVISION: Mapping[str, Schema] = {"connection": _TEXT, "revision": {"type": "integer"}}


@dataclass(frozen=True)
class Operation:
    """One row: an operation of the API as its route, its body and its answer."""

    method: str
    path: str
    name: str
    summary: str
    answer: str
    body: str = ""
    status: int = 200
    # A second status with the same answer.
    or_else: int = 0
    versioned: bool = False
    query: Mapping[str, Schema] | None = None
    refused: tuple[int, ...] = (401, 403, 404)


_ONE = "/config/api/connections/{connection}"
_FILE: Mapping[str, Schema] = {"download": {"type": "string", "enum": ["", "1"]}}
# fmt: off
OPERATIONS = (
    Operation("get", "/config/api/connections", "listConnections",
              "Every connection that you may see", "ConnectionList", refused=(401, 403)),
    Operation("post", "/config/api/connections", "createConnection",
              "Begin a connection; its FHIR base is looked at first", "Connection", "NewConnection", 201,
              refused=(400, 401, 403, 413, 415, 422)),
    Operation("get", _ONE, "getConnection", "One connection", "Connection"),
    Operation("put", _ONE, "changeConnection",
              "Change settings; a setting that is left out keeps its value", "Connection", "Change",
              versioned=True, refused=(400, 401, 403, 404, 409, 413, 415, 422)),
    Operation("post", f"{_ONE}/submit", "submitConnection", "Ask the approver", "Connection",
              versioned=True, refused=(401, 403, 404, 409, 422, 502, 503)),
    Operation("post", f"{_ONE}/reject", "rejectConnection",
              "Send the newest revision back with a reason", "Connection", "Rejection",
              refused=(400, 401, 403, 404, 409, 413, 415, 422)),
    Operation("get", f"{_ONE}/records", "getRecords",
              "The integration records of the approved revision", "Records", query=_FILE,
              refused=(401, 403, 404, 413, 422)),
    Operation("get", f"{_ONE}/registration", "getRegistration",
              "What to register in the EHR", "RegistrationSheet", query=_FILE,
              refused=(401, 403, 404, 413, 422)),
    Operation("get", f"{_ONE}/checks", "listChecks", "What can be checked, one by one", "Checks"),
    Operation("post", f"{_ONE}/checks/{{probe}}", "runCheck", "Try one thing for real", "Verdict", "Check",
              refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("get", f"{_ONE}/clinicians", "listClinicians",
              "A page of the linked clinicians, of everybody or of one person", "Clinicians",
              query={"cursor": {"type": "string", "maxLength": CURSOR_LIMIT},
                     "person": {"type": "string", "pattern": f"^({OBJECT_ID})?$"}},
              refused=(401, 403, 404, 413, 422)),
    Operation("post", f"{_ONE}/clinicians/find", "findClinician", "The link of one EHR user ID", "Clinicians",
              "EhrUser", refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("post", f"{_ONE}/clinicians/unlink", "unlinkClinician",
              "Part an EHR user from the account that the version was read with", "Unlinked", "EhrUser",
              versioned=True, refused=(400, 401, 403, 404, 409, 413, 415, 422)),
    Operation("post", f"{_ONE}/personal-data/export", "exportPersonalData",
              "Everything stored about one EHR user ID, a part at a time", "PersonalData", "PersonChoice",
              refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("post", f"{_ONE}/personal-data/erase", "erasePersonalData",
              "Erase it, a part at a time; refused while a visit of that person is under way", "Erased",
              "PersonChoice", refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("get", f"{_ONE}/launches", "listLaunches", "How the last launches ended", "Launches",
              query={"side": {"type": "string", "enum": list(SIDES)},
                     "outcome": {"type": "string", "enum": list(OUTCOMES)}},
              refused=(401, 403, 404, 413, 422)),
    Operation("get", f"{_ONE}/history", "getHistory",
              "Revisions with their differences, and the audit trail", "History"),
    Operation("get", f"{_ONE}/deadletters", "listDeadLetters",
              "What could not be delivered, and why; at most 500", "DeadLetters"),
    Operation("post", f"{_ONE}/deadletters/send", "sendDeadLetters",
              "Put some back on their way; those left over may be asked for again", "SentAgain",
              "LetterChoice", refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("post", f"{_ONE}/deadletters/discard", "discardDeadLetters",
              "Give some up for good: the EHR will not be told", "Discarded", "LetterChoice",
              refused=(400, 401, 403, 404, 413, 415, 422)),
    Operation("get", f"{_ONE}/health", "getHealth", "How the connection is doing", "Health"),
    Operation("post", "/config/api/bases", "inspectBase", "Look at a FHIR base", "BaseReport", "Base",
              refused=(400, 401, 403, 413, 415, 422)),
    Operation("get", "/config/api/people", "searchPeople", "Find people of your directory", "People",
              query={"q": {"type": "string", "minLength": SHORTEST, "maxLength": LONGEST}},
              refused=(401, 403, 413, 422, 503)),
    Operation("get", "/config/api/health", "getAppHealth",
              "How the app itself is doing; 503 where something of it has failed", "AppHealth", or_else=503,
              refused=(401, 403)),
    Operation("get", "/config/api/openapi.json", "getOpenApi", "This document", "Anything", refused=()),
)
# fmt: on


def openapi(public_url: str) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Antesala configuration",
            "version": "1",
            "description": "Connections between an EHR and Microsoft Teams virtual visits. Approval is not "
            "here: it needs the approver's browser and their sign-in to the EHR.",
        },
        "servers": [{"url": public_url}],
        "security": [{"entra": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"entra": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _schemas(),
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    answers = {str(operation.status): _content(operation.answer, "application/json", "Done")}
    if operation.or_else:
        answers[str(operation.or_else)] = _content(operation.answer, "application/json", "Failing")
    # A query over the edge's limit is refused as too large, whatever the operation.
    for status in sorted({*operation.refused, *((413,) if operation.query else ())}):
        answers[str(status)] = _content("Problem", "application/problem+json", "Refused")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": answers,
    }
    if operation.body:
        described["requestBody"] = {
            "required": operation.body != "Check",
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    if operation.name == "getOpenApi":
        described["security"] = []
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters = []
    if "{connection}" in operation.path:
        parameters.append(
            _parameter("connection", "path", {"type": "string", "pattern": f"^{CONNECTION_ID}$"})
        )
    if "{probe}" in operation.path:
        names = [probe.name for probe in PROBES]
        parameters.append(_parameter("probe", "path", {"type": "string", "enum": names}))
    if operation.versioned:
        parameters.append(_parameter("If-Match", "header", {"type": "string", "minLength": 1}))
    for name, schema in (operation.query or {}).items():
        parameters.append({**_parameter(name, "query", schema), "required": name == "q"})
    return parameters


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": schema}


def _content(schema: str, media: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": _reference(schema)}}}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Schema]:
    settings = {rule.name: setting_schema(rule) for rule in RULES}
    shown = {name: schema for name, schema in settings.items() if not schema.get("writeOnly")}
    return {
        "Settings": _object(settings, required=(), closed=True),
        "ShownSettings": _object(shown),
        "NewConnection": _object(
            {
                **_beginning(),
                "copy_of": {"type": "string", "pattern": f"^({CONNECTION_ID})?$"},
                "settings": _reference("Settings"),
            },
            required=tuple(_beginning()),
            closed=True,
        ),
        "Change": _object({"settings": _reference("Settings")}, closed=True),
        "Rejection": _object(
            {
                "number": {"type": "integer", "minimum": 1, "maximum": LARGEST},
                "reason": {"type": "string", "minLength": 1, "maxLength": REASON_LIMIT, "pattern": REASON},
            },
            closed=True,
        ),
        "Check": _object({"person": {"type": "string", "pattern": f"^({OBJECT_ID})?$"}}, (), closed=True),
        "Base": _object(
            {
                "fhir_base": {"type": "string", "maxLength": 500},
                "kind": _codes(kinds()),
                "environment": _codes(ENVIRONMENTS),
            },
            ("fhir_base",),
            closed=True,
        ),
        **_answers(),
    }


_RECORD = (
    "name", "about", "purpose", "launch_url", "client_id", "redirect_uri", "jwks_url", "scopes", "context",
    "window",
)  # fmt: skip
_REGISTRATION = (
    "client", "audience", "client_id", "authentication", "algorithm", "jwks_url", "launch_url", "scopes",
)  # fmt: skip


def _answers() -> dict[str, Schema]:
    revision: dict[str, Schema] = {
        "number": {"type": "integer"},
        "state": STATE,
        "settings": _reference("ShownSettings"),
        "endpoints": _texts("issuer", "authorization", "token", "jwks"),
        "proof": _texts("by", "at"),
        **dict.fromkeys(("rejected_because", "changed_by", "changed_at"), _TEXT),
    }
    connection: dict[str, Schema] = {
        "id": {"type": "string", "pattern": f"^{CONNECTION_ID}$"},
        **{name: schema for name, schema in _beginning().items() if name != "name"},
        **dict.fromkeys(("copied_from", "created_at", "version"), _TEXT),
        "latest": _reference("Revision"),
        "approved": {"anyOf": [_reference("Revision"), {"type": "null"}]},
    }
    somebody = _texts("oid", "name", "username")
    finding = _object({"verdict": {"enum": ["ok", "warning", "failed"]}, "text": _TEXT})
    verdict: dict[str, Schema] = {
        **dict.fromkeys(("probe", "tried", "found", "remedy", "link", "person"), _TEXT),
        "verdict": {"enum": list(get_args(Outcome.__value__))},
        "commands": _TEXTS,
    }
    return {
        "Revision": _object(revision),
        "Connection": _object(connection),
        "ConnectionList": _object({"connections": _list("Connection")}),
        **_sheets(),
        "PlannedCheck": _texts("probe", "person", "label"),
        "Checks": _object({**_OF_REVISION, "checks": _list("PlannedCheck")}),
        "Verdict": _object(verdict),
        "BaseReport": _object(
            {
                "fhir_base": _TEXT,
                "usable": {"type": "boolean"},
                "suggestion": _TEXT,
                "findings": {"type": "array", "items": finding},
            }
        ),
        **people_schemas(),
        **letter_schemas(),
        **person_schemas(),
        "AppHealth": _object({"verdict": _VERDICT, "at": _TEXT, "checks": _list("AppFinding")}),
        "AppFinding": _app_finding(),
        "People": _object({"people": {"type": "array", "items": somebody}}),
        "Problem": _problem(),
        "Anything": {"type": "object"},
    }


def _sheets() -> dict[str, Schema]:
    """What the analyst copies: ``config_function.records``."""
    record: dict[str, Schema] = {
        **dict.fromkeys(_RECORD, _TEXT),
        "apis": _TEXTS,
        "mnemonics": {"type": "object", "additionalProperties": _TEXT},
    }
    row = {**dict.fromkeys(_REGISTRATION, _TEXT), "redirect_uris": _TEXTS, "apis": _TEXTS}
    return {
        "Record": _object(record),
        "Records": _object({**_OF_REVISION, "records": _list("Record")}),
        "Registration": _object(row),
        "RegistrationSheet": _object({**_OF_REVISION, "registration": _list("Registration")}),
    }


def _app_finding() -> Schema:
    numbers: dict[str, Schema] = {name: {"type": "integer"} for name in ("age_seconds", "count")}
    return _object({"check": _TEXT, "verdict": _VERDICT, **numbers}, ("check", "verdict"))


def _problem() -> Schema:
    fault = _texts("field", "detail")
    members: dict[str, Schema] = {
        **dict.fromkeys(("type", "title", "detail", "code", "instance"), _TEXT),
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": fault},
    }
    return _object(members, ("type", "title", "status", "detail", "code"))


def _beginning() -> dict[str, Schema]:
    return {
        "environment": _codes(ENVIRONMENTS),
        "kind": _codes(kinds()),
        "region": _codes(tuple(REGIONS.items())),
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "fhir_base": {"type": "string", "maxLength": 500},
    }


def _object(
    members: Mapping[str, Schema], required: tuple[str, ...] | None = None, *, closed: bool = False
) -> Schema:
    needed = list(members) if required is None else list(required)
    schema: Schema = {"type": "object", "properties": dict(members), "required": needed}
    return {**schema, "additionalProperties": False} if closed else schema


def _texts(*names: str) -> Schema:
    return _object(dict.fromkeys(names, _TEXT))


def _list(name: str) -> Schema:
    return {"type": "array", "items": _reference(name)}


def _codes(choices: tuple[tuple[str, str], ...]) -> Schema:
    return {"type": "string", "enum": [code for code, _ in choices]}
