"""Load tests on the workers of a Dask cluster: the same suite, verdict and results."""

import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from pytest_k6api.distributed import CarrierError
from pytest_k6api.model import OptionError
from pytest_k6api.plugin.workers.places import pack_suite

pytest.importorskip("distributed")

from pytest_k6api.distributed.cluster import ClusterProcess, DaskCluster
from pytest_k6api.distributed.cluster_agent import unpack_suite

PATIENCE = 60.0


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    command = [sys.executable, str(Path(__file__).with_name("dask_cluster.py"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(PATIENCE)


@pytest.fixture
def cluster(scheduler: str) -> Iterator[DaskCluster]:
    cluster = DaskCluster(scheduler)
    yield cluster
    cluster.close()


ECHO = """
import os, socket, sys
line = socket.socket(fileno=int(os.environ["LINE"]))
print("the last words", file=sys.stderr)
while data := line.recv(65536):
    if data == b"die":
        os._exit(3)
    line.sendall(data.upper())
"""


def start(cluster: DaskCluster, folder: Path, number: int = 1) -> ClusterProcess:
    return cluster.start(
        number,
        ["-c", ECHO],
        environment={},
        line_variable="LINE",
        folder=str(folder),
        keeps_output=True,
    )


@pytest.mark.slow
def test_an_agent_relays_bytes_both_ways_and_tells_how_a_process_ended(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    process = start(cluster, tmp_path)

    async def talk() -> bytes:
        received = b""
        await process.send(b"hello, ")
        while len(received) < 7:
            received += await process.receive()
        return received

    async def end() -> None:
        await process.send(b"die")
        await process.receive()

    assert trio.run(talk) == b"HELLO, "
    with pytest.raises(CarrierError) as caught:
        trio.run(end)  # in another loop: a carrier outlives them

    assert str(caught.value) == "it ended with exit code 3; its last line was: the last words"
    assert process.wait(1.0)
    assert cluster.count == 2


@pytest.mark.slow
def test_a_process_is_killed_or_let_go(cluster: DaskCluster, tmp_path: Path) -> None:
    killed, released = start(cluster, tmp_path), start(cluster, tmp_path, 2)

    killed.kill()
    released.close(b"bye")

    assert killed.wait(PATIENCE)
    assert released.wait(PATIENCE)


@pytest.mark.slow
def test_a_folder_that_a_machine_lacks_is_told(cluster: DaskCluster, tmp_path: Path) -> None:
    with pytest.raises(CarrierError, match="has no folder '.*missing'; give it the suite at the"):
        start(cluster, tmp_path / "missing")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://", "is tcp://host:port or tls://host:port, got 'tcp://'"),
        ("http://127.0.0.1:8786", "got 'http://127.0.0.1:8786'"),
        ("no_such.json", "there is no scheduler file 'no_such.json'"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        DaskCluster(address)

    assert message in str(caught.value)


@pytest.mark.slow
def test_a_scheduler_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_k6api.distributed.cluster._CONNECT_TIME", 0.5)

    with pytest.raises(OptionError, match=r"the scheduler tcp://127\.0\.0\.1:1 cannot be reached"):
        DaskCluster("tcp://127.0.0.1:1")


def archive_of(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../outside.py", tarfile.REGTYPE),
        ("/tmp/outside.py", tarfile.REGTYPE),
        ("a/../../outside.py", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_a_shipped_archive_cannot_leave_its_folder(tmp_path: Path, name: str, kind: bytes) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()

    with pytest.raises(CarrierError, match="a member that is refused"):
        unpack_suite(archive_of((name, b""), kind=kind), folder)

    assert [*tmp_path.rglob("*")] == [folder]


def test_a_suite_is_packed_without_what_git_ignores(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("secret.txt\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_shop.py").write_text("def test_it(): ...\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    folder = tmp_path / "elsewhere"
    archive = pack_suite(tmp_path)
    folder.mkdir()

    unpack_suite(archive, folder)

    names = sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
    assert names == [".gitignore", "run.sh", "tests/test_shop.py"]
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "tests/test_shop.py", os.X_OK)
    assert gzip.decompress(archive)


def test_a_folder_that_git_does_not_know_is_not_shipped(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--k6-ship sends what git tracks"):
        pack_suite(tmp_path)


SUITE = """
    import os

    import pytest
    from pytest_k6api import Trend

    step = Trend("step")
    started = []

    @pytest.fixture(scope="session")
    def greeting():
        started.append(os.getpid())
        return "hello"

    @pytest.mark.scenario(
        vus=4, iterations=40, thresholds={"iterations": ["count==40"], "step": ["max==4"], "checks": ["rate==1"]}
    )
    async def test_shared(vu, greeting):
        step.add(vu.id)
        with vu.group("inside"):
            vu.check(greeting, {"came": lambda text: text == "hello"})

    def test_the_controller_has_all(k6):
        assert k6.metrics["iterations"].count == 40
        assert len(started) == 1
"""

Run = Callable[..., "pytest.RunResult"]


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, text in alone.items():
            patch.setenv(name, text)
        return pytester.runpytest_subprocess(
            "-p", "k6api", "-p", "no:cacheprovider", "--k6-address=", *options, timeout=PATIENCE
        )


@pytest.mark.slow
def test_a_shipped_load_test_runs_on_the_workers_of_a_cluster(
    pytester: pytest.Pytester, scheduler: str
) -> None:
    subprocess.run(["git", "init", "-q", pytester.path], check=True)
    pytester.makepyfile(SUITE)

    result = run(pytester, f"--k6-workers={scheduler}", "--k6-ship")

    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_worker_of_a_cluster_that_dies_ends_the_load_test(
    pytester: pytest.Pytester, scheduler: str
) -> None:
    pytester.makepyfile(f"""
        import os, signal
        import pytest

        @pytest.mark.scenario(vus=2, duration="60s")
        async def test_long(vu):
            await vu.sleep(0.01)
            if vu.id == 1 and vu.iteration == 100:
                os.kill(os.getpid(), {int(signal.SIGKILL)})
    """)
    began = time.monotonic()

    result = run(pytester, f"--k6-workers={scheduler}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*worker ? (process * on *) was lost: killed by SIGKILL*"])
    assert time.monotonic() - began < 55


def test_shipping_needs_a_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    result = run(pytester, "--k6-ship")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--k6-ship sends the suite to the machines of a cluster*"])
