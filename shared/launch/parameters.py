"""Limits and letters of everything that reaches a launch from outside: checked before it is used."""

import re

from shared.errors import Refusal

ISS_LIMIT = 2048
LAUNCH_LIMIT = 10_000
CODE_LIMIT = 8192
# State values are our own: 32 random bytes as base64url.
STATE = re.compile(r"[A-Za-z0-9_-]{43}")
# An id that names a visit or a user: what EHRs are seen to use, and nothing that a token left unresolved, a
# path, a script or a log line could be made of.
VISIT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|^~-]{0,127}")
USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|^~@\\/-]{0,127}")
_OAUTH_ERROR = re.compile(r"[A-Za-z0-9_.-]{1,60}")


def opaque(value: str, name: str, limit: int) -> str:
    """A value that only its maker understands: printable ASCII, unchanged; Refusal parameter-invalid."""
    if len(value) > limit or any(not " " <= letter <= "~" for letter in value):
        raise Refusal("parameter-invalid", name)
    return value


def visit_id(value: str) -> str:
    """The id of a visit; Refusal visit-missing for none, visit-invalid for an unresolved token."""
    if not value.strip():
        raise Refusal("visit-missing")
    if not VISIT_ID.fullmatch(value):
        raise Refusal("visit-invalid", "percent sign" if "%" in value else "characters or length")
    return value


def user_id(value: str) -> str:
    """The EHR user ID; Refusal ehr-user-missing for none or an unresolved one."""
    if not USER_ID.fullmatch(value):
        raise Refusal(
            "ehr-user-missing", "percent sign" if "%" in value else "absent, or characters or length"
        )
    return value


def error_code(value: str) -> str:
    """An OAuth error code for the log; whatever else it holds is not repeated."""
    return value if _OAUTH_ERROR.fullmatch(value) else "unreadable"
