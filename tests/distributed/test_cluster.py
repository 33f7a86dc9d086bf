"""Load tests on the workers of a Dask cluster: the same suite, verdict and results."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from pytest_k6api.distributed import CarrierError
from pytest_k6api.model import OptionError
from tests.distributed.clusters import PATIENCE, certify, running_cluster

pytest.importorskip("distributed")

from pytest_k6api.distributed.cluster import ClusterProcess, DaskCluster
from pytest_k6api.distributed.shipped_suite import unpack_suite


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with running_cluster() as address:
        yield address


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
        number - 1,
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


@pytest.mark.slow
def test_a_cluster_with_tls_is_reached_with_its_certificates_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask = pytest.importorskip("dask")
    told = certify(tmp_path)
    with running_cluster(str(tmp_path)) as address:
        with dask.config.set(told):
            cluster = DaskCluster(address)
            count = cluster.count
            cluster.close()
        monkeypatch.setattr("pytest_k6api.distributed.cluster._CONNECT_TIME", 2.0)
        with pytest.raises(OptionError, match="cannot be reached"):
            DaskCluster(address)

    assert address.startswith("tls://")
    assert count == 2


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
