"""Production begins as a copy of test, and both stand side by side."""

from config_function.access import View
from config_function.listing import pairs
from shared.connection import Connection, Environment, Revision
from tests.config.house import ADMIN, ANALYST, POOL, House, beginning


def _view(name: str, environment: Environment, copied_from: str = "") -> View:
    made = Connection(
        name, "t", "americas", environment, "epic", "https://x.example", "now", copied_from=copied_from
    )
    return View(made, Revision(name, 1, "draft", name))


def test_each_connection_stands_beside_its_copy() -> None:
    test, live = _view("one", "test"), _view("one-live", "production", "one")
    alone, lost = _view("two", "test"), _view("three", "production", "gone")
    listed = pairs([live, test, alone, lost])
    assert [(pair.test, pair.production) for pair in listed] == [
        ((test,), (live,)),
        ((alone,), ()),
        ((), (lost,)),
    ]
    assert [pair.origin for pair in listed] == [None, alone, None]


def test_a_copy_of_a_copy_belongs_to_the_same_pair_and_a_circle_ends() -> None:
    first, second = _view("a", "test"), _view("b", "test", "a")
    third = _view("c", "production", "b")
    assert len(pairs([third, second, first])) == 1
    assert pairs([_view("x", "test", "y"), _view("y", "test", "x")])


def test_a_test_connection_is_copied_to_production(house: House) -> None:
    admin = house.browser(ADMIN)
    source = house.begun(admin, group="yes")
    page = admin.get("/config/")
    assert f"/config/connections/new?from={source}" in page.text
    form = admin.get(f"/config/connections/new?from={source}")
    assert f'name="copy_of" value="{source}"' in form.text
    assert 'value="production" checked' in form.text
    other = house.base.replace("https://", "https://live-")
    house.ehr.serve(other)
    made = admin.post("/config/connections/new", beginning(other, environment="production", copy_of=source))
    assert made.status == 303, made.text
    copy = made.location.split("/")[3]
    revision = house.stores.of(copy).connections.revision(copy, 1)
    assert revision is not None
    assert (revision.approver, revision.organizers, revision.time_zone) == (
        ANALYST,
        (POOL,),
        "America/Chicago",
    )
    assert revision.group
    # What was registered in the other environment is not good here.
    clients = (revision.provider, revision.patient, revision.backend)
    assert [client.client_id for client in clients] == ["", "", ""]
    assert "Copy to production" not in admin.get("/config/").text


def test_a_copy_takes_over_no_secret(house: House) -> None:
    admin = house.browser(ADMIN)
    source = house.begun(admin, provider_auth="client_secret_basic", provider_secret="hidden-word")
    kept = house.stores.of(source).connections.revision(source, 1)
    assert kept is not None
    assert kept.provider.secret_name
    other = f"{house.base}/live"
    house.ehr.serve(other)
    made = admin.post("/config/connections/new", beginning(other, environment="production", copy_of=source))
    copy = made.location.split("/")[3]
    revision = house.stores.of(copy).connections.revision(copy, 1)
    assert revision is not None
    assert (revision.provider.auth, revision.provider.secret_name) == ("client_secret_basic", "")


def test_a_copy_of_another_kind_or_of_nothing_is_refused(house: House) -> None:
    admin = house.browser(ADMIN)
    source = house.begun(admin)
    other = f"{house.base}/live"
    house.ehr.serve(other)
    wrong = beginning(other, kind="fhir", environment="production", copy_of=source)
    page = admin.post("/config/connections/new", wrong)
    assert page.status == 422
    assert "same kind of EHR" in page.text
    nothing = beginning(other, environment="production", copy_of="a" + "b" * 15)
    assert "no such connection" in admin.post("/config/connections/new", nothing).text
    junk = beginning(other, environment="production", copy_of="../x")
    assert admin.post("/config/connections/new", junk).status == 422


def test_the_api_copies_too(house: House) -> None:
    admin = house.browser(ADMIN)
    source = house.begun(admin)
    other = f"{house.base}/live"
    house.ehr.serve(other)
    body = beginning(other, environment="production", copy_of=source)
    answer = admin.call("POST", "/config/api/connections", body)
    assert answer.status == 201, answer.text
    assert answer.json()["copied_from"] == source
    assert answer.json()["latest"]["settings"]["approver"] == ANALYST
