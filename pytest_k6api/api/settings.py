"""Settings of the control API: address, token, limits.

Values and their validation; nothing here opens a socket.
"""

from dataclasses import dataclass, field

from pytest_k6api.model import K6ApiError

DEFAULT_ADDRESS = "localhost:6565"
"""k6's."""


class ApiError(K6ApiError):
    """The control API cannot be set up as asked, or it broke down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLimits:
    """Limits of the control API; all times in seconds.

    Attributes:
        connections: Connections at a time. For one more, the longest idle is closed; if
            none is idle, the new one is answered 503.
        header_bytes: Size of a request's line and headers together.
        body_bytes: Size of a request's body.
        idle_time: Time for a request's headers to arrive,
            counted from its opening or from its last reply.
        body_time: Time for a request's body to arrive.
        send_time: Time in which a client must read its reply.
        grace: Time for replies under way when the API stops.
    """

    connections: int = 512
    header_bytes: int = 16 * 1024
    body_bytes: int = 4 * 1024 * 1024
    idle_time: float = 10.0
    body_time: float = 20.0
    send_time: float = 5.0
    grace: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Address, token and limits of the control API.

    Attributes:
        address: ``host:port``; port 0 takes any free one; ``""`` switches the API off.
        explicit: Whether a user gave the address. A busy port is then an error; the
            default port just moves to the next free one.
        token: The bearer token that every request must show; None asks for none.
        limits: Limits of connections, sizes and times.

    Raises:
        ApiError: The token cannot be sent in a header.
    """

    address: str = DEFAULT_ADDRESS
    explicit: bool = False
    token: str | None = field(default=None, repr=False)
    limits: ApiLimits = field(default_factory=ApiLimits)

    def __post_init__(self) -> None:
        token = self.token
        if token is None:
            return
        if not token or not all("!" <= character <= "~" for character in token):
            # The token itself stays out of the message: it would end up in logs.
            raise ApiError(
                "the token of the control API must be one or more printable ASCII characters"
                " without spaces"
            )
