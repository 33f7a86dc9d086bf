"""A Dask cluster on this machine: `python dask_cluster.py MACHINES [FOLDER]`.

With a folder it speaks TLS, with the certificates in there. Prints the scheduler, and ends
with its standard input.
"""

import sys
from pathlib import Path

from distributed import LocalCluster
from distributed.security import Security


def security(folder: Path) -> Security:
    """Return TLS with one certificate for all, which the authority in `folder` has issued."""
    pair = {"cert": str(folder / "node.pem"), "key": str(folder / "node.key")}
    members = {
        f"tls_{role}_{name}": path
        for role in ("client", "scheduler", "worker")
        for name, path in pair.items()
    }
    return Security(tls_ca_file=str(folder / "ca.pem"), require_encryption=True, **members)


def main() -> None:
    machines, *folders = sys.argv[1:]
    folder = Path(folders[0]) if folders else None
    with LocalCluster(
        n_workers=int(machines),
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        host="127.0.0.1",
        protocol="tls://" if folder else "tcp://",
        security=security(folder) if folder else None,
        silence_logs=40,
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
