"""Messages that cannot be taken: raised for the host to count, parked in the end."""

from typing import Any, cast

import pytest

from shared.messages import MessageRefused, WritebackMessage
from tests.writeback.house import House, guest

pytestmark = pytest.mark.azurite


@pytest.mark.parametrize("text", ["", "{", '{"v":2}', '{"v":1,"kind":"writeback","sealed":"abc"}'])
def test_a_message_that_is_not_ours_should_be_raised_for_the_poison_queue(house: House, text: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, the host counts it
        house.delivering.deliver(text)


def test_poison_should_be_parked_with_a_row_that_says_so(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    (message,) = house.waiting()
    house.parking.park(house.region, "writeback", message.text.encode())
    assert house.dead() == [("poison", 0, "writeback")]
    assert house.waiting(house.lot)[0].text == message.text


def test_poison_of_the_other_queues_should_name_its_connection(house: House) -> None:
    house.visit()
    text = house.text(house.item(house.event(5, guest("p"))))
    house.parking.park(house.region, "attendance", text.encode())
    assert house.dead() == [("poison", 0, "attendance")]


def test_an_unknown_kind_should_not_be_read(house: House) -> None:
    house.visit()
    house.sees(5, guest("p"))
    message = WritebackMessage.read(house.waiting()[0].text, house.sealer)
    other = cast("Any", house.waiting()[0].text).replace('"writeback"', '"tend"')
    with pytest.raises(MessageRefused):
        WritebackMessage.read(other, house.sealer)
    assert message.attempt == 0
