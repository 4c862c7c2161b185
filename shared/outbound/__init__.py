"""Every call to an EHR or to Microsoft 365 leaves here, under one policy.

* https only, whatever the address book says.
* Connects by name and speaks TLS by name; the certificate is checked by name.
* Every address that the name resolves to is checked before the first packet, and the connection goes to one
  of the checked addresses: a name that resolves differently a moment later gains nothing. An address inside
  is refused unless the operator lists the host; link-local and metadata addresses are refused always.
* The environment is ignored: no proxy, no ``.netrc``, no certificate bundle from there. A proxy is a setting.
* No redirect is followed: a 3xx is an answer like any other. No cookie is kept.
* The time limit is for the whole call, from looking up the name to the last byte of the body.
* The body is cut off at a number of decoded bytes, so that a small compressed one cannot fill the memory.
* One more attempt only where asked for, only for what may be repeated, only after no answer or 502, 503, 504.
* What is raised names the service, the host and the kind of failure, never a path, query, header or body.
"""

from shared.outbound.answer import Answer
from shared.outbound.call import Outbound
from shared.outbound.session import Session

__all__ = ["Answer", "Outbound", "Session"]
