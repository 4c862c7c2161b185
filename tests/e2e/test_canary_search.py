"""The canary's own eyes: a search that sees nothing would hold for the wrong reason."""

import pytest

from tests.e2e.canary import dressings, search

VALUE = "MRN-7730941552"


@pytest.mark.parametrize("coat", dressings(VALUE))
def test_search_should_see_a_value_through_its_coat(coat: str) -> None:
    pile = b'{"before":"abcdefghijklmnop","x":"' + dressings(VALUE)[coat] + b'","after":"0123456789abcdef"}'
    if "zip" in coat or "utf" in coat or coat == "zlib":
        pile = dressings(VALUE)[coat]
    assert search({"pile": pile}, [VALUE])


def test_search_should_stay_silent_where_there_is_nothing() -> None:
    pile = b"".join(dressings("MRN-0000000000").values())
    assert not search({"pile": pile}, [VALUE])


def test_search_should_name_the_value_the_place_and_the_coat() -> None:
    (finding,) = search({"queue": dressings(VALUE)["base64"]}, [VALUE])
    assert (finding.value, finding.where, finding.coats) == (VALUE, "queue", ("base64",))
