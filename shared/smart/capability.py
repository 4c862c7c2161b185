"""Endpoints of a server without smart-configuration: the capability statement's ``oauth-uris`` extension.

Old Epic versions and DSTU2 bases have nothing else, and some answer in XML whatever is asked for (reference
ehr.md 1.2, 2.1). XML is read as a stream by the standard library's expat, and a document that declares a
DOCTYPE is refused at that declaration: without one there is no entity to expand and nothing to fetch. The
encoding is UTF-8 as FHIR demands, whatever the document claims.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from shared.errors import AnswerRefused, StatusRefused
from shared.outbound import Answer

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
# R4, then DSTU2's own name for it.
ACCEPT = "application/fhir+json, application/json+fhir, application/json;q=0.9"
# Epic's capability statement is over a megabyte.
MOST_BYTES = 8_000_000

_FHIR = "http://hl7.org/fhir"
_ROOTS = frozenset({"CapabilityStatement", "Conformance"})
# Parts of the extension, under the names of smart-configuration.
_PARTS: Mapping[str, str] = {"authorize": "authorization_endpoint", "token": "token_endpoint"}
_LIST_LIMIT = 500
# Expat reads with the interpreter held, an element at a time, and an element with all its attributes. What is
# beyond these is no statement of any server known, but work for us.
_XML_MOST_BYTES = 4_000_000
_DEPTH_LIMIT = 60
_ELEMENTS_LIMIT = 200_000
_ATTRIBUTES_LIMIT = 50
_TAG_LIMIT = 262_144
_CHUNK = 65_536
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def oauth_uris(answer: Answer) -> Mapping[str, Any]:
    """What the statement says, as members of smart-configuration; of several endpoints the first counts."""
    if answer.status != 200:
        raise StatusRefused(answer.status, retry_after=answer.retry_after())
    body = answer.body.removeprefix(_BYTE_ORDER_MARK).lstrip()
    pairs = _in_xml(body) if body.startswith(b"<") else _in_json(answer.json())
    found: dict[str, Any] = {}
    for part, address in pairs:
        if part in _PARTS:
            found.setdefault(_PARTS[part], address)
    return found


def _in_json(statement: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(statement, dict):
        raise AnswerRefused("the capability statement is no JSON object")
    for rest in _objects(statement.get("rest")):
        security = rest.get("security")
        for extension in _objects(security.get("extension") if isinstance(security, dict) else None):
            if extension.get("url") == OAUTH_URIS:
                for part in _objects(extension.get("extension")):
                    yield str(part.get("url")), part.get("valueUri")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value[:_LIST_LIMIT] if isinstance(item, dict)] if isinstance(value, list) else []


def _in_xml(body: bytes) -> list[tuple[str, str]]:
    if b"\x00" in body:
        # No letter of XML, but every other byte of UTF-16, which expat would recognize by itself.
        raise AnswerRefused("the capability statement is not UTF-8")
    if len(body) > _XML_MOST_BYTES:
        raise AnswerRefused("the capability statement is too large for XML")
    reader = _Reader()
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for begin in range(0, len(body), _CHUNK):
            parser.Parse(body[begin : begin + _CHUNK], False)
            # A tag that does not end is kept until it does: it must not grow to what the limits are for.
            if begin - parser.CurrentByteIndex > _TAG_LIMIT:
                raise AnswerRefused("the capability statement has too long a tag")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise AnswerRefused("the capability statement is no XML") from error
    return reader.found


def _refuse_doctype(*_: object) -> None:
    raise AnswerRefused("the capability statement declares a DOCTYPE")


class _Reader:
    """Follows one way down: statement, rest, security, the extension, its part, the part's address."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._way: list[str] = []
        self._elements = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins; names are ``namespace name``."""
        self._elements += 1
        if self._elements > _ELEMENTS_LIMIT or len(attributes) > _ATTRIBUTES_LIMIT:
            raise AnswerRefused("the capability statement is too large for XML")
        namespace, _, name = tag.rpartition(" ")
        if len(self._way) >= _DEPTH_LIMIT or (not self._way and (namespace != _FHIR or name not in _ROOTS)):
            raise AnswerRefused("the capability statement is none")
        step = attributes.get("url", "") if name == "extension" else name
        self._way.append(step if namespace == _FHIR else "")
        if len(self._way) == 6 and self._way[1:4] == ["rest", "security", OAUTH_URIS] and name == "valueUri":
            self.found.append((self._way[4], attributes.get("value", "")))

    def end(self, _: str) -> None:
        """An element ends."""
        self._way.pop()
