"""A network part that was taken over by a stranger: nothing that it says ends the daemon, or fills its memory."""

import errno
import os
import pty
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgpack
import pytest
import trio

from p2pdist.network.messages import MAX_MESSAGE_BYTES, decode_from_part
from p2pdist.network.part_log import MAX_BURST_BYTES
from p2pdist.network.process import Launch, NetworkPart, open_network_part
from p2pdist.network.remote_engine import RemoteEngine
from p2pdist.network.rights import PartUser
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT
from tests.helpers.pki import TestCA
from tests.unit.p2pdist.network.test_process import start

ME = PartUser("me", os.geteuid(), os.getegid(), separate=False)
WITHIN_SECONDS = 30.0
STOP_SECONDS = 0.2

TAKEN_OVER = """
    import fcntl, os, signal, struct, sys, time
    from p2pdist.network.messages import *
    from p2pdist.shared.errors import FaultKind
    from p2pdist.shared.wire import codec
    from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
    decoder = FrameDecoder(max_bytes=MAX_MESSAGE_BYTES)
    def raw(body):
        os.write(1, encode_frame(body, max_bytes=MAX_MESSAGE_BYTES))
    def send(message):
        raw(codec.encode(message))
    def questions():
        while data := os.read(0, 65_536):
            yield from map(decode_to_part, decoder.feed(data))
    send(Started(7691))
"""


@asynccontextmanager
async def taken_over(directory: Path, ca: TestCA, does: str) -> AsyncIterator[NetworkPart]:
    program = textwrap.dedent(TAKEN_OVER) + textwrap.dedent(does)
    launch = Launch(ME, directory, "info", (sys.executable, "-c", program), STOP_SECONDS)
    with trio.fail_after(WITHIN_SECONDS):
        async with open_network_part(launch, lambda: start(ca)) as part:
            yield part


async def ended(part: NetworkPart) -> str:
    while not part.problem:  # noqa: ASYNC110 - a plain attribute
        await trio.sleep(0.01)
    return part.problem


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("os.kill(os.getpid(), 35)", "signal 35"),
        ("send(Started(7691)); time.sleep(60)", "twice"),
        ("raw(b'\\x81\\xa1t\\xdb' + (1_000_000).to_bytes(4, 'big') + b'x' * 1_000_000); time.sleep(60)", "must not"),
    ],
    ids=["a signal without a name", "it starts without end", "an error as long as the message"],
)
async def test_its_end_is_told_in_few_words(ca: TestCA, tmp_path: Path, does: str, words: str) -> None:
    async with taken_over(tmp_path, ca, does) as part:
        problem = await ended(part)
    assert words in problem
    assert len(problem) < 1_000


async def test_a_wrong_answer_is_no_error_of_the_daemon(ca: TestCA, tmp_path: Path) -> None:
    refuses = """
        for question in questions():
            if hasattr(question, "call"):
                send(Failed(question.call, FaultKind.FAILED, "no"))
    """
    async with taken_over(tmp_path, ca, refuses) as part:
        engine = RemoteEngine(part)
        await engine.refresh()
        assert await engine.lan_bytes() == (0, 0)


async def test_counts_stay_within_what_the_server_accepts(ca: TestCA, tmp_path: Path) -> None:
    """One that is larger would be kept on disk, and end every connection that reports it."""
    lives = f"""
        send(Snapshot("a" * 64, "downloading", 8, b"\\x00", b"\\x00", {MAX_BYTE_COUNT}, 1, 1, 0.5, (), None))
        for question in questions():
            if isinstance(question, Refresh): sys.exit(0)
    """
    async with taken_over(tmp_path, ca, lives) as part:
        engine, torrent_hash = RemoteEngine(part), TorrentHash("a" * 64)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: engine.add(b"", expected_hash=torrent_hash, assume_complete=False))
            while part.life < 2 or not part.running:
                await engine.refresh()
                await trio.sleep(0.1)
            await trio.sleep(0.3)
            assert engine.snapshot(torrent_hash).bytes_from_peers == MAX_BYTE_COUNT
            nursery.cancel_scope.cancel()


def test_a_message_of_another_shape_takes_no_memory() -> None:
    """Five megabytes of empty lists would become 700 of objects before anything is checked."""
    lists = msgpack.packb([[]] * 60_000)
    number = MAX_MESSAGE_BYTES // len(lists) - 1
    body = b"\x82\xa1t\xa4Done\xa4call\xdc" + number.to_bytes(2, "big") + lists * number
    before = _memory()
    with pytest.raises(DecodeError, match="call"):
        decode_from_part(body)
    assert _memory() - before < 50_000


@pytest.mark.parametrize(
    "message",
    [
        {
            "t": "FromEngine",
            "events": [{"type": "PeerConnected", "torrent_hash": "a", "address": "x" * 999, "port": 1}],
        },
        {"t": "FromEngine", "events": [{"type": "TorrentCompleted", "torrent_hash": "a" * 999}]},
        {"t": "FromEngine", "events": [{"type": "PieceHashFailed", "torrent_hash": "a", "piece": -1}]},
    ],
)
def test_every_field_has_a_cap(message: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match="length|int"):
        decode_from_part(msgpack.packb(message))


def _memory() -> int:
    """The most that this process has had, in kB; reset by the kernel when asked to."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


async def test_it_cannot_type_on_the_daemons_terminal(ca: TestCA, tmp_path: Path) -> None:
    """A daemon that root has started by hand has root's terminal, and so has whoever inherits its standard error."""
    program = textwrap.dedent(
        f"""
        import os, sys, trio
        from pathlib import Path
        from p2pdist.network.process import Launch, NetworkPart
        from tests.adversary.test_network_part import ME, TAKEN_OVER, ended
        from tests.helpers.pki import TestCA
        from tests.unit.p2pdist.network.test_process import start
        import textwrap
        does = textwrap.dedent(TAKEN_OVER) + '''
        try:
            own = os.open("/dev/tty", os.O_RDWR)
        except OSError:
            sys.exit(41)
        sys.exit(42)
        '''.replace("\\n        ", "\\n")
        launch = Launch(ME, Path({str(tmp_path)!r}), "info", (sys.executable, "-c", does), 0.2)
        async def main():
            part = NetworkPart(launch, lambda: start(TestCA("t")))
            async with trio.open_nursery() as nursery:
                await nursery.start(part.run)
                print(await ended(part))
                nursery.cancel_scope.cancel()
        trio.run(main)
        """
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    said = b""
    with trio.fail_after(WITHIN_SECONDS):
        try:
            while chunk := await trio.to_thread.run_sync(os.read, terminal, 4_096):
                said += chunk
        except OSError as error:
            assert error.errno == errno.EIO  # noqa: PT017 - the end of a terminal
    await trio.to_thread.run_sync(os.waitpid, child, 0)
    os.close(terminal)
    assert b"status 41" in said, said


async def test_its_log_cannot_draw_and_cannot_flood(
    ca: TestCA, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    floods = """
        os.write(2, b"\\x1b[2J drawn\\n")
        for _ in range(20_000):
            os.write(2, b"x" * 99 + b"\\n")
        os.write(2, b"last words")
        sys.exit(3)
    """
    async with taken_over(tmp_path, ca, floods) as part:
        await ended(part)
    said = capfd.readouterr().err
    assert "?[2J drawn" in said
    assert len(said) < 2 * MAX_BURST_BYTES + 10_000
