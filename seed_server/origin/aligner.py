"""Has two payloads aligned by a child process, which ends with this one."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.own_programs import own_environment, own_program
from seed_server.deltas import aligning
from seed_server.deltas.alignment import Alignment
from seed_server.store.content_store import DamagedPayloadError

ALIGN_TIMEOUT_SECONDS = 1800.0  # 100 GB from a slow disk
MAX_CHILD_ERROR_CHARS = 300


class AligningError(Exception):
    """The child failed. The text says why."""


@dataclass(frozen=True)
class Aligner:
    """For one home; a `FindsAlignment`."""

    content: Path
    coded: Path

    async def __call__(self, base: Sha256Hex, new: Sha256Hex) -> Alignment:
        """Return what a child finds; it ends with this process, where this is cancelled, and after its time.

        Raises `DamagedPayloadError` for a payload that cannot be read, `AligningError` for a child that fails or is
        killed, `OSError` for one that cannot be started, and `trio.TooSlowError`.
        """
        command = own_program(aligning.__name__, os.fspath(self.content), os.fspath(self.coded), base, new)
        with trio.fail_after(ALIGN_TIMEOUT_SECONDS), _until_closed() as lifeline:
            # a session of its own: niceness counts within one. The origin part ignores SIGTERM, and so does its child
            ended = await trio.run_process(
                command, stdin=lifeline, capture_stdout=True, capture_stderr=True, check=False, env=own_environment(),
                start_new_session=True, deliver_cancel=_kill,
            )  # fmt: skip
        if ended.returncode == 0:
            return aligning.decoded(ended.stdout)
        lines = ended.stderr.decode(errors="replace").strip().splitlines() or [f"code {ended.returncode}"]
        if ended.returncode == aligning.EXIT_DAMAGED:
            raise DamagedPayloadError(lines[-1][:MAX_CHILD_ERROR_CHARS])
        raise AligningError(f"the child that compares them failed: {lines[-1][:MAX_CHILD_ERROR_CHARS]}")


async def _kill(child: trio.Process) -> None:
    child.kill()  # nothing is lost: what it keeps is written as a whole or not at all


@contextlib.contextmanager
def _until_closed() -> Iterator[int]:
    """Give a descriptor to read from, whose end comes with this block or this process."""
    ours, held = os.pipe()
    try:
        yield ours
    finally:
        os.close(ours)
        os.close(held)
