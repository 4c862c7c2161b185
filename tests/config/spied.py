"""A room or table of the store that notes what is asked of it."""

from typing import Any


class Spied:
    """Hands everything on to ``inner``; adds the name of what was asked to ``asked``."""

    def __init__(self, inner: Any, asked: list[str], prefix: str = "") -> None:
        self._inner, self._asked, self._prefix = inner, asked, prefix

    def __getattr__(self, name: str) -> Any:
        self._asked.append(self._prefix + name)
        return getattr(self._inner, name)
