"""The Greeter of ``greeter.proto`` on grpcio's server, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PROTO = HERE / "greeter.proto"


@contextmanager
def running_greeter(folder: Path) -> Iterator[str]:
    """Yield where it listens; the generated code goes into `folder`."""
    from grpc_tools import protoc  # type: ignore[import-untyped]

    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main(["protoc", f"-I{HERE}", *outputs, str(PROTO)]) == 0
    command = [sys.executable, str(HERE / "server.py"), str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
