"""A line between two namespaces: `wan_link.c`, compiled once, run as one process per line."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import trio

from bandwidth.core.units import MBIT
from bench.lab.namespaces import NAMESPACES, LabError

SOURCE = Path(__file__).with_name("wan_link.c")
ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "lab"
LONGEST_LOG_MS = 30 * 60 * 1000  # about 130 MB
ANSWER_SECONDS = 10.0
COMPILE_SECONDS = 60.0
_MIN_BUFFER_BYTES = 3 * 1500  # a line that cannot hold a burst of two segments is no line


@dataclass(frozen=True, slots=True)
class DirectionShape:
    """One direction of a line."""

    rate_mbit: float
    delay_ms: float
    """One-way delay, without queue and without the packet's own time on the wire."""
    buffer_ms: float
    """How long a full buffer takes to empty at ``rate_mbit``."""
    queue: Literal["fifo", "fq"] = "fifo"
    loss: float = 0.0

    @property
    def buffer_bytes(self) -> int:
        """The limit of what waits, without the packet on the wire."""
        return max(_MIN_BUFFER_BYTES, round(self.rate_mbit * MBIT * self.buffer_ms / 1000))

    def words(self) -> list[str]:
        """Return the direction as arguments of the program."""
        rate, delay = round(self.rate_mbit * 1e6), round(self.delay_ms * 1e6)
        return [str(rate), str(delay), str(self.buffer_bytes), self.queue, str(self.loss)]


@dataclass(frozen=True, slots=True)
class LineShape:
    """Both directions."""

    down: DirectionShape
    up: DirectionShape


def line_shape(
    down_mbit: float,
    up_mbit: float,
    *,
    rtt_ms: float,
    buffer_ms: float,
    queue: Literal["fifo", "fq"] = "fifo",
    loss: float = 0.0,
) -> LineShape:
    """Return a line with half of the round trip each way; ``loss`` is of the direction towards the branch."""
    return LineShape(
        DirectionShape(down_mbit, rtt_ms / 2, buffer_ms, queue, loss),
        DirectionShape(up_mbit, rtt_ms / 2, buffer_ms, queue),
    )


class ClassCounters(msgspec.Struct, frozen=True):
    """What a direction carried for one class; ``payload_bytes`` is above TCP or UDP, retransmissions included."""

    packets: int
    bytes: int
    payload_bytes: int
    dropped: int
    lost: int


class DirectionCounters(msgspec.Struct, frozen=True):
    """One direction since the start."""

    backlog_max_bytes: int
    written: int
    late: int
    """Packets that came out over 1 ms late: the processor was the limit, not the line."""
    late_max_ns: int
    write_errors: int
    classes: tuple[ClassCounters, ClassCounters]


class LineCounters(msgspec.Struct, frozen=True):
    """The counters of a line, as it reports them."""

    at_ns: int
    log_records: int
    log_skipped: int
    cpu_seconds: float
    down: DirectionCounters
    up: DirectionCounters

    @property
    def late_share(self) -> float:
        """Share of packets that came out over 1 ms late."""
        return (self.down.late + self.up.late) / max(1, self.down.written + self.up.written)


def compiled(cache: Path = CACHE) -> Path:
    """Compile the program unless that has been done for this source, and return its path. Raises `LabError`."""
    source = SOURCE.read_bytes()
    program = cache / f"wan_link-{hashlib.sha256(source).hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which("gcc")
    if compiler is None:
        raise LabError("the lab needs gcc, to compile the line between two networks")
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_name(f"{program.name}.{os.getpid()}")
    done = subprocess.run(
        [compiler, "-O2", "-Wall", "-o", unfinished, SOURCE],
        capture_output=True,
        text=True,
        check=False,
        timeout=COMPILE_SECONDS,
    )
    if done.returncode != 0:
        raise LabError(f"{SOURCE.name} does not compile:\n{done.stderr.strip()}")
    unfinished.replace(program)
    return program


@dataclass
class WanLine:
    """A running line; made by `open_line`."""

    shape: LineShape
    log: Path
    _process: trio.Process
    _answers: "_Answers"
    final: LineCounters | None = None
    """Its final counters, once the context has closed."""

    async def set_rate(self, direction: Literal["down", "up"], rate_mbit: float) -> None:
        """Change the rate of a direction now; the buffer keeps its bytes."""
        await self._ask(f"rate {direction} {round(rate_mbit * 1e6)}")

    async def cut(self) -> None:
        """Unplug the line: both directions lose all that is queued or on its way, and all that comes until `mend`."""
        await self._ask("cut")

    async def mend(self) -> None:
        """Plug the line in again."""
        await self._ask("mend")

    async def repeat_losses(self) -> None:
        """Begin the random losses of business again: its n-th packet from here meets what the n-th one met before."""
        await self._ask("same losses")

    async def counters(self) -> LineCounters:
        """Return the present counters, and make the line write out its log."""
        return msgspec.json.decode(await self._ask("stats"), type=LineCounters)

    async def _ask(self, command: str) -> bytes:
        assert self._process.stdin is not None
        with trio.move_on_after(ANSWER_SECONDS):
            await self._process.stdin.send_all(f"{command}\n".encode())
            return await self._answers.line()
        raise LabError(f"the line did not answer {command!r} within {ANSWER_SECONDS:.0f} s")


@asynccontextmanager
async def open_line(
    shape: LineShape, head: tuple[str, str], branch: tuple[str, str], log: Path, *, log_ms: int = LONGEST_LOG_MS
) -> AsyncIterator[WanLine]:
    """Yield a line between two devices, (namespace, name) each, which it makes. Give them addresses before use.

    ``log`` gets at most ``log_ms`` records, see `bench.lab.queue_log`.
    """
    program = await trio.to_thread.run_sync(compiled)
    ends = [word for space, device in (head, branch) for word in (str(NAMESPACES / space), device)]
    command = [str(program), *ends, str(log), str(log_ms), *shape.down.words(), *shape.up.words()]
    errors = log.with_suffix(".errors")
    with errors.open("wb") as error_file:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=error_file, start_new_session=True
        )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        answers = _Answers(process.stdout)
        with trio.move_on_after(ANSWER_SECONDS) as scope:
            if await answers.line() != b"ready":
                raise LabError(f"the line did not start: {errors.read_text().strip()}")
        if scope.cancelled_caught:
            raise LabError(f"the line did not start within {ANSWER_SECONDS:.0f} s: {errors.read_text().strip()}")
        line = WanLine(shape, log, process, answers)
        yield line
        with trio.move_on_after(ANSWER_SECONDS):
            await process.stdin.aclose()
            line.final = msgspec.json.decode(await answers.line(), type=LineCounters)
            await process.wait()
    finally:
        await _end(process)


async def _end(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        if process.stdin is not None:
            await process.stdin.aclose()  # then it ends by itself
        with trio.move_on_after(ANSWER_SECONDS):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        if process.stdout is not None:
            await process.stdout.aclose()


class _Answers:
    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def line(self) -> bytes:
        """Return the next line, or b"" at the end."""
        while b"\n" not in self._buffer:
            more = await self._stream.receive_some()
            if not more:
                return b""
            self._buffer += more
        first, _, self._buffer = self._buffer.partition(b"\n")
        return first
