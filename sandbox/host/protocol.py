"""The messages that the worker library exchanges with its host, as plain objects.

The library is written against protocol buffers but takes the message classes from its caller. It reads
fields, builds messages with keyword arguments and asks `WhichOneof`; that is all these classes do.
"""

from types import SimpleNamespace
from typing import Any


class Message:
    """A message whose unset fields read as None, as protocol buffers' optional fields do."""

    def __init__(self, **fields: Any) -> None:
        """Set the given fields."""
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        """An unset field is None; fields begin in lower case, and the library asks for what is no field."""
        if not name[0].islower():
            raise AttributeError(name)
        return None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 (protocol buffers' spelling)
        """Name of the field that is set; these messages never set two of a group."""
        return next((name for name, value in self.__dict__.items() if value is not None), None)


class BindingInfo(Message):
    """A binding's description; the numbers are those of ``FunctionRpc.proto``."""

    in_, out, inout = 0, 1, 2
    undefined, string, binary, stream = 0, 1, 2, 3


class StatusResult(Message):
    """Whether a request to the worker succeeded."""

    Failure, Success = 0, 1


class RpcHttpCookie(Message):
    """A cookie on its way from the worker to the host."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class ParameterBinding(Message):
    """A named value passed to or from a function."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802
        """The value always travels as typed data: shared memory is never offered."""
        return "data"


_OWN = {one.__name__: one for one in (BindingInfo, StatusResult, RpcHttpCookie, ParameterBinding)}


class Protocol:
    """Stands where the generated ``FunctionRpc_pb2`` module stands in the real worker."""

    def __getattr__(self, name: str) -> type[Message]:
        """The class of message `name`."""
        if name.startswith("__"):
            raise AttributeError(name)
        return _OWN.get(name, Message)


def request(kind: str, body: Message) -> Any:
    """Wrap `body` as the worker expects a request of `kind` (``invocation_request``, ...)."""
    return SimpleNamespace(
        request=SimpleNamespace(**{kind: body}), properties={"host": "127.0.0.1", "protos": Protocol()}
    )
