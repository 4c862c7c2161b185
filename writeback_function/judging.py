"""What an operation is by all that is known now: withdrawn, overtaken, sayable, and in which words."""

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
from writeback_function.fold import Handing


class Judge:
    """Judges inside the operation's lane."""

    def __init__(self, sealer: Sealer, handing: Handing, debounce: float) -> None:
        """``debounce`` in seconds, as ``handing`` has it."""
        self._sealer = sealer
        self._handing = handing
        self._debounce = round(debounce * 1_000_000)

    def begun(self, case: Case, message: WritebackMessage) -> Case:
        """The case in which the operation may reach the EHR, unless newer facts have withdrawn it.

        What its fold had no time to mark is marked here first. Mostly there is no such thing, and the row is
        as it was read: then one write does it.
        """
        operation = message.operation
        if self._at_rest(case):
            begun = case.ledger.begin(operation)
            if begun is None or begun == case.ledger:
                return case
            if (saved := self._saved(case, begun)) is not None:
                return saved
        case = self._handing.hand_on(case, message.context)
        return case.changed(lambda ledger: ledger.begin(operation) or ledger)

    def _at_rest(self, case: Case) -> bool:
        ledger, view = case.ledger, case.picture(self._sealer)
        return ledger.standing(view, self._debounce) == ledger and not ledger.due(view, self._debounce)

    def _saved(self, case: Case, ledger: Ledger) -> Case | None:
        """The case with this ledger; None where somebody else has changed the row."""
        try:
            visit = case.store.visits.save(replace(case.visit, roster=ledger.document()))
        except ChangedMeanwhile:
            return None
        return replace(case, visit=visit)

    def newer(self, case: Case, operation: Operation) -> Operation | None:
        """The newest state of this subject that the EHR was told; None where none is newer than this one.

        A newer one that is only on its way is no reason to keep a connect from the record.
        """
        operations, connection = case.store.operations, case.visit.connection
        later = [one for one in case.ledger.begun if superseded([one], operation)]
        for one in sorted(later, key=lambda one: one.at, reverse=True):
            if operations.outcome(connection, one.id(*case.name)) == "told":
                return one
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
        """The operation as the EHR is told it."""
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
