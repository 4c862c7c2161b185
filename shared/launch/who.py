"""Who launches: the EHR user ID, from the one place that the approved revision names."""

from shared.connection import Side
from shared.errors import Refusal
from shared.launch.parameters import user_id
from shared.launch.passage import Finished


def ehr_user(finished: Finished, side: Side) -> str:
    """The EHR user ID: a member of the token response, or the id_token's fhirUser, relative.

    Refusal ehr-user-missing where there is none; a value from an address is never looked at.
    """
    key = finished.revision.user_key(side)
    if key:
        return user_id(finished.token.member(key))
    if finished.identity is None:
        raise Refusal("identity-missing")
    return user_id(finished.identity.reference)
