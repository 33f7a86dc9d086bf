"""The measured services, each on a core of its own; they also count the requests.

nginx, with one worker, answers from memory and is several times faster than every generator.
Its own counter (``stub_status``) says how many requests there were, as the counter of every
other service does: no generator is believed about itself.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

_PATIENCE = 5.0
_DOCUMENT = {"items": [{"id": n, "name": f"item {n}", "price": n * 1.5} for n in range(20)]}
_CONFIG = """
worker_processes 1;
worker_rlimit_nofile 65536;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 50000; multi_accept on; }}
http {{
  log_format arrivals '$msec';
  log_format times '$request_time';
  keepalive_requests 1000000000;
  keepalive_timeout 300;
  types {{ }}
  default_type text/plain;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/certificate.pem;
  ssl_certificate_key {folder}/key.pem;
  server {{ access_log off; {quiet} }}
  server {{ access_log {folder}/times times buffer=64k; {logging} }}
}}
"""
_SERVER = """
    listen 127.0.0.1:{port} backlog=8192;
    listen 127.0.0.1:{tls_port} ssl backlog=8192;
    listen 127.0.0.1:{http2_port} ssl http2 backlog=8192;
    location = /requests {{ access_log off; stub_status; }}
    location = /json {{ default_type application/json; return 200 '{document}'; }}
    location = /large {{ root {folder}; }}
    location = /logged {{ access_log {folder}/arrivals arrivals buffer=64k; return 200 "Hello"; }}
    location / {{ return 200 "Hello, World!"; }}
"""


# How `Counter` finds the number in the words of nginx, and of Caddy.
_STUB_STATUS = r"^ \d+ \d+ (\d+)"
_CADDY = r'^caddy_http_requests_total\{handler="static_response".* (\S+)$'


@dataclass(slots=True)
class Counter:
    """Where a service tells how many requests it has answered.

    Attributes:
        url: The page that tells it.
        pattern: The regular expression that finds the number there.
        counts_itself: Whether the question is a request that the service counts.
    """

    url: str
    pattern: str = _STUB_STATUS
    counts_itself: bool = True
    _asked: int = 0

    def read(self) -> int:
        """Return how many requests the service has answered, without those of this method."""
        with urllib.request.urlopen(self.url, timeout=_PATIENCE) as response:
            found = re.search(self.pattern, response.read().decode(), re.MULTILINE)
        self._asked += self.counts_itself
        return (int(float(found[1])) if found else 0) - self._asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service.

    Attributes:
        url: Where it answers.
        tls_url: The same over TLS.
        http2_url: The same over TLS and HTTP/2.
        logging: Where it answers at each of these, in this order, and logs how long it took.
        ca_file: The certificate to trust for that.
        folder: Where it writes.
        pid: Of its process; of nginx's, the master.
        counter: Counts the requests.
    """

    url: str
    tls_url: str
    http2_url: str
    logging: tuple[str, str, str]
    ca_file: Path
    folder: Path
    pid: int
    counter: Counter

    def count(self) -> int:
        """Return how many requests it has answered, without those of this method."""
        return self.counter.read()

    def take_arrivals(self) -> list[float]:
        """Return when requests for ``/logged`` were answered, in seconds, and forget them."""
        return self._take("arrivals")

    def take_times(self) -> list[float]:
        """Return how long requests to `logging` took, in seconds, least first, and forget them."""
        return self._take("times")

    def as_logging(self) -> "Service":
        """Return the same service at the addresses where it logs."""
        url, tls_url, http2_url = self.logging
        return replace(self, url=url, tls_url=tls_url, http2_url=http2_url)

    def _take(self, name: str) -> list[float]:
        log = self.folder / name
        kept = log.rename(self.folder / f"{name}.taken")
        os.kill(self.pid, signal.SIGUSR1)  # writes what is buffered, and opens the log anew
        deadline = time.monotonic() + _PATIENCE
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)  # the worker opens the new file a moment after the master
        return sorted(float(line) for line in kept.read_text().split())


@contextmanager
def running_program(nginx: Service, command: Sequence[str], core: int | None) -> Iterator[Service]:
    """Run `command`, which prints its address, on `core`, beside `nginx`, whose files it shares."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    folder = Path(__file__).parent.parent
    with subprocess.Popen(
        [*pinned, *command], stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            yield replace(nginx, url=url, pid=process.pid, counter=Counter(f"{url}/requests"))
        finally:
            process.terminate()


@contextmanager
def running_nginx(folder: Path, core: int | None) -> Iterator[Service]:
    """Run nginx on `core`, with its files in `folder`, until the end, be it by SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("nginx is missing; install it (Debian, Ubuntu: apt-get install nginx)")
    _make_certificate(folder)
    folder.chmod(0o755)  # the worker may be another user
    large = folder / "large"
    large.write_bytes(b"x" * 102_400)
    ports = _free_ports(6)
    config = folder / "nginx.conf"
    quiet, logging = (
        _SERVER.format(
            port=port,
            tls_port=tls,
            http2_port=http2,
            folder=folder,
            document=json.dumps(_DOCUMENT),
        )
        for port, tls, http2 in (ports[:3], ports[3:])
    )
    config.write_text(_CONFIG.format(folder=folder, quiet=quiet, logging=logging))
    schemes = ("http", "https", "https") * 2
    url, tls_url, http2_url, *others = (
        f"{scheme}://127.0.0.1:{port}" for scheme, port in zip(schemes, ports, strict=True)
    )
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, program, "-c", str(config), "-p", str(folder), "-e", "stderr"]
    with subprocess.Popen(command) as process:
        try:
            _wait_until_open(ports[0], process)
            yield Service(
                url=url,
                tls_url=tls_url,
                http2_url=http2_url,
                logging=(others[0], others[1], others[2]),
                ca_file=folder / "certificate.pem",
                folder=folder,
                pid=process.pid,
                counter=Counter(f"{url}/requests"),
            )
        finally:
            process.terminate()
            process.wait(_PATIENCE)


@contextmanager
def running_caddy(nginx: Service, core: int | None) -> Iterator[Service]:
    """Run Caddy on `core`, beside `nginx`, whose certificate it has.

    Raises:
        LookupError: It is not installed.
    """
    program = shutil.which("caddy")
    if program is None:
        raise LookupError("Caddy is missing; install it (Debian, Ubuntu: apt-get install caddy)")
    port, admin = _free_ports(2)
    config = nginx.folder / "caddy.json"
    config.write_text(json.dumps(_caddy_config(nginx.folder, port, admin)))
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, program, "run", "--config", str(config)]
    here = {**os.environ, "HOME": str(nginx.folder)}  # it writes there
    with subprocess.Popen(command, env=here, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_open(port, process)
            yield replace(
                nginx,
                http2_url=f"https://127.0.0.1:{port}",
                pid=process.pid,
                counter=Counter(f"http://127.0.0.1:{admin}/metrics", _CADDY, counts_itself=False),
            )
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _caddy_config(folder: Path, port: int, admin: int) -> dict[str, object]:
    files = {"certificate": f"{folder}/certificate.pem", "key": f"{folder}/key.pem"}
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "automatic_https": {"disable": True},
        "tls_connection_policies": [{}],
        "metrics": {},
        "routes": [{"handle": [{"handler": "static_response", "body": "Hello, World!"}]}],
    }
    return {
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "apps": {
            "http": {"servers": {"measured": server}},
            "tls": {"certificates": {"load_files": [files]}},
        },
    }


def _make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)


def _free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise SystemExit(f"{process.args!r} did not start")
