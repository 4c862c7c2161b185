from shared.visit.attribution import PATIENT, VISIT, attribute, clinician, clinician_user, patient_user
from shared.visit.roster import PARTICIPANTS
from tests.visit.stage import NURSE, doctor, guest, patient, roster_of, staff

DOCTOR = clinician("EMP-88101")


def subjects(*args: object, group: bool = False) -> dict[str, set[str]]:
    roster, launches = args
    found = attribute(roster, launches, group=group).subjects  # type: ignore[arg-type]
    return {name: {one.id for one in people} for name, people in found.items()}


def test_one_clinician_and_one_patient_should_be_told_apart() -> None:
    roster = roster_of(staff("d", "in", 0), guest("p", "waiting", 5))
    assert subjects(roster, [doctor(), patient()]) == {DOCTOR: {"d"}, PATIENT: {"p"}}


def test_a_home_user_who_launched_nothing_should_be_nobody() -> None:
    roster = roster_of(staff("n", "in", 0, NURSE))
    assert subjects(roster, [doctor(), patient()]) == {}


def test_a_consult_without_a_patient_should_name_no_patient() -> None:
    roster = roster_of(staff("d", "in", 0), guest("colleague", "in", 5))
    assert subjects(roster, [doctor()]) == {DOCTOR: {"d"}, VISIT: {"colleague"}}


def test_an_interpreter_should_make_the_patient_unattributed() -> None:
    roster = roster_of(guest("p", "in", 5), guest("interpreter", "in", 9))
    assert subjects(roster, [patient()]) == {VISIT: {"p", "interpreter"}}


def test_a_parent_who_launched_beside_the_child_should_leave_both_unattributed() -> None:
    roster = roster_of(guest("p", "in", 5))
    assert subjects(roster, [patient(), patient("WPR-5519904")]) == {VISIT: {"p"}}


def test_a_patient_who_launched_twice_should_be_one_person() -> None:
    roster = roster_of(guest("p", "in", 5))
    assert subjects(roster, [patient(), patient(when=-10)]) == {PATIENT: {"p"}}


def test_a_group_should_name_no_patient_but_its_clinician() -> None:
    roster = roster_of(staff("d", "in", 0), guest("p", "in", 5))
    assert subjects(roster, [doctor(), patient()], group=True) == {DOCTOR: {"d"}, VISIT: {"p"}}


def test_somebody_who_was_there_before_the_patient_launched_should_not_be_the_patient() -> None:
    roster = roster_of(guest("forwarded link", "waiting", -300))
    assert subjects(roster, [patient()]) == {VISIT: {"forwarded link"}}


def test_an_employee_who_is_the_patient_should_not_lend_their_name_to_an_interpreter() -> None:
    employee = staff("employee", "in", -20, NURSE)
    assert subjects(roster_of(employee), [patient()]) == {}
    roster = roster_of(employee, guest("interpreter", "in", 60))
    assert subjects(roster, [patient()]) == {VISIT: {"interpreter"}}


def test_a_nurse_who_comes_later_should_not_hide_the_patient() -> None:
    roster = roster_of(guest("p", "in", 5), staff("n", "in", 60, NURSE))
    assert subjects(roster, [patient()]) == {PATIENT: {"p"}}


def test_a_rejoin_should_be_the_same_person_only_where_graph_says_so() -> None:
    first = guest("p1", "out", 20, "guest-1")
    assert subjects(roster_of(first, guest("p2", "in", 30, "guest-1")), [patient()]) == {
        PATIENT: {"p1", "p2"}
    }
    assert subjects(roster_of(first, guest("p2", "in", 30, "guest-2")), [patient()]) == {VISIT: {"p1", "p2"}}
    assert subjects(roster_of(first, guest("p2", "in", 30)), [patient()]) == {VISIT: {"p1", "p2"}}


def test_a_group_of_three_should_be_told_as_one_visit_whoever_launched() -> None:
    roster = roster_of(guest("a", "in", 1), guest("b", "in", 2), guest("c", "waiting", 3))
    three = [patient(), patient("WPR-2"), patient("WPR-3")]
    for launches in ([], [patient()], three):
        assert subjects(roster, launches, group=True) == {VISIT: {"a", "b", "c"}}
    assert subjects(roster, three) == {VISIT: {"a", "b", "c"}}


