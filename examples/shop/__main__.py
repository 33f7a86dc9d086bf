"""Serve the shop on a free port of 127.0.0.1, and say on which.

The first line of standard output is the address. The service ends on Ctrl-C,
on SIGTERM and, with ``--end-with-stdin``, as soon as its standard input closes:
so no session of tests, however it dies, leaves a shop behind.

With ``--tls`` it speaks HTTP/1.1 and HTTP/2 over TLS, and HTTP/3 at the same port over UDP, for
which Hypercorn needs `aioquic`.
"""

import argparse
import os
import socket
import sys
from functools import partial

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from examples.shop.service import create_app


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--end-with-stdin", action="store_true")
    parser.add_argument("--tls", metavar="FILE", default="", help="certificates and key, in PEM")
    arguments = parser.parse_args()
    config = Config()
    config.errorlog = None
    if arguments.tls:
        config.bind, config.quic_bind = _same_port(arguments.port)
        config.certfile = config.keyfile = arguments.tls
    else:
        config.bind = [f"127.0.0.1:{arguments.port}"]
    trio.run(partial(_serve, config, end_with_stdin=arguments.end_with_stdin))


def _same_port(port: int) -> tuple[list[str], list[str]]:
    """Return sockets of TCP and UDP with one port, as Hypercorn takes them."""
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", port))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            if port:
                raise
            tcp.close()
            udp.close()
        else:
            return [f"fd://{tcp.detach()}"], [f"fd://{udp.detach()}"]


async def _serve(config: Config, *, end_with_stdin: bool) -> None:
    wait_for_end = _wait_stdin_closed if end_with_stdin else trio.sleep_forever
    async with trio.open_nursery() as nursery:
        addresses: list[str] = await nursery.start(
            partial(serve, create_app(), config, shutdown_trigger=wait_for_end)
        )
        sys.stdout.write(f"{addresses[0]}\n")
        sys.stdout.flush()


async def _wait_stdin_closed() -> None:
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
        async for _ in stdin:
            pass


if __name__ == "__main__":
    main()
