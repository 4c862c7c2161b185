"""What a route of the portal is. What answers it (``config_function.handlers``) is imported when it is asked.

A launch on a cold instance waits for whatever this module imports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config_function.handlers import Handlers

GET = ("GET",)
POST = ("POST",)
PUT = ("PUT",)
BOTH = ("GET", "POST")
READ = ("GET", "HEAD")


@dataclass(frozen=True)
class Route[Handler]:
    """``name``: the function's, in logs and in the host. ``template``: as the Functions host reads it."""

    name: str
    template: str
    methods: tuple[str, ...]
    handler: "Callable[[Handlers], Handler]"
