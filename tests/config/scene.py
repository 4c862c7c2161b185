"""A house with one connection in service and one that waits for its approver."""

from dataclasses import dataclass
from typing import Any

from tests.config.house import Browser, House


@dataclass
class Scene:
    """The house and the ids of its two connections."""

    house: House
    serving: str
    waiting: str

    def rows(self) -> list[Any]:
        """Everything that is stored of the house."""
        return [
            (connection.document(), revision.document())
            for connection in self.house.connections()
            for revision in self.house.stores.of(connection.id).connections.revisions(connection.id)
        ]

    def version(self, browser: Browser) -> str:
        version: str = browser.call("GET", f"/config/api/connections/{self.waiting}").json()["version"]
        return version
