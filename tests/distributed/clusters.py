"""Dask clusters for tests, each in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

PATIENCE = 60.0


@contextmanager
def running_cluster(*arguments: str, machines: int = 2) -> Iterator[str]:
    """Give the scheduler of a cluster with so many machines, and with TLS if there is a folder."""
    script = Path(__file__).with_name("dask_cluster.py")
    command = [sys.executable, str(script), str(machines), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


def certify(folder: Path) -> dict[str, str]:
    """Write certificates into `folder`; return the settings of Dask that a session needs."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    node = authority.issue_cert("127.0.0.1")
    node.private_key_pem.write_to_path(str(folder / "node.key"))
    node.cert_chain_pems[0].write_to_path(str(folder / "node.pem"))
    return {
        "distributed.comm.tls.ca-file": str(folder / "ca.pem"),
        "distributed.comm.tls.client.cert": str(folder / "node.pem"),
        "distributed.comm.tls.client.key": str(folder / "node.key"),
    }
