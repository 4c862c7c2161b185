import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import parse_timestamp
from shared.errors import SealError
from shared.messages import AttendanceMessage, MessageRefused, WritebackMessage, opened, sealed
from shared.sealing import Sealer
from shared.visit.operations import Operation
from tests.fakes import FakeClock

SEALER = Sealer([b"s" * 32], FakeClock())
MESSAGE = WritebackMessage(
    "ctx", "clinician:EMP-1", "connected", 1_234_567, True, "2026-03-02T14:00:00.000Z", 3
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_writeback_message_should_come_out_as_it_went_in_and_show_nothing() -> None:
    text = MESSAGE.text(SEALER)
    assert WritebackMessage.read(text, SEALER) == MESSAGE
    assert not any(word in text for word in ("EMP-1", "clinician", "ctx", "connected"))
    assert MESSAGE.operation == Operation("clinician:EMP-1", "connected", 1_234_567)
    assert MESSAGE.operation.reconstructed
    assert MESSAGE.again().attempt == 4


@given(st.dictionaries(st.text(), JSON), st.lists(st.text()))
def test_an_attendance_message_should_come_out_as_it_went_in(
    item: dict[str, object], tokens: list[str]
) -> None:
    at = parse_timestamp("2026-03-02T14:00:00.123Z")
    read = AttendanceMessage.read(AttendanceMessage("ctx", item, tokens, at).text())
    assert (read.context, read.item, read.tokens, read.at) == ("ctx", item, tokens, at)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '{"v":2}', '{"v":1}', '{"v":1,"c":"x"}'])
def test_what_this_app_did_not_write_should_be_refused(text: str) -> None:
    with pytest.raises(MessageRefused):
        AttendanceMessage.read(text)
    with pytest.raises((MessageRefused, SealError)):
        WritebackMessage.read(text, SEALER)


def test_a_message_of_another_kind_version_or_key_should_be_refused() -> None:
    text = MESSAGE.text(SEALER)
    with pytest.raises(MessageRefused):
        opened("tend", text, SEALER)
    with pytest.raises(MessageRefused):
        WritebackMessage.read(sealed("writeback", {"context": "c"}, SEALER), SEALER)
    with pytest.raises(MessageRefused):
        WritebackMessage.read(text.replace('"v":1', '"v":2'), SEALER)
    with pytest.raises(SealError):
        WritebackMessage.read(text, Sealer([b"o" * 32], FakeClock()))
