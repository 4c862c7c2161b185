"""A small JSON document on disk, or in memory where there is no folder."""

import json
import threading
from pathlib import Path
from typing import Any


class Document:
    """Loaded once, written whole and atomically on `save`; with no path it only lives in memory."""

    def __init__(self, path: Path | None) -> None:
        """Read what an earlier run left; a missing file is an empty document."""
        self._path = path
        self._lock = threading.Lock()
        self.loaded: dict[str, Any] = {}
        if path is not None and path.exists():
            self.loaded = json.loads(path.read_text(encoding="utf-8"))

    def save(self, content: dict[str, Any]) -> None:
        """Replace the file, so that a stop in the middle leaves the former one."""
        if self._path is None:
            return
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(content, indent=1), encoding="utf-8")
            fresh.replace(self._path)
