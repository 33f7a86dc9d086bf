"""What header blocks say of a call: its end, and the metadata before the response."""

from collections.abc import Iterable

from pytest_k6api.protocols.grpc.samples import Outcome
from pytest_k6api.protocols.grpc.status import StatusCode, code_of_http, code_of_text
from pytest_k6api.protocols.grpc.wire import Metadata, read_details, read_metadata
from pytest_k6api.protocols.http.multiplexed import HeaderBlock

_OK_STATUS = 200


class Endings:
    """Reads the ends of one server's calls; most end as the one before."""

    __slots__ = ("_head", "_metadata", "_outcome", "_trailers")

    def __init__(self) -> None:
        self._head: HeaderBlock | None = None
        self._trailers: HeaderBlock | None = None
        self._outcome = Outcome(StatusCode.UNKNOWN)
        self._metadata: Metadata | None = None

    def read(self, head: HeaderBlock, trailers: HeaderBlock) -> Outcome:
        """Return the status that the server sent.

        Args:
            head: The fields before the response.
            trailers: Those behind it; `head` if there is nothing else.
        """
        if head is not self._head or trailers is not self._trailers:
            self._outcome = _read(head, trailers)
            self._head, self._trailers, self._metadata = head, trailers, None
        return self._outcome

    def metadata(self, head: HeaderBlock, trailers: HeaderBlock) -> Metadata:
        """Return the metadata before the response; the arguments are those of `read`."""
        if head is not self._head or trailers is not self._trailers:
            return head_metadata(head, trailers)
        if self._metadata is None:
            self._metadata = head_metadata(head, trailers)
        return self._metadata


def _read(head: HeaderBlock, trailers: HeaderBlock) -> Outcome:
    status = field(trailers.fields, b"grpc-status")
    if status is not None:
        details = read_details(field(trailers.fields, b"grpc-message") or b"")
        return Outcome(code_of_text(status), details, trailers=read_metadata(trailers.fields))
    if head.status != _OK_STATUS:
        details = f"the server answered with the HTTP status {head.status}"
        return Outcome(code_of_http(head.status), details)
    if not (field(head.fields, b"content-type") or b"").startswith(b"application/grpc"):
        return Outcome(StatusCode.UNKNOWN, "the server's answer is not of gRPC")
    return Outcome(StatusCode.INTERNAL, "the server's answer has no grpc-status")


def read_encoding(head: HeaderBlock) -> str:
    """Return what messages behind `head` are compressed with."""
    return (field(head.fields, b"grpc-encoding") or b"identity").decode("latin-1")


def head_metadata(head: HeaderBlock | None, trailers: HeaderBlock | None) -> Metadata:
    """Return the metadata before the response; none where the head is the end as well."""
    return () if head is None or head is trailers else read_metadata(head.fields)


def field(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the value of the first field `name`; None if there is none."""
    for key, value in fields:
        if key == name:
            return value
    return None
