"""The JSON of the portal: the API's operations and our public keys. What goes wrong is a problem document."""

from config_function.routes import GET, POST, PUT, READ, Route
from shared.edge import Handler

_ALL = "config/api/connections"
_ONE = f"{_ALL}/{{connection}}"

JSON: tuple[Route[Handler], ...] = (
    Route("config_jwks", "config/jwks/{connection}", READ, lambda on: on.portal.jwks),
    Route("api_deep_check", "config/api/health", GET, lambda on: on.api.health),
    Route("api_openapi", "config/api/openapi.json", GET, lambda on: on.api.document),
    Route("api_connections", _ALL, GET, lambda on: on.api.everything),
    Route("api_create", _ALL, POST, lambda on: on.api.create),
    Route("api_connection", _ONE, GET, lambda on: on.api.get),
    Route("api_change", _ONE, PUT, lambda on: on.api.put),
    Route("api_submit", f"{_ONE}/submit", POST, lambda on: on.api.submit),
    Route("api_reject", f"{_ONE}/reject", POST, lambda on: on.api.reject),
    Route("api_records", f"{_ONE}/records", GET, lambda on: on.api.records),
    Route("api_registration", f"{_ONE}/registration", GET, lambda on: on.api.registration),
    Route("api_checks", f"{_ONE}/checks", GET, lambda on: on.api.checks),
    Route("api_check", f"{_ONE}/checks/{{probe}}", POST, lambda on: on.api.check),
    Route("api_bases", "config/api/bases", POST, lambda on: on.api.inspect_base),
    Route("api_people", "config/api/people", GET, lambda on: on.api.search_people),
    Route("api_clinicians", f"{_ONE}/clinicians", GET, lambda on: on.people_api.clinicians),
    Route("api_find_clinician", f"{_ONE}/clinicians/find", POST, lambda on: on.people_api.find_clinician),
    Route(
        "api_unlink_clinician", f"{_ONE}/clinicians/unlink", POST, lambda on: on.people_api.unlink_clinician
    ),
    Route("api_person_export", f"{_ONE}/personal-data/export", POST, lambda on: on.person_api.export),
    Route("api_person_erase", f"{_ONE}/personal-data/erase", POST, lambda on: on.person_api.erase),
    Route("api_launches", f"{_ONE}/launches", GET, lambda on: on.people_api.launches),
    Route("api_history", f"{_ONE}/history", GET, lambda on: on.people_api.history),
    Route("api_letters", f"{_ONE}/deadletters", GET, lambda on: on.letter_api.letters),
    Route("api_letters_send", f"{_ONE}/deadletters/send", POST, lambda on: on.letter_api.send_again),
    Route("api_letters_discard", f"{_ONE}/deadletters/discard", POST, lambda on: on.letter_api.discard),
    Route("api_health", f"{_ONE}/health", GET, lambda on: on.people_api.health),
)
