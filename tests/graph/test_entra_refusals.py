"""What Entra's refusal of a sign-in means for the person who tried."""

from typing import Any

import pytest

from shared.entra.client import refused_sign_in


@pytest.mark.parametrize(
    ("result", "code", "detail"),
    [
        ({"error": "invalid_grant", "error_codes": [50057]}, "account-unusable", "invalid_grant AADSTS50057"),
        ({"error": "invalid_grant", "error_codes": [70008]}, "sign-in-failed", "invalid_grant AADSTS70008"),
        ({"error": "access_denied"}, "sign-in-failed", "access_denied"),
        ({"error": "50057 <b>", "error_codes": ["50057"]}, "sign-in-failed", "error"),
        ({}, "sign-in-failed", "error"),
    ],
)
def test_a_disabled_account_is_told_from_a_sign_in_that_failed(
    result: dict[str, Any], code: str, detail: str
) -> None:
    refusal = refused_sign_in(result)
    assert (refusal.reason.code, refusal.detail) == (code, detail)
