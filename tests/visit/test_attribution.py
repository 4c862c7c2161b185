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
