"""Each probe's verdict, and the remedy that goes with it."""

from types import SimpleNamespace

import pytest

from config_function.checks import PROBES
from shared.errors import StatusRefused
from tests.config.house import ADMIN, CLINICIAN, POOL, Browser, House, forget_rooms


@pytest.fixture
def admin(house: House) -> Browser:
    return house.browser(ADMIN)


def verdict(browser: Browser, connection: str, probe: str, person: str = "") -> dict[str, object]:
    path = f"/config/api/connections/{connection}/checks/{probe}"
    document: dict[str, object] = browser.call("POST", path, {"person": person}).json()
    return document


def test_everything_works_in_a_sound_house(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.serve_own_keys()
    for probe in PROBES:
        assert verdict(admin, connection, probe.name)["verdict"] == "ok", probe.name


def test_a_missing_access_policy_shows_the_exact_lines(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    found = verdict(admin, connection, "access-policy", ADMIN)
    assert found["verdict"] == "failed"
    assert found["commands"] == [
        "Connect-MicrosoftTeams",
        (
            f'New-CsApplicationAccessPolicy -Identity Antesala -AppIds "{house.settings.client_id}" '
            '-Description "Antesala virtual visits"'
        ),
        f'Grant-CsApplicationAccessPolicy -PolicyName Antesala -Identity "{ADMIN}"',
    ]


def test_endpoints_that_moved_are_noticed(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    assert "other hosts" in str(verdict(admin, connection, "discovery")["found"])


def test_a_token_is_not_asked_of_an_endpoint_that_moved(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    house.ehr.serve(house.base, host="https://evil.example/oauth2")
    # Looks anew, so that what the next probe works with is the moved one.
    verdict(admin, connection, "discovery")
    assert "other hosts" in str(verdict(admin, connection, "backend-token")["found"])


def test_keys_that_the_ehr_cannot_fetch_are_noticed(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    assert verdict(admin, connection, "jwks")["verdict"] == "failed"
    for connected in house.connections():
        url = f"{house.settings.server_url}/config/jwks/{connected.id}"
        house.ehr.pages[url] = ["no object"]
    assert verdict(admin, connection, "jwks")["verdict"] == "failed"


def test_a_refused_backend_client_is_explained(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)

    def refuse(*_: object, **__: object) -> None:
        raise StatusRefused(401, "invalid_client")

    house.services.tokens = SimpleNamespace(backend=refuse)

    forget_rooms()
    found = verdict(admin, connection, "backend-token")
    assert found["found"] == "The answer was 401 (invalid_client)."
    assert "registration sheet" in str(found["remedy"])


def test_probes_that_do_not_exist_or_name_nobody_are_refused(house: House, admin: Browser) -> None:
    connection = house.begun(admin)
    path = f"/config/api/connections/{connection}/checks"
    assert admin.call("POST", f"{path}/everything").status == 404
    assert admin.call("POST", f"{path}/access-policy", {"person": "../me"}).status == 422
    assert admin.call("POST", f"{path}/access-policy", {"person": 7}).status == 422
    assert admin.call("POST", f"{path}/access-policy", {"person": CLINICIAN}).status == 200


def test_the_page_works_without_script(house: House, admin: Browser) -> None:
    connection = house.in_service(admin)
    page = admin.post(f"/config/connections/{connection}/checks", {"probe": "access-policy", "person": POOL})
    assert page.status == 200
    assert "Teams made it." in page.text
