"""Records as JSON files, one a record, so that writing one does not cost more when there are many."""

import json
import os
from pathlib import Path
from typing import Any


class Shelf:
    """A folder of JSON records by key; without a folder, nothing is kept and nothing is found."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Keep `record`, whole or not at all. Keys are ids of ours: no separators."""
        if self._folder is not None:
            write_aside(self._folder / f"{key}.json", json.dumps(record, indent=1))

    def remove(self, key: str) -> None:
        """Forget the record, if there is one."""
        if self._folder is not None:
            (self._folder / f"{key}.json").unlink(missing_ok=True)

    def all(self) -> list[dict[str, Any]]:
        """Every record kept, in the order of the keys."""
        if self._folder is None:
            return []
        return [json.loads(path.read_text()) for path in sorted(self._folder.glob("*.json"))]


def write_aside(path: Path, text: str) -> None:
    """Write a file so that a reader, or a process cut short, never sees half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    aside.replace(path)
