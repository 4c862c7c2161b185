"""What a granted scope allows (SMART App Launch 2.2 section 3.0.1; v1: 1.0.0; RFC 6749 section 3.3).

Servers write scopes in v1 or v2, some as addresses (section 3.0.6); what is not a resource scope is passed
over.
"""

import re

_URI_PREFIX = "http://smarthealthit.org/fhir/scopes/"
# Level, resource type, permissions of v1 (a word) or v2 (letters in this order), search constraint.
_RESOURCE = re.compile(r"(?:patient|user|system)/(\*|[A-Za-z]{1,64})\.(read|write|\*|c?r?u?d?s?)(?:\?\S*)?")


def may_read(scope: str, resource: str) -> bool:
    """Whether one of the space-separated scopes covers reading a resource of this type by its id."""
    for word in scope.split():
        found = _RESOURCE.fullmatch(word.removeprefix(_URI_PREFIX))
        if found and found[1] in ("*", resource) and _reads(found[2]):
            return True
    return False


def _reads(permission: str) -> bool:
    return permission in ("read", "*") or (permission != "write" and "r" in permission)
