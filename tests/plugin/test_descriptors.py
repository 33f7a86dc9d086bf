"""More virtual users than open files: the reason is told, and the control API can be reached."""

import json
import subprocess
import sys
import time
import urllib.request
from functools import partial

import pytest

from tests.plugin.conftest import Service

pytestmark = [pytest.mark.slow, pytest.mark.sockets]


def test_the_control_api_answers_while_connections_have_used_up_their_share(
    pytester: pytest.Pytester, service: Service
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario(vus=200, duration="60s")
        async def test_crowd(vu):
            await vu.http.get("/slow")
        """
    )
    arguments = f"-p k6api --k6-address=127.0.0.1:0 --k6-base-url={service.url}"
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -n 128; exec {sys.executable} -u -m pytest {arguments}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pytester.path,
    )
    assert process.stdout
    try:
        url = next(line for line in process.stdout if "control API:" in line).split()[-1]
        told = next(line for line in process.stdout if "open files are limited" in line)
        while not service.paths:  # the load has begun
            assert process.poll() is None
            time.sleep(0.01)

        with urllib.request.urlopen(f"{url}/v1/status", timeout=20) as reply:
            status = json.load(reply)["data"]["attributes"]
        stop = b'{"data":{"attributes":{"stopped":true}}}'
        urllib.request.urlopen(
            urllib.request.Request(f"{url}/v1/status", stop, method="PATCH"), timeout=20
        ).close()
        rest = process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert "limited to 128: " in told
    assert "of 200 VUs can have a connection at a time" in told
    assert (status["status"], status["vus"]) == (7, 200)
    assert "  ! open files are limited to 128: " in rest


@pytest.mark.parametrize("workers", ["", "--k6-workers=1"], ids=["alone", "worker"])
def test_virtual_users_that_are_added_while_it_runs_are_told_of_too(
    pytester: pytest.Pytester, service: Service, workers: str
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario(vus=3, duration="60s", requests="record")
        async def test_crowd(vu):
            await vu.sleep(0.1)
        """
    )
    arguments = f"-p k6api --k6-address=127.0.0.1:0 --k6-base-url={service.url} {workers}"
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -n 128; exec {sys.executable} -u -m pytest {arguments}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pytester.path,
    )
    assert process.stdout
    try:
        url = next(line for line in process.stdout if "control API:" in line).split()[-1]
        send = partial(_patch, f"{url}/v1/status")
        while send({}, method="GET")["vus"] < 3:
            assert process.poll() is None
        send({"vus": 200, "vus-max": 200})
        while send({}, method="GET")["vus"] < 200:
            assert process.poll() is None
        send({"stopped": True})
        rest = process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

    assert "  ! open files are limited to 128: " in rest
    assert "of 200 VUs can have a connection at a time" in rest


def _patch(url: str, attributes: dict[str, object], method: str = "PATCH") -> dict[str, int]:
    body = json.dumps({"data": {"attributes": attributes}}).encode() if attributes else None
    with urllib.request.urlopen(
        urllib.request.Request(url, body, method=method), timeout=20
    ) as reply:
        found: dict[str, int] = json.load(reply)["data"]["attributes"]
    return found
