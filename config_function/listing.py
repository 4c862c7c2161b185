"""The list of connections as people think of them: each EHR with its test and its production side by side."""

from collections.abc import Iterable
from dataclasses import dataclass

from config_function.access import View


@dataclass(frozen=True)
class Pair:
    """The connections that began as copies of one another, by environment."""

    test: tuple[View, ...] = ()
    production: tuple[View, ...] = ()

    @property
    def origin(self) -> View | None:
        """What a production connection would be copied from; None where there is one already."""
        return self.test[0] if self.test and not self.production else None


def pairs(views: Iterable[View]) -> list[Pair]:
    """Every connection in one pair, in the order in which the views come."""
    listed = list(views)
    by_id = {view.connection.id: view for view in listed}
    groups: dict[str, list[View]] = {}
    for view in listed:
        groups.setdefault(_root(view, by_id), []).append(view)
    return [
        Pair(
            tuple(view for view in group if view.connection.environment == "test"),
            tuple(view for view in group if view.connection.environment == "production"),
        )
        for group in groups.values()
    ]


def _root(view: View, by_id: dict[str, View]) -> str:
    """The connection where the copies began, as far as the reader may see it."""
    seen: set[str] = set()
    while view.connection.copied_from in by_id and view.connection.id not in seen:
        seen.add(view.connection.id)
        view = by_id[view.connection.copied_from]
    return view.connection.id
