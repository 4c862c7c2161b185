"""The device test's result: from whom it is taken, how often, and what the EHR is told."""

import json
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

import pytest

from launch_patient.device_test import DeviceTest
from launch_patient.device_ticket import RESULTS
from shared.connection import Approved, Writeback
from shared.ehr.port import DeviceAdapter, DeviceResult, DeviceTelling
from shared.errors import StatusRefused, Unreachable
from tests.launch.conftest import CONNECTION, PUBLIC, Shown, World, revision
from tests.launch.ehr import BASE, query_of

PATH = f"/launch/patient/{CONNECTION}/device-test"
ROUTE = {"connection": CONNECTION}
OWN = {"origin": PUBLIC, "sec-fetch-site": "same-origin"}


@dataclass
class Clerk:
    """An EHR's adapter that remembers what it was told."""

    told: list[DeviceTelling] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    takes: bool = True

    def device(self, approved: Approved) -> DeviceAdapter | None:
        return self if self.takes_device(approved) else None

    def takes_device(self, approved: Approved) -> bool:
        return self.takes and approved.revision.writeback.adapter == "fhir"

    def tell_device(self, approved: Approved, telling: DeviceTelling) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(telling)


class Bench:
    """A patient at the device test, reached from the portal."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clerk = Clerk()
        self.test = DeviceTest(cast("Any", world.services), self.clerk)
        world.use(revision(writeback=Writeback("fhir")))

    def come(self, **members: Any) -> str:
        """The launch's way to the test; the ticket's handle, or empty."""
        query = f"iss={BASE}&launch=l&open=device-test"
        shown = self.world.launch("patient", query=query, members={"epicUserId": "WPR-5519902", **members})
        assert shown.location.startswith(PATH), shown
        return query_of(shown.location)["ticket"] if "?" in shown.location else ""

    def page(self, ticket: str = "") -> Shown:
        url = f"{PATH}?ticket={ticket}" if ticket else PATH
        return self.world.browser.open(self.test.page, url, route=ROUTE)

    def send(self, ticket: str, result: str = "works", headers: dict[str, str] | None = None) -> Shown:
        form = {"ticket": ticket, "result": result}
        return self.world.browser.open(
            self.test.report, PATH, method="POST", form=form, headers=headers or OWN, route=ROUTE
        )

    @property
    def outcomes(self) -> list[str]:
        return list(self.world.stores.region.operations.rows.values())


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world)


def told(shown: Shown) -> bool:
    assert shown.status == 200, shown
    return bool(json.loads(shown.text)["told"])


def test_a_result_is_told_once_with_person_and_visit(bench: Bench) -> None:
    ticket = bench.come()
    assert f'data-ticket="{ticket}"' in bench.page(ticket).text
    before = dict(bench.world.browser.cookies)
    assert told(bench.send(ticket))
    (telling,) = bench.clerk.told
    assert (telling.result, telling.user, telling.patient) == ("works", "WPR-5519902", "pat-1")
    assert telling.context is not None
    assert telling.context.visit_id == "880014417731"
    assert not bench.world.browser.named("device-test")
    bench.world.browser.cookies = before
    assert told(bench.send(ticket, "camera")), "it has been told, and the first word stands"
    assert len(bench.clerk.told) == 1


def test_a_test_without_a_visit_is_told_of_the_person(bench: Bench) -> None:
    assert told(bench.send(bench.come(sessionId=None), "microphone"))
    (telling,) = bench.clerk.told
    assert (telling.result, telling.context, telling.patient) == ("microphone", None, "pat-1")


@pytest.mark.parametrize("result", ["", "WORKS", "works ", "network", "<b>", "works,camera"])
def test_only_a_word_of_the_list_is_taken(bench: Bench, result: str) -> None:
    assert bench.send(bench.come(), result).reason == "parameter-invalid"
    assert not bench.clerk.told


def test_every_word_of_the_list_is_taken(bench: Bench) -> None:
    assert get_args(DeviceResult.__value__) == RESULTS
    for result in RESULTS:
        assert told(bench.send(bench.come(), result))
    assert [one.result for one in bench.clerk.told] == list(RESULTS)
    assert len({one.operation for one in bench.clerk.told}) == len(RESULTS)


def test_who_did_not_come_from_the_portal_tells_nobody(bench: Bench) -> None:
    assert 'data-report=""' in bench.page().text
    assert "Nothing is sent." in bench.page().text
    assert bench.send("").reason == "flow-unknown"
    assert bench.send("made-up").reason == "flow-unknown"
    assert not bench.clerk.told


def test_a_ticket_of_another_browser_handle_or_hour_should_tell_nobody(bench: Bench) -> None:
    ticket = bench.come()
    kept = dict(bench.world.browser.cookies)
    bench.world.browser.cookies = {f"__Host-device-test-{'x' * 32}": kept[f"__Host-device-test-{ticket}"]}
    assert bench.send("x" * 32).reason == "flow-unknown"
    bench.world.browser.cookies = {}
    assert bench.send(ticket).reason == "flow-unknown"
    bench.world.browser.cookies = kept
    bench.world.clock.pass_by(hours=1, seconds=1)
    assert bench.send(ticket).reason == "flow-unknown"
    assert not bench.clerk.told


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": PUBLIC, "sec-fetch-site": "cross-site"}]
)
def test_a_result_of_another_sites_page_should_not_count(bench: Bench, headers: dict[str, str]) -> None:
    assert bench.send(bench.come(), headers=headers).reason == "cross-site"
    assert not bench.clerk.told


def test_a_silent_ehr_may_be_told_again(bench: Bench) -> None:
    ticket = bench.come()
    bench.clerk.failures = [Unreachable("ehr-writeback")]
    assert not told(bench.send(ticket))
    assert bench.outcomes == []
    assert told(bench.send(ticket))
    assert bench.outcomes == ["told"]


def test_what_an_ehr_refuses_for_good_is_dropped(bench: Bench) -> None:
    ticket = bench.come()
    bench.clerk.failures = [StatusRefused(403)]
    assert not told(bench.send(ticket))
    assert bench.outcomes == ["dropped"]
    assert bench.send(ticket).reason == "flow-unknown"


def test_while_one_request_tells_the_other_waits_for_another_day(bench: Bench) -> None:
    ticket = bench.come()
    found = bench.test._tickets.find
    seen: list[str] = []

    def claimed(request: Any, handle: str) -> Any:
        ticket = found(request, handle)
        assert ticket is not None
        seen.append(ticket.operation)
        bench.world.stores.region.operations.rows[CONNECTION, ticket.operation] = "another worker"
        return ticket

    bench.test._tickets.find = claimed  # type: ignore[method-assign]
    assert not told(bench.send(ticket))
    assert seen
    assert not bench.clerk.told


def test_a_browser_too_old_is_told_instead_of_a_button_that_does_nothing(bench: Bench) -> None:
    old = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"}
    shown = bench.world.browser.open(bench.test.page, PATH, route=ROUTE, headers=old)
    assert shown.reason == "browser-unsupported"


def test_no_ticket_where_nothing_is_written_back(bench: Bench) -> None:
    bench.world.use(revision(writeback=Writeback("none")))
    assert bench.come() == ""
    assert not bench.world.browser.named("device-test")


def test_the_page_promises_nothing_where_the_ehr_has_no_place_for_it(bench: Bench) -> None:
    ticket = bench.come()
    bench.clerk.takes = False
    assert 'data-report=""' in bench.page(ticket).text
    assert not told(bench.send(ticket))


def test_the_adapters_of_the_house_are_used_unless_others_are_given(world: World) -> None:
    test = DeviceTest(cast("Any", world.services))
    approved = Approved(*world.stores.region.connections.rows[CONNECTION])

    def of(adapter: Any, **options: str) -> Any:
        written = replace(approved.revision, writeback=Writeback(adapter, options))
        return test._adapters.device(replace(approved, revision=written))

    assert of("fhir") is not None
    assert of("none") is None
    assert of("epic") is None
    assert of("epic", device_path="/api/device") is not None


def test_the_ticket_says_nothing_readable(bench: Bench) -> None:
    bench.come()
    for secret in ("pat-1", "880014417731", "WPR-5519902"):
        assert secret not in json.dumps(bench.world.browser.cookies)
