"""Puts the fields of our log lines where the alerts and the workbook can read them.

The Functions worker hands a line's text to the host and drops what stands beside it in ``extra``. So the
fields are written at the end of the text as JSON, where the queries in ``infra/queries`` look for them. They
hold ids and codes of our own; what may never be logged must not be put into ``extra`` in the first place.
"""

import json
import logging

_OURS = "antesala"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FieldsInText(logging.Filter):
    """Appends the fields of a line of ours to its text, once; lines of others pass as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: nothing is held back."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.name.partition(".")[0] == _OURS and fields:
            told = json.dumps(fields, default=str, separators=(",", ":"))
            text = record.getMessage()
            if not text.endswith(told):
                # Without arguments the text is taken as it is, per cent signs included.
                record.msg, record.args = f"{text} {told}", None
        return True


def show_fields(root: logging.Logger) -> None:
    """Has every handler of the root logger show them; handlers that have it already are left alone."""
    for handler in root.handlers:
        if not any(isinstance(one, FieldsInText) for one in handler.filters):
            handler.addFilter(FieldsInText())
