"""A stand-in for the daemon, and answers as the commands get them."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from p2pdist.local_api.delivery_answers import LanWay, LimiterAnswer
from p2pdist.settings import EndpointHome
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES, encode_frame

LIMITER = LimiterAnswer(
    site=None,
    server_connection="connected",
    line=None,
    profile=None,
    serves=False,
    upload=LanWay(12_500_000, 0, "refuses to serve: the processor is busy", {}),
    download=LanWay(
        None,
        1_250_000,
        "leaving room for business traffic of this PC",
        {"leaving room for business traffic of this PC": 72.0, "nothing limits it": 3.0},
    ),
    yield_seconds=72.0,
    adapts=True,
    interface="eth0",
    network="wired",
    speed=125_000_000,
    gateway="10.0.0.1",
    gateway_milliseconds=0.41,
    business_bytes_per_second=125_000,
    cpu_share=0.91,
    battery_percent=55.0,
    on_mains=True,
    rule="",
    blackout=False,
    problems=["Neighbours are not served now: the processor is busy (91%)."],
)


@contextmanager
def enrolled_daemon(root: Path, answers: Mapping[str, bytes]) -> Iterator[list[str]]:
    """Play an enrolled PC's daemon that answers by command, byte for byte; yield the list of what it was asked."""
    home = EndpointHome(root)
    home.enrolment.parent.mkdir(parents=True, exist_ok=True)
    home.enrolment.write_bytes(b"{}")
    asks: list[str] = []
    directory = os.open(root, os.O_RDONLY)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"/proc/self/fd/{directory}/{home.socket.name}")  # however long the path is
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # shut down
                return
            with connection, connection.makefile("rb") as stream:
                request = stream.read(int.from_bytes(stream.read(FRAME_HEADER_BYTES), "big")).decode()
                asks.append(request)
                answer = answers[request.partition(" ")[0]]
                connection.sendall(encode_frame(answer, max_bytes=1 << 20))

    thread = threading.Thread(target=serve)  # noqa: TID251 - the other side of the connection, not ours
    thread.start()
    try:
        yield asks
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
        os.close(directory)
