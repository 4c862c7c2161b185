"""A connection's history: what was done to each revision, in the reader's words; then everything else."""

import gettext

from config_function.connections import LINKINGS_READ
from config_function.history import READ, chapters, doing_of
from shared.clock import timestamp
from shared.connection import Revision
from shared.pages import Pages
from shared.store.audit import Entry
from tests.config.house import ADMIN, ANALYST, CLINICIAN, POOL, House, forget_rooms

AT = "2026-03-02T14:00:00.000Z"


def entry(what: str, detail: str = "", by: str = ADMIN) -> Entry:
    return Entry("t", by, what, "c", AT, detail)


def test_a_detail_is_taken_apart_into_a_number_and_labels() -> None:
    doing = doing_of(entry("edited", "revision 2: chat, lobby, of_tomorrow"))
    assert (doing.revision, doing.settings, doing.detail) == (2, ("chat", "lobby", "of_tomorrow"), "")
    assert doing.labels[0] == "Chat"
    assert doing.labels[2] == "of_tomorrow"
    assert doing_of(entry("approved", "revision 12")).revision == 12


def test_a_detail_of_another_kind_is_kept_as_it_is() -> None:
    for detail in ("", "Sierra", "revision two: chat", "the revision 2"):
        doing = doing_of(entry("edited", detail))
        assert (doing.revision, doing.detail) == (0, detail)


def test_doings_stand_with_their_revision_and_the_rest_apart() -> None:
    first = Revision("c", 1, "approved", "Old")
    second = Revision("c", 2, "draft", "New")
    audit = [
        entry("ehr-user-unlinked"),
        entry("edited", "revision 2: name"),
        entry("approved", "revision 1"),
        entry("submitted", "revision 1"),
        entry("edited", "revision 7: name"),
    ]
    told, rest = chapters([first, second], audit)
    assert [chapter.revision.number for chapter in told] == [2, 1]
    assert [doing.what for doing in told[1].doings] == ["approved", "submitted"]
    assert [(rule.name, before, after) for rule, before, after in told[0].changes] == [("name", "Old", "New")]
    assert told[1].changes == ()
    assert [(doing.what, doing.revision) for doing in rest] == [("ehr-user-unlinked", 0), ("edited", 7)]


def test_the_page_tells_a_revision_from_its_first_draft_to_its_approval(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    admin.save(connection, "people", {"approver": CLINICIAN, "organizers": f",{POOL},{CLINICIAN}"})
    page = admin.get(f"/config/connections/{connection}/history").text
    second, first = page.split("Revision 1\n")
    assert second.index("Revision 2") < second.index("changed settings")
    assert "Approver, Organizers" in second
    # People are named, not numbered.
    assert "Tomas Quiroga" in second
    assert "Dr. Elena Vidal" in second
    assert ANALYST not in page
    words = ["approved it", "signed in to the EHR", "submitted it for approval", "created the connection"]
    assert [first.index(word) for word in words] == sorted(first.index(word) for word in words)
    assert "revision 2: approver" not in page
    assert "Recent launches" not in page


class Marked(gettext.NullTranslations):
    """A language in which every message stands in quotes."""

    def gettext(self, message: str) -> str:
        return f"\u00ab{message}\u00bb"


def test_labels_are_said_in_the_readers_language(house: House) -> None:
    house.services.pages = Pages(catalogs=lambda _: Marked())
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    admin.save(connection, "visits", {"opens_before": "45", "chat": "disabled"})
    page = admin.get(f"/config/connections/{connection}/history").text
    assert '<span class="quiet">\u00abChat\u00bb, \u00abOpens, minutes before\u00bb</span>' in page
    assert "\u00abOff\u00bb" in page
    assert ">45</span>" in page


def test_what_was_sent_back_shows_why(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.submitted(admin)
    form = {"number": "1", "reason": "Another base, please."}
    house.browser(ANALYST).post(f"/config/connections/{connection}/reject", form)
    page = admin.get(f"/config/connections/{connection}/history").text
    assert "sent it back" in page
    assert "Another base, please." in page


def test_the_api_tells_the_same(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    admin.save(connection, "visits", {"chat": "disabled"})
    audit = house.stores.of(connection).audit
    audit.record(house.tenant, CLINICIAN, "ehr-user-linked", connection, timestamp(house.clock.now()))
    document = admin.call("GET", f"/config/api/connections/{connection}/history").json()
    assert document["approved"] == 1
    second, first = document["revisions"]
    assert second["differences"] == [{"setting": "chat", "before": "limited", "after": "disabled"}]
    assert [(one["what"], one["by"], one["settings"]) for one in second["audit"]] == [
        ("edited", ADMIN, ["chat"])
    ]
    assert [one["what"] for one in first["audit"]][:3] == ["approved", "verified", "submitted"]
    assert [(one["what"], one["by"]) for one in document["audit"]] == [("ehr-user-linked", CLINICIAN)]


def test_a_changed_secret_is_named_and_never_shown(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.begun(admin, provider_auth="client_secret_basic", provider_secret="first-word")
    version = admin.get(f"/config/connections/{connection}").value("version")
    assert admin.post(f"/config/connections/{connection}/submit", {"version": version}).status == 303
    house.approve(house.browser(ANALYST), connection)
    admin.save(connection, "ehr", {"provider_secret": "second-word"})
    answer = admin.call("GET", f"/config/api/connections/{connection}/history")
    newest = answer.json()["revisions"][0]
    assert newest["differences"] == [{"setting": "provider_secret", "before": "", "after": "changed"}]
    assert newest["audit"][0]["settings"] == ["provider_secret"]
    house.services.pages = Pages(catalogs=lambda _: Marked())
    forget_rooms()
    page = admin.get(f"/config/connections/{connection}/history")
    assert "\u00abchanged\u00bb" in page.text
    for text in (answer.text, page.text):
        assert "-word" not in text
        assert "ehr-" + connection not in text


def test_no_number_of_linkings_hides_what_was_done_to_the_connection(house: House) -> None:
    admin = house.browser(ADMIN)
    connection = house.in_service(admin)
    audit = house.stores.of(connection).audit
    for _ in range(READ + 1):
        house.clock.advance(0.01)
        audit.record(house.tenant, CLINICIAN, "ehr-user-linked", connection, timestamp(house.clock.now()))
    document = admin.call("GET", f"/config/api/connections/{connection}/history").json()
    assert "approved" in [one["what"] for one in document["revisions"][0]["audit"]]
    assert [one["what"] for one in document["audit"]] == ["ehr-user-linked"] * LINKINGS_READ
    moments = [one["at"] for one in document["audit"]]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] == timestamp(house.clock.now())
