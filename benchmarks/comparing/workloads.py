"""The workloads: what is asked of every generator, and which of them can do it.

The scripts stand in ``workloads/``, one for each generator, so that readers can
see that all do the same.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

FOLDER = Path(__file__).parent / "workloads"
EVERYBODY = ("plugin", "k6", "locust", "wrk")
NOT_WRK = ("plugin", "k6", "locust")
PLANNERS = ("plugin", "k6")


@dataclass(frozen=True, slots=True)
class Load:
    """How many virtual users for how many seconds."""

    vus: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One row of the comparison.

    Attributes:
        key: The letter that selects it.
        about: What is done.
        folder: Where its scripts are, below ``workloads/``.
        load: What is measured.
        base: What is subtracted from it: the same with less load.
        generators: Who can do it.
        over_tls: Whether requests go over TLS.
        service: ``nginx``, ``echo``, ``grpc`` or ``caddy``.
        over_http2: Whether the service speaks HTTP/2 there.
        shows: ``cpu``, ``memory`` (per VU), ``growth`` (over requests) or ``arrivals``.
        environment: What the scripts are told.
    """

    key: str
    about: str
    folder: str
    load: Load
    base: Load
    generators: tuple[str, ...] = EVERYBODY
    over_tls: bool = False
    service: str = "nginx"
    over_http2: bool = False
    shows: str = "cpu"
    environment: dict[str, str] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """Return where one of its scripts is; it need not exist."""
        return FOLDER / self.folder / name


def all_workloads(
    *, seconds: float, rate: int, idle_vus: int, growth_seconds: float
) -> dict[str, Workload]:
    """Return every workload by its letter; `seconds` is what a run takes beyond its base."""
    load, base = Load(50, seconds + 1), Load(50, 1)
    small = Workload(
        key="a",
        about="small GET, one group, one check, 50 VUs",
        folder="small_get",
        load=load,
        base=base,
    )
    rows = (
        small,
        replace(small, key="b", about="POST of 1 KB of JSON, JSON answer read", folder="json_post"),
        replace(small, key="c", about="100 KB responses", folder="large_body"),
        replace(small, key="d", about="(a) over TLS", over_tls=True),
        Workload(
            key="e",
            about="1,000 VUs that rest for a second",
            folder="sleeping",
            load=Load(1_000, seconds + 1),
            base=Load(1, 1),
            generators=NOT_WRK,
            shows="memory",
            environment={"SLEEP": "1", "SPREAD": "1"},
        ),
        replace(
            small,
            key="f",
            about="a connection for every request",
            folder="new_connections",
            load=Load(50, 3),
        ),
        Workload(
            key="g",
            about=f"constant arrival rate of {rate:,}/s",
            folder="arrival_rate",
            load=load,
            base=base,
            generators=PLANNERS,
            shows="arrivals",
            environment={"RATE": str(rate)},
        ),
        replace(
            small,
            key="h",
            about="memory over requests, workload (a)",
            load=Load(50, growth_seconds),
            generators=NOT_WRK,
            shows="growth",
        ),
        Workload(
            key="i",
            about=f"{idle_vus:,} VUs that come, make one request and stay",
            folder="sleeping",
            load=Load(idle_vus, max(8, idle_vus / 1_000)),
            base=Load(1, 1),
            generators=PLANNERS,
            shows="memory",
            environment={"SLEEP": "600", "SPREAD": f"{idle_vus / 2_000:g}"},
        ),
        replace(
            small,
            key="j",
            about="5 thresholds on tags, 50 names, 10 custom metrics",
            folder="many_series",
            generators=PLANNERS,
        ),
        replace(
            small,
            key="k",
            about="WebSocket, echo of 100 bytes, 50 VUs, against k6/experimental/websockets",
            folder="websocket_events",
            generators=PLANNERS,
            service="echo",
        ),
        replace(
            small,
            key="l",
            about="WebSocket, echo of 100 bytes, 50 VUs, against k6/ws",
            folder="websocket",
            generators=PLANNERS,
            service="echo",
        ),
        replace(
            small,
            key="m",
            about="(a) over TLS and HTTP/2",
            over_http2=True,
            generators=PLANNERS,
        ),
        replace(
            small,
            key="n",
            about="10 small GETs at once over one connection of HTTP/2 and TLS",
            folder="batch",
            over_http2=True,
            generators=PLANNERS,
        ),
        Workload(
            key="o",
            about="2,000 VUs, each with a connection of HTTP/2 and TLS, that stay",
            folder="sleeping",
            load=Load(2_000, 12),
            base=Load(1, 1),
            over_http2=True,
            generators=PLANNERS,
            shows="memory",
            environment={"SLEEP": "600", "SPREAD": "2"},
        ),
        replace(
            small,
            key="p",
            about="(a) by one process, and by two workers and their controller on the same core",
            generators=("plugin", "workers"),
        ),
        replace(
            small,
            key="r",
            about="unary gRPC calls, one group, one check, 50 VUs",
            folder="grpc",
            generators=PLANNERS,
            service="grpc",
        ),
        replace(
            small,
            key="s",
            about="(a) over TLS and HTTP/2 against Caddy",
            over_http2=True,
            generators=PLANNERS,
            service="caddy",
        ),
    )
    return {row.key: row for row in rows}