def test_an_interpreter_who_comes_and_goes_before_the_patient_should_leave_the_patient_unattributed() -> None:
    """And were never the patient themselves where they came before the launch."""
    interpreter = guest("interpreter", "in", -200)
    assert subjects(roster_of(interpreter), [patient()]) == {VISIT: {"interpreter"}}
    left = [interpreter, guest("interpreter", "out", -100)]
    assert subjects(roster_of(*left, guest("p", "in", 5)), [patient()]) == {VISIT: {"interpreter", "p"}}


def test_an_interpreter_who_comes_after_the_patient_left_should_not_be_the_patient() -> None:
    """Nor is somebody who may be the patient, back as a new guest: nothing known tells the two apart."""
    roster = roster_of(guest("p", "in", 5), guest("p", "out", 20), guest("next", "in", 30))
    assert subjects(roster, [patient()]) == {VISIT: {"p", "next"}}
    assert subjects(roster, [patient(), patient(when=25)]) == {VISIT: {"p", "next"}}


def test_a_parent_beside_the_child_at_one_device_should_be_neither_of_them() -> None:
    """Two launched, one device joined: it cannot be said whose presence that is."""
    roster = roster_of(staff("d", "in", 0), guest("tablet", "in", 5))
    family = [doctor(), patient(), patient("WPR-5519904", when=-20)]
    assert subjects(roster, family) == {DOCTOR: {"d"}, VISIT: {"tablet"}}
    assert patient_user(family) == ""


def test_an_employee_who_is_the_patient_should_be_neither_clinician_nor_patient() -> None:
    """Signed in as staff they look like staff: nobody is told, rather than the wrong one."""
    roster = roster_of(staff("d", "in", 0), staff("employee", "in", 5, NURSE))
    assert subjects(roster, [doctor(), patient()]) == {DOCTOR: {"d"}}


def test_two_clinicians_should_be_two_and_their_devices_their_own() -> None:
    roster = roster_of(
        staff("d1", "in", 0), staff("d2", "in", 1), staff("n", "in", 2, NURSE), guest("p", "in", 5)
    )
    both = [doctor(), doctor("EMP-2", NURSE), patient()]
    assert subjects(roster, both) == {DOCTOR: {"d1", "d2"}, clinician("EMP-2"): {"n"}, PATIENT: {"p"}}


def test_a_patient_on_two_devices_should_be_one_only_where_graph_says_so() -> None:
    known = roster_of(guest("phone", "in", 5, "8:acs:1"), guest("laptop", "in", 9, "8:acs:1"))
    assert subjects(known, [patient(), patient()]) == {PATIENT: {"phone", "laptop"}}
    unknown = roster_of(guest("phone", "in", 5), guest("laptop", "in", 9))
    assert subjects(unknown, [patient(), patient()]) == {VISIT: {"phone", "laptop"}}


def test_a_colleague_of_another_organization_should_not_be_the_patient_of_a_consult() -> None:
    roster = roster_of(staff("d", "in", 0), guest("colleague", "in", 5, "oid-elsewhere"))
    assert subjects(roster, [doctor(), doctor("EMP-2", "oid-elsewhere")]) == {
        DOCTOR: {"d"},
        VISIT: {"colleague"},
    }


def test_two_devices_of_a_clinician_should_be_one_clinician() -> None:
    roster = roster_of(staff("laptop", "in", 0), staff("phone", "in", 5))
    assert subjects(roster, [doctor()]) == {DOCTOR: {"laptop", "phone"}}


def test_a_provider_without_a_linked_account_should_not_be_found_in_the_call() -> None:
    assert subjects(roster_of(staff("d", "in", 0, "")), [doctor(oid="")]) == {}


def test_a_crowd_should_name_no_patient() -> None:
    crowd = [staff(str(number), "in", 60, NURSE) for number in range(PARTICIPANTS)]
    roster = roster_of(guest("p", "in", 5), *crowd)
    assert subjects(roster, [patient()]) == {VISIT: {"p"}}


def test_subjects_should_name_their_user_only_where_there_is_one() -> None:
    assert clinician_user(clinician("EMP:1")) == "EMP:1"
    assert clinician_user(PATIENT) == clinician_user(VISIT) == ""
    assert patient_user([patient(), doctor()]) == "WPR-5519902"
    assert patient_user([patient("a"), patient("b")]) == patient_user([doctor()]) == ""
