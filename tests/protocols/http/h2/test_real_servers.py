"""Servers that people have: each answers, takes bodies, and serves several streams at once."""

import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from hypercorn.config import Config
from hypercorn.trio import serve

from tests.protocols.http.serving import a_tester
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

LARGE = 3_000_000

NGINX = """
user root; worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 20; client_max_body_size 10m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    root {folder};
    location = / {{ return 200 "hello"; }}
    location = /upload {{ proxy_pass http://127.0.0.1:{port_of_sink}; }}
  }}
  server {{ listen 127.0.0.1:{port_of_sink}; location / {{ return 200 "3000000"; }} }}
}}
"""

CADDY = """
{{
  admin off
  auto_https off
  skip_install_trust
}}
https://127.0.0.1:{port} {{
  tls {folder}/server.pem {folder}/server.pem
  root * {folder}
  respond / "hello"
  respond /upload "3000000"
  file_server
}}
"""

NODE = """
const http2 = require('http2'), fs = require('fs');
const pem = fs.readFileSync('{folder}/server.pem');
const server = http2.createSecureServer({{ key: pem, cert: pem }}, (request, response) => {{
  let size = 0;
  request.on('data', (piece) => {{ size += piece.length; }});
  request.on('end', () => {{
    response.setHeader('date', new Date().toUTCString());
    if (request.url === '/upload') response.end(String(size));
    else response.end(request.url === '/large' ? Buffer.alloc({large}, 120) : 'hello');
  }});
}});
server.listen({port}, '127.0.0.1');
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def find(program: str) -> str:
    found = shutil.which(
        program, path=f"{Path(sys.executable).parent}:/usr/bin:/usr/sbin:/usr/local/bin"
    )
    if found is None:
        pytest.skip(f"{program} is missing")
    return found


Prepare = Callable[[Path, int], list[str]]


def nginx(folder: Path, port: int) -> list[str]:
    text = NGINX.format(folder=folder, port=port, port_of_sink=free_port())
    (folder / "conf").write_text(text)
    return [find("nginx"), "-c", f"{folder}/conf", "-p", str(folder), "-e", f"{folder}/error.log"]


def caddy(folder: Path, port: int) -> list[str]:
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, port=port))
    return [find("caddy"), "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


def node(folder: Path, port: int) -> list[str]:
    (folder / "server.js").write_text(NODE.format(folder=folder, port=port, large=LARGE))
    return [find("node"), f"{folder}/server.js"]


def lay_out(folder: Path) -> None:
    """Write a certificate and a large file into `folder`."""
    pem = trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(folder / "server.pem"))
    (folder / "large").write_bytes(b"x" * LARGE)


@asynccontextmanager
async def a_program(prepare: Prepare, folder: Path) -> AsyncIterator[str]:
    """Run a server; give its address."""
    lay_out(folder)
    port = free_port()
    command = prepare(folder, port)
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, stdin=subprocess.PIPE, check=False)
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "env": {"HOME": str(folder)},
        }
        process = await nursery.start(partial(run, command, **quiet))
        with trio.fail_after(20):
            while True:
                with suppress(OSError):
                    await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                    break
                await trio.sleep(0.05)
        yield f"https://127.0.0.1:{port}"
        process.terminate()


async def use(url: str) -> None:
    """Ask a server in all ways."""
    async with a_tester(verify=False, timeout=20.0) as tester:
        client = tester.client
        for _ in range(30):
            got = await client.get(f"{url}/")
            assert (got.status_code, got.text, got.http_version) == (200, "hello", "HTTP/2.0")
        for got in await client.batch([f"{url}/large"] * 3):
            assert len(got.content) == LARGE
        got = await client.post(f"{url}/upload", content=b"x" * LARGE)
        assert got.text == "3000000"
        for got in await client.batch([f"{url}/"] * 30, at_once=10, at_once_per_host=10):
            assert (got.text, got.error) == ("hello", "")
        assert (await client.head(f"{url}/large")).status_code == 200
        assert all(row[1] == 0 for row in tester.rows)


@pytest.mark.parametrize("prepare", [nginx, caddy, node])
@in_real_time
async def test_a_server_of_the_system_is_spoken_to(prepare: Prepare, tmp_path: Path) -> None:
    async with a_program(prepare, tmp_path) as url:
        await use(url)


async def app(scope, receive, send) -> None:
    """Serve as the others do, by ASGI."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    size, goes_on = 0, True
    while goes_on:
        event = await receive()
        size += len(event.get("body", b""))
        goes_on = event.get("more_body", False)
    body = {"/large": b"x" * LARGE, "/upload": b"%d" % size}.get(scope["path"], b"hello")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("protocol", ["h2", "h2c"])
@in_real_time
async def test_hypercorn_is_spoken_to_with_tls_and_without(protocol: str, tmp_path: Path) -> None:
    pem = trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    pem.write_to_path(str(tmp_path / "server.pem"))
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    if protocol == "h2":
        config.certfile = config.keyfile = str(tmp_path / "server.pem")
    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        start = partial(serve, app, config, shutdown_trigger=ended.wait)
        addresses: list[str] = await nursery.start(start)
        await use_hypercorn(addresses[0], protocol)
        ended.set()


async def use_hypercorn(url: str, protocol: str) -> None:
    versions = "2" if protocol == "h2" else "2-prior-knowledge"
    async with a_tester(verify=False, timeout=20.0, http_versions=versions) as tester:
        responses = await tester.client.batch([url] * 6)
        responses.append(await tester.client.post(f"{url}/upload", content=b"x" * 300_000))
        responses.append(await tester.client.get(f"{url}/large"))

    assert [got.error for got in responses] == [""] * 8
    assert {got.http_version for got in responses} == {"HTTP/2.0"}
    assert responses[6].text == "300000"
    assert len(responses[7].content) == LARGE
