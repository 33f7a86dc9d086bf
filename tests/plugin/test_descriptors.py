"""More virtual users than open files: the reason is told, and the control API can be reached."""

import json
import subprocess
import sys
import urllib.request

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
