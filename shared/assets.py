"""The static files of every page: one stylesheet and a few small script modules, named by content hash.

The hash in the address lets browsers keep a file for a year and still see a new release at once.
"""

import hashlib
import threading
from pathlib import Path

from shared.web import Response

FOLDER = Path(__file__).parent / "static"
ROUTE = "/config/static"

# Only what stands here is ever served: a name from a request never becomes a path.
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_YEAR = "public, max-age=31536000, immutable"


class Assets:
    """Reads the folder once per process."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._files: dict[str, tuple[bytes, str, str]] = {}
        self._lock = threading.Lock()

    def url(self, name: str) -> str:
        """The address of a file, with its hash; KeyError where there is none (a template's mistake)."""
        return f"{ROUTE}/{name}?v={self._read()[name][2]}"

    def response(self, name: str) -> Response | None:
        """The file itself, to be kept for a year, or None where there is no such file."""
        file = self._read().get(name)
        if file is None:
            return None
        return Response(200, file[0], file[1], {"Cache-Control": _YEAR})

    def _read(self) -> dict[str, tuple[bytes, str, str]]:
        with self._lock:
            if not self._files:
                for path in sorted(self._folder.iterdir()):
                    kind = _KINDS.get(path.suffix)
                    if kind is not None:
                        body = path.read_bytes()
                        self._files[path.name] = (body, kind, hashlib.sha256(body).hexdigest()[:12])
            return self._files
