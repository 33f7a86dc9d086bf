"""The programs that this folder's tests run: nginx, the k6 binary, and pytest with the plugin."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE = 30
_CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type text/plain;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} {protocol};
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    absolute_redirect off;
    location / {{ return 404 "nothing is here"; }}
    location = / {{ return 200 "Welcome"; }}
    location = /products {{ default_type application/json; return 200 '[{{"id": 1}}]'; }}
    location = /cart {{ return 201 "in the cart"; }}
    location = /moved {{ return 302 /; }}
    location = /broken {{ return 500 "broken"; }}
    location = /login {{ add_header Set-Cookie "visitor=7"; return 200 "hello"; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: how it ended, its summary, and what it printed."""

    exit_code: int
    summary: Mapping[str, Any]
    printed: str

    def metric(self, name: str) -> Mapping[str, float]:
        metric: Mapping[str, float] = self.summary["metrics"][name]
        return metric

    def count(self, name: str) -> float:
        return self.metric(name)["count"]


def find(program: str) -> str:
    beside = Path(sys.executable).with_name(program)
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    found = str(beside) if beside.exists() else shutil.which(program, path=places)
    if found is None:
        pytest.skip(f"{program} is missing")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running_nginx(folder: Path, *, speaks_http2: bool = False) -> Iterator[str]:
    """Run nginx with its files in `folder`; give its base URL.

    Over HTTP/2 there is TLS, and ``authority.pem`` is what to trust.
    """
    program = find("nginx")
    port = free_port()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    certificate.write_to_path(str(folder / "server.pem"))
    config = folder / "nginx.conf"
    protocol = "ssl http2" if speaks_http2 else ""
    config.write_text(_CONFIG.format(folder=folder, port=port, protocol=protocol))
    command = [program, "-c", str(config), "-p", str(folder), "-e", f"{folder}/error.log"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _wait_until_open(port, process)
            yield f"{'https' if speaks_http2 else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    pytest.fail("nginx did not start")


def run_k6(
    script: str, folder: Path, told: Mapping[str, str], *arguments: str, log: str = "none"
) -> Outcome:
    """Run `script`.js of the scripts in k6; `told` is its environment."""
    export = folder / "k6.summary.json"
    command = [find("k6"), "run", "--quiet", "--address", "", "--no-color", f"--log-output={log}"]
    command += ["--summary-export", str(export), *arguments, str(SCRIPTS / f"{script}.js")]
    return _run(command, folder, told, export)


def run_plugin(script: str, folder: Path, told: Mapping[str, str], *arguments: str) -> Outcome:
    """Run `script`.py of the scripts in a pytest of its own; `told` is its environment."""
    # A copy, so that neither this checkout's configuration nor its conftest.py has a say.
    file = shutil.copy(SCRIPTS / f"{script}.py", folder)
    export = folder / "plugin.summary.json"
    command = [*pytest_command(file), "--k6-address=", f"--k6-summary-export={export}"]
    return _run([*command, *arguments], folder, told, export)


def pytest_command(file: Path | str) -> list[str]:
    """Return a call of pytest on one file, with no plugin but ours."""
    return [
        *(sys.executable, "-m", "pytest", str(file), "-q"),
        *("-p", "no:cacheprovider", "-p", "pytest_k6api.plugin"),
    ]


def surroundings(told: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that is told `told`."""
    return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NO_COLOR": "1", **told}


def _run(command: Sequence[str], folder: Path, told: Mapping[str, str], export: Path) -> Outcome:
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(told),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if not export.exists():
        pytest.fail(f"{command[0]} made no summary:\n{done.stdout}")
    return Outcome(done.returncode, json.loads(export.read_text()), done.stdout)
