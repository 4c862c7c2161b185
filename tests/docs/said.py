"""What the portal can say, as the catalogs are made from it."""

import re
from functools import cache

from scripts.translations import template


@cache
def sayings() -> frozenset[str]:
    """Every sentence and label in English, both forms of those that count."""
    said = ([one.id] if isinstance(one.id, str) else one.id for one in template())
    return frozenset(form for forms in said for form in forms if form)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    with_values = [one for one in sayings() if "%(" in one]
    return tuple(
        re.compile(re.sub(r"%\\\(\w+\\\)[sd]", ".+", re.escape(one)).replace("%%", "%"))
        for one in with_values
    )


def is_said(words: str) -> bool:
    """Whether the portal says exactly this, with any value where it puts one in."""
    return words in sayings() or any(pattern.fullmatch(words) for pattern in _patterns())
