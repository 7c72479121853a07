"""Aligns two payloads in a process of its own: in the server's it would hold the interpreter's lock for a second.

That is for 100 MB of a payload that has not been looked at before.
"""

import contextlib
import os
import sys
import threading
from array import array
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import trio

from p2pdist.shared.identifiers import Sha256Hex, parse_sha256
from seed_server.deltas.alignment import Alignment, align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.store.content_store import ContentStore, DamagedPayloadError

ALIGN_TIMEOUT_SECONDS = 1800.0  # 100 GB from a slow disk
NICE = 5  # PCs wait for it, on a busy machine too; the event loop comes first
MAX_ERROR_CHARS = 300
_DAMAGED: Final = 65  # the child's exit code

FindsAlignment = Callable[[Sha256Hex, Sha256Hex], Awaitable[Alignment]]
"""Tells how a former payload and a new one belong together. Raises `DamagedPayloadError`."""


class AligningError(Exception):
    """The child failed. The text says why."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    base_length_bytes: int
    new_length_bytes: int
    new_places: bytes
    base_places: bytes


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
        # -P: import what this process runs, never from a current directory
        command = [sys.executable, "-P", "-m", __name__, os.fspath(self.content), os.fspath(self.coded), base, new]
        environment = os.environ | {"PYTHONPATH": os.fspath(Path(__file__).parents[2])}
        with trio.fail_after(ALIGN_TIMEOUT_SECONDS), _until_closed() as lifeline:
            # a session of its own: niceness counts within one. The origin part ignores SIGTERM, and so does its child
            ended = await trio.run_process(
                command, stdin=lifeline, capture_stdout=True, capture_stderr=True, check=False, env=environment,
                start_new_session=True, deliver_cancel=_kill,
            )  # fmt: skip
        if ended.returncode == _DAMAGED:
            raise DamagedPayloadError(ended.stderr.decode(errors="replace").strip()[:MAX_ERROR_CHARS])
        if ended.returncode != 0:
            lines = ended.stderr.decode(errors="replace").strip().splitlines() or [f"code {ended.returncode}"]
            raise AligningError(f"two payloads cannot be compared: {lines[-1][:MAX_ERROR_CHARS]}")
        answer = msgspec.msgpack.decode(ended.stdout, type=_Answer)
        return Alignment(
            answer.base_length_bytes, answer.new_length_bytes, _places(answer.new_places), _places(answer.base_places)
        )


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


def _places(data: bytes) -> "array[int]":
    return array("Q", data)


# --- in the child ------------------------------------------------------------------------


def main() -> int:
    """Find out, and write the answer to the standard output."""
    content, coded, base, new = sys.argv[1:]
    threading.Thread(target=_end_with_the_parent, daemon=True).start()  # noqa: TID251 - here is no event loop
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
    files = AnchorFiles(ContentStore(Path(content)), Path(coded))
    try:
        found = align(files.anchors(parse_sha256(base)), files.anchors(parse_sha256(new)))
    except DamagedPayloadError as error:
        sys.stderr.write(f"{error}\n")
        return _DAMAGED
    answer = _Answer(
        found.base_length_bytes, found.new_length_bytes, found.new_places.tobytes(), found.base_places.tobytes()
    )
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    return 0


def _end_with_the_parent() -> None:
    os.read(0, 1)  # nothing is ever written to it
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
