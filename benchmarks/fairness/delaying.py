"""A server that answers after a delay that it draws, and knows how long it really took.

    python delaying.py PORT FILE

One process that spins instead of sleeping, because a sleeping one wakes late. For
each request it notes the time from the ``recv`` that brought it to the end of the
``send`` that answered it; on SIGTERM it writes these times, in microseconds and
sorted, to FILE as JSON.
"""

import json
import random
import select
import signal
import socket
import sys
from heapq import heappop, heappush
from pathlib import Path
from time import perf_counter_ns

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nHello"
MEDIAN = 5e6  # nanoseconds
SPREAD = 0.6  # of the logarithm: 1 % take longer than four times the median


def serve(port: int, stopped: list[int]) -> list[int]:
    """Answer until `stopped` holds something; return how long each answer took."""
    chance = random.Random(1)
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    due: list[tuple[int, int, int]] = []
    took: list[int] = []
    while not stopped:
        for fd, _ in poller.poll(0):
            if fd == listener.fileno():
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                poller.register(client, select.EPOLLIN)
            elif clients[fd].recv(65536):
                now = perf_counter_ns()
                delay = round(MEDIAN * chance.lognormvariate(0, SPREAD))
                heappush(due, (now + delay, now, fd))
            else:
                poller.unregister(fd)
                clients.pop(fd).close()
        while due and due[0][0] <= perf_counter_ns():
            _, began, fd = heappop(due)
            if fd in clients:
                clients[fd].send(ANSWER)
                took.append(perf_counter_ns() - began)
    return took


def main() -> None:
    """Serve until SIGTERM, then write what was measured."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    took = serve(int(sys.argv[1]), stopped)
    Path(sys.argv[2]).write_text(json.dumps([round(time / 1000) for time in sorted(took)]))


if __name__ == "__main__":
    main()
