"""A handler that keeps what it is given."""

import logging


class Captured(logging.Handler):
    """The records, and each as the line that a host would write."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def events(self, *names: str) -> list[dict[str, object]]:
        """The fields of our own lines, of these events or of all."""
        found = [vars(one) for one in self.records if one.name.startswith("antesala.")]
        return [one for one in found if not names or one["event"] in names]
