"""What is to become of an operation that came from the queue, by all that is known now."""

from dataclasses import replace
from typing import Literal

from shared.ehr.port import Telling
from shared.messages import WritebackMessage
from shared.sealing import Sealer
from shared.store import ChangedMeanwhile
from shared.visit.attribution import PATIENT, clinician_user, patient_user
from shared.visit.intervals import moment
from shared.visit.ledger import Ledger
from shared.visit.operations import Operation, superseded
from writeback_function.case import Case, launches_of
from writeback_function.outbox import Outbox


class Judging:
    """Whether an operation may still reach the EHR, and what it says then."""

    def __init__(self, sealer: Sealer, outbox: Outbox) -> None:
        self._sealer = sealer
        self._outbox = outbox

    def begun(self, case: Case, message: WritebackMessage) -> Case:
        """The case in which the operation may reach the EHR, unless newer facts have withdrawn it.

        What its fold had no time to mark is marked here first. Mostly there is no such thing, and the row is
        as it was read: then one write does it.
        """
        operation = message.operation
        if self._outbox.at_rest(case):
            begun = case.ledger.begin(operation)
            if begun is None or begun == case.ledger:
                return case
            if (saved := _saved(case, begun)) is not None:
                return saved
        case = self._outbox.hand_on(case, message.context)
        return case.changed(lambda ledger: ledger.begin(operation) or ledger)

    def newer(self, case: Case, operation: Operation) -> Operation | None:
        """The newest state of this subject that the EHR was told; None where none is newer than this one.

        A newer one that is only on its way is no reason to keep a connect from the record.
        """
        operations, connection = case.store.operations, case.visit.connection
        later = [one for one in case.ledger.begun if superseded([one], operation)]
        for one in sorted(later, key=lambda one: one.at, reverse=True):
            if operations.outcome(connection, one.id(*case.name)) == "told":
                return case.ledger.listed(one)
        return None

    def unsayable(self, case: Case, operation: Operation) -> bool:
        """Whether nobody is taken for the patient any more who was, when this connect was handed on.

        The visit's own connect says what can be said; a disconnect is told all the same, as the patient's:
        otherwise the EHR might show them as connected for ever.
        """
        if operation.subject != PATIENT or operation.status != "connected":
            return False
        return PATIENT not in case.picture(self._sealer).subjects

    def telling(self, case: Case, operation: Operation) -> Telling:
        """What the adapter is given; who it is about as it is known now, all else as it was handed on."""
        user = clinician_user(operation.subject)
        role: Literal["provider", "patient", "unattributed"] = "provider" if user else "unattributed"
        if operation.subject == PATIENT:
            role, user = "patient", patient_user(launches_of(case.visit, self._sealer))
        return Telling(
            operation=operation.id(*case.name),
            status=operation.status,
            at=moment(operation.at),
            began=moment(operation.began) if operation.began else None,
            role=role,
            user=user,
            reconstructed=operation.reconstructed,
            context=case.context,
        )


def _saved(case: Case, ledger: Ledger) -> Case | None:
    """The case with this ledger; None where somebody else has changed the row."""
    try:
        visit = case.store.visits.save(replace(case.visit, roster=ledger.document()))
    except ChangedMeanwhile:
        return None
    return replace(case, visit=visit)
