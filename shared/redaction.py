"""Takes out of a text what no log may hold, whoever wrote it there. The last line of defence, never the only.

Our own lines hold ids and codes by design (``shared.events``). But a library may log an address, and an
exception's text may hold what it choked on. Rules are a table: what is found, and what is left in its place.
"""

import logging
import re
import traceback
from typing import NamedTuple


class Rule(NamedTuple):
    """What is found and what is left in its place.

    ``needs``: whatever the pattern finds holds one of these, in lower case; looking for them first is cheap.
    Empty where there is no such mark.
    """

    name: str
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    left: str


# Names whose values are keys, answers or people, in a query, a form, JSON, a header or a Python repr.
_SECRET_NAMES = (
    r"code|launch|state|c|ticket|handle|nonce|sid|sig|"
    r"code_verifier|code_challenge|client_assertion|client_secret|client_info|assertion|"
    r"access_token|refresh_token|id_token|token|validationToken|validationTokens|clientState|"
    r"password|login_hint|username|preferred_username|upn|email|displayName|given_name|family_name|name"
)
_HEADERS = r"authorization|proxy-authorization|cookie|set-cookie|x-ms-client-principal|x-functions-key"

RULES: tuple[Rule, ...] = (
    Rule(
        "header",
        ("authorization", "cookie", "x-ms-client-principal", "x-functions-key"),
        re.compile(
            rf"(?i)(['\"]?\b(?:{_HEADERS})['\"]?\s*[:=]\s*)"
            r"(?:\[removed\]|b?'[^']*'|b?\"[^\"]*\"|[^\r\n]*)"
        ),
        r"\1[removed]",
    ),
    Rule(
        "bearer", ("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [removed]"
    ),
    Rule("jwt", ("eyj",), re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*){0,3}"), "[token]"),
    Rule("query", ("://",), re.compile(r"(https?://[^\s?#'\"<>]*)[?#][^\s'\"<>]*"), r"\1?[removed]"),
    Rule(
        "join link",
        ("/l/meetup-join/", "/meet/"),
        re.compile(r"(?i)(/l/meetup-join/|/meet/)[^\s'\"<>]+"),
        r"\1[removed]",
    ),
    Rule(
        "parameter",
        ("=",),
        re.compile(rf"(?i)(?<![\w-])({_SECRET_NAMES})=(?:\[removed\]|[^&\s'\",;)}}\]]+)"),
        r"\1=[removed]",
    ),
    Rule(
        "member",
        ("'", '"'),
        re.compile(
            rf"(?i)(['\"](?:{_SECRET_NAMES})['\"]\s*:\s*)"
            r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\[[^\]]*\])"
        ),
        r"\1[removed]",
    ),
    Rule(
        "row",
        ("partitionkey", "rowkey"),
        re.compile(r"(?i)(PartitionKey|RowKey)(\s*(?:=|%3D|eq|ge|lt)\s*)(?:'[^']*'|%27.*?%27)"),
        r"\1\2[removed]",
    ),
    Rule(
        "resource",
        ("patient", "person", "practitioner", "appointment", "encounter"),
        re.compile(r"\b(Patient|RelatedPerson|Person|Practitioner|Appointment|Encounter)(/|%2F)[\w.-]+"),
        r"\1\2[removed]",
    ),
    Rule("email", ("@", "%40"), re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), "[address]"),
    Rule("phone", ("+",), re.compile(r"(?i)(?:tel:)?\+\d[\d ().-]{6,18}\d"), "[number]"),
    Rule(
        "phone of America", (), re.compile(r"(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])"), "[number]"
    ),
    Rule("sealed or key", (), re.compile(r"(?<![\w-])[\w-]{80,}={0,2}"), "[sealed]"),
    Rule(
        "PEM",
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|\Z)"),
        "[key]",
    ),
)

# At levels INFO and DEBUG these write addresses, headers or bodies.
TALKATIVE = ("azure", "urllib3", "msal", "requests", "opentelemetry")


def redacted(text: str) -> str:
    """The text without what the rules find."""
    # Beyond ASCII a letter may match one that its lower case is not: there every rule looks.
    marks = text.lower() if text.isascii() else None
    for rule in RULES:
        if marks is None or not rule.needs or any(mark in marks for mark in rule.needs):
            text = rule.pattern.sub(rule.left, text)
    return text


class Redacting(logging.Filter):
    """Redacts a record where it is captured: text, arguments, traceback, and what stands beside the text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: nothing is held back but what may not be told."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit: the handler would print them as they are.
            text = str(record.msg)
        # Without arguments the text is taken as it is, per cent signs included.
        record.msg, record.args = redacted(text), None
        _redact_failure(record)
        for name, value in vars(record).items():
            if isinstance(value, str) and name not in _PLAIN:
                setattr(record, name, redacted(value))
        return True


_PLAIN = frozenset(vars(logging.makeLogRecord({}))) - {"exc_text", "stack_info"}


def _redact_failure(record: logging.LogRecord) -> None:
    """A traceback goes on as its redacted text alone: whoever formats it anew would find the exception."""
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
    record.exc_info = None
    if record.exc_text:
        record.exc_text = redacted(record.exc_text)


def guard(root: logging.Logger) -> None:
    """Has every handler of this logger redact, before any other filter of it; and silences the talkative."""
    for handler in root.handlers:
        if not any(isinstance(one, Redacting) for one in handler.filters):
            handler.filters.insert(0, Redacting())
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
