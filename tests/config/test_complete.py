"""What must be decided before an approver is asked."""

from dataclasses import replace

import pytest

from config_function.revisions import need_complete
from shared.connection import Client, Revision
from shared.errors import FieldRefusal

BASE = "https://ehr.sierra.example/fhir"
COMPLETE = Revision(
    connection="aaaaaaaaaaaaaaaa",
    number=1,
    state="draft",
    name="Test",
    approver="11111111-aaaa-4aaa-8aaa-000000000002",
    provider=Client("provider-1"),
    patient=Client("patient-1"),
    organizers=("11111111-aaaa-4aaa-8aaa-000000000005",),
)


def test_a_complete_revision_should_pass() -> None:
    assert need_complete(COMPLETE, BASE) is None  # type: ignore[func-returns-value]


def test_one_client_for_both_doors_should_be_refused() -> None:
    with pytest.raises(FieldRefusal) as refused:
        need_complete(replace(COMPLETE, patient=Client("provider-1")), BASE)
    assert set(refused.value.fields) == {"patient_client_id"}
