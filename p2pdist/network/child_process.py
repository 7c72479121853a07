"""The child process that the network part is: its environment and its end."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import trio

from p2pdist.network.messages import EndProcess
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.frames import encode_frame

STOP_FRAME_BYTES = 64
PASSED_ON = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV"})
PASSED_ON_PREFIXES = ("LC_", "MALLOC_", "PYTHON")


def environment_from(own: Mapping[str, str]) -> dict[str, str]:
    """Return what the process needs of the ``own`` environment: there may be secrets in it, and it has no rights.

    PYTHONPATH is made absolute: the process changes its directory.
    """
    passed = {name: value for name, value in own.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)}
    path = [str(Path(entry).absolute()) for entry in own.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {**passed, "PYTHONPATH": os.pathsep.join(path)} if path else passed


async def end(process: trio.Process, seconds: float) -> bool:
    """End the process: ask it, wait, kill it. Return whether it had to be killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with trio.move_on_after(seconds):
        try:
            await process.stdin.send_all(_STOP_FRAME)
            await process.stdin.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # it has ended, or was amid a message: the end of the pipe tells it
        await process.wait()
    alive = process.returncode is None
    if alive:
        process.kill()
        await process.wait()
    await process.stdin.aclose()
    await process.stdout.aclose()
    return alive


_STOP_FRAME: Final = encode_frame(codec.encode(EndProcess()), max_bytes=STOP_FRAME_BYTES)
