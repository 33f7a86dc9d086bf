"""CPU that the HTTP client spends on one small GET, rows and response included.

Starts nginx on the second core and itself on the first, runs 50 tasks with a
client each, and prints microseconds of CPU per request (user and system, the
kernel's share of the loopback included).

    python benchmarks/bench_http_client.py [--requests 100000] [--vus 50] [--tls] [--http2] [--profile] [--without-epoll]

``--without-epoll`` waits for each socket by a task of Trio, as it has to be on macOS; see
`pytest_k6api.protocols.http.net.readiness`.
"""

import argparse
import cProfile
import json
import os
import pstats
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio
import trustme

from pytest_k6api.model import Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.http import HTTP_ROWS, Client, ClientOptions, HttpRuntime
from pytest_k6api.protocols.http.net import Traffic

_CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} {tls};
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    location = / {{ return 200 "Hello, World!"; }}
    location = /json {{ default_type application/json; return 200 '{document}'; }}
    location = /large {{ return 200 "{large}"; }}
  }}
}}
"""
_DOCUMENT = {"items": [{"id": n, "name": f"item {n}", "price": n * 1.5} for n in range(20)]}


@contextmanager
def nginx(*, is_tls: bool, is_http2: bool = False) -> Iterator[str]:
    """Run nginx on the second core; give its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        certificate = trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(str(Path(folder) / "server.pem"))
        config.write_text(
            _CONFIG.format(
                folder=folder,
                port=port,
                tls="ssl " * is_tls + "http2" * is_http2,
                document=json.dumps(_DOCUMENT),
                large="x" * 4000,
            )
        )
        command = ["nginx", "-c", str(config), "-p", folder]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        with suppress(OSError):
            os.sched_setaffinity(process.pid, {(os.cpu_count() or 1) - 1})
        try:
            for _ in range(100):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield f"{'https' if is_tls else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


async def _post(client: Client) -> None:
    # nginx refuses POST with 405 where it has only a text to return; the work is the same.
    response = await client.post("/json", json=_DOCUMENT, expected_statuses=None)
    response.text  # noqa: B018 - decoding it is part of what is measured


_REQUESTS: dict[str, Callable[[Client], Awaitable[object]]] = {
    "get": lambda client: client.get("/"),
    "name": lambda client: client.get("/", name="home"),
    "large": lambda client: client.get("/large"),
    "post": _post,
}


async def load(base_url: str, kind: str, vus: int, requests: int, versions: str) -> float:
    """Make `requests` requests with `vus` clients; return CPU seconds spent."""
    options = ClientOptions(base_url=base_url, verify=False, http_versions=versions)
    runtime = HttpRuntime(options)
    table = TagTable()
    context = TagContext(table, {"scenario": "bench"})
    buffer = SampleBuffer()

    async def vu(count: int) -> None:
        client = Client(runtime, Recorder(buffer, context))
        request = _REQUESTS[kind]
        for _ in range(count):
            await request(client)
        client.close()

    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        began = time.process_time()
        async with trio.open_nursery() as vus_nursery:
            for _ in range(vus):
                vus_nursery.start_soon(vu, requests // vus)
        spent = time.process_time() - began
        nursery.cancel_scope.cancel()
    if len(buffer.rows[HTTP_ROWS]) != requests // vus * vus:
        raise RuntimeError(f"{len(buffer.rows[HTTP_ROWS])} rows for {requests} requests")
    return spent


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--vus", type=int, default=50)
    parser.add_argument("--kind", choices=_REQUESTS, default="get")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--http2", action="store_true", help="HTTP/2, with prior knowledge")
    parser.add_argument("--without-epoll", action="store_true")
    arguments = parser.parse_args()
    if arguments.without_epoll:
        Traffic.uses_epoll = False
    with suppress(OSError):
        os.sched_setaffinity(0, {0})
    versions = "2-prior-knowledge" if arguments.http2 else "1.1"
    with nginx(is_tls=arguments.tls, is_http2=arguments.http2) as base_url:
        run = (base_url, arguments.kind, arguments.vus, arguments.requests, versions)
        trio.run(load, base_url, arguments.kind, arguments.vus, 2000, versions)
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(lambda: trio.run(load, *run))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        for _ in range(arguments.rounds):
            began = time.perf_counter()
            spent = trio.run(load, *run)
            wall = time.perf_counter() - began
            print(
                f"{arguments.kind}: {spent / arguments.requests * 1e6:.1f} µs CPU per request,"
                f" {arguments.requests / wall:,.0f} requests/s"
            )


if __name__ == "__main__":
    main()
