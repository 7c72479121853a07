"""Run one program to its end. Only this module starts processes on an endpoint, and only `installer` uses it."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from p2pdist.install.command_lines import CommandLine, kill_tree_command
from p2pdist.install.descendants import CAN_HOLD, end_descendants
from p2pdist.install.limits import DEFAULT_LIMITS, RESOURCE_LIMITS, InstallLimits
from p2pdist.install.process_records import forget, recorded_process, write_record
from p2pdist.pc import system

GROUP_POLL_SECONDS = 0.02

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WINDOWS_NAMES = (
    "SystemRoot", "SystemDrive", "windir", "ComSpec", "PATH", "PATHEXT", "TEMP", "TMP", "ALLUSERSPROFILE",
    "ProgramData", "ProgramFiles", "ProgramFiles(x86)", "CommonProgramFiles", "CommonProgramFiles(x86)",
)  # fmt: skip


UMASK = 0o022

# what it sets outlives exec. A process of its own, because code in a forked child of a process with threads may hang
_ADOPT_AND_BECOME = f"""
import ctypes, os, resource, signal, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
for number in signal.valid_signals():
    if signal.getsignal(number) is signal.SIG_IGN:  # by Python, by nohup, and else by what it becomes
        signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
for name, (soft, hard) in {RESOURCE_LIMITS!r}.items():
    limit = getattr(resource, "RLIMIT_" + name)
    most = resource.getrlimit(limit)[1]
    for wanted in ((soft, hard), (soft, most), (most, most)):  # who is not root cannot raise what he was given
        try:
            resource.setrlimit(limit, wanted)
            break
        except (ValueError, OSError):
            pass
try:
    os.execv(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.stderr.write(f"{{sys.argv[1]}} cannot be started: {{error.strerror}}\\n")
    os._exit(126)
"""
# reads on what a service writes that outlives its installer: at a closed pipe it would die of SIGPIPE. It ends with it
_SINK = ("/bin/sh", "-c", "exec 3<&0; cat <&3 >/dev/null 2>&1 &")
# what this process leaves behind when it stops: nobody waits for it in here
_going_on: list[trio.Process] = []


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int | None
    """The exit code; negative: ended by this signal. None: it was late, and was killed with its whole group."""
    output: bytes
    """The end of its output."""


def clean_environment() -> dict[str, str]:
    """Return a few variables that do not depend on how the daemon was started."""
    if os.name == "nt":
        return {name: os.environ[name] for name in _WINDOWS_NAMES if name in os.environ}
    return {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "HOME": "/root" if os.geteuid() == 0 else str(Path.home()),
        "DEBIAN_FRONTEND": "noninteractive",
    }


async def run(
    command: CommandLine,
    *,
    max_output_bytes: int,
    with_errors: bool,
    pass_descriptor: int | None = None,
    record: Path | None = None,
    adopts: bool = False,
    limits: InstallLimits = DEFAULT_LIMITS,
) -> Ended:
    """Run a program in a process group of its own, and wait for it.

    The last ``max_output_bytes`` of its output are kept; ``with_errors`` includes standard error. When the program is
    late, its whole group is killed, and with ``adopts`` (on Linux) all that it has started wherever that has gone; when
    it ends by itself, a service that it has started goes on, and may go on writing. With ``adopts`` it also gets a
    system's usual limits, however the daemon was started; it always gets a usual umask. The file ``record`` names the
    process for `end_of_outlived` while it runs, and stays if it does not end even when killed. When the call is
    cancelled, a program without a record is killed; one with a record (on Linux) goes on, since one that is cut off
    leaves a PC half patched, and who comes after waits for it. Raises `OSError` when the program cannot be started.
    """
    argv, given = command.argv, command.given
    process = await trio.lowlevel.open_process(
        _adopting(argv) if adopts and CAN_HOLD else list(argv),
        stdin=subprocess.PIPE if given else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
        cwd="/" if os.name != "nt" else None,
        env=clean_environment(),
        pass_fds=() if pass_descriptor is None else (pass_descriptor,),
        start_new_session=os.name != "nt",
        umask=UMASK if os.name != "nt" else -1,
    )
    system.give_way_no_more(process.pid)
    assert process.stdout is not None
    output = bytearray()
    drained = trio.Event()
    late = recorded = False
    try:
        if record is not None:
            recorded = write_record(record, process.pid) and CAN_HOLD
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, process.stdout, output, max_output_bytes, drained)
            if process.stdin is not None:
                nursery.start_soon(_give, process.stdin, given)
            with trio.move_on_after(command.timeout_seconds):
                await process.wait()
            if process.returncode is None:
                late = True
                await _kill(process, limits)
            with trio.move_on_after(limits.linger_seconds):
                await drained.wait()
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            if not late and process.returncode is None and not recorded:
                await _kill(process, limits)
            elif not late:
                if process.returncode is None:
                    _going_on.append(process)
                if not drained.is_set():
                    await _read_on(process.stdout)
            await process.stdout.aclose()
        if record is not None and process.returncode is not None:
            forget(record)
    return Ended(None if late else process.returncode, bytes(output))


async def end_of_outlived(record: Path, timeout_seconds: float, limits: InstallLimits = DEFAULT_LIMITS) -> None:
    """Wait for a process that outlived the daemon that started it; kill it with its group when it is late."""
    group = await trio.to_thread.run_sync(recorded_process, record)
    if group is None:
        return
    with trio.move_on_after(timeout_seconds):
        while await trio.to_thread.run_sync(recorded_process, record):  # noqa: ASYNC110 — it is nobody's child any more
            await trio.sleep(limits.outlived_poll_seconds)
    if await trio.to_thread.run_sync(recorded_process, record):
        if CAN_HOLD:
            await end_descendants(group, limits.group_end_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        with trio.move_on_after(limits.group_end_seconds):
            while await trio.to_thread.run_sync(_group_lives, group):  # noqa: ASYNC110
                await trio.sleep(GROUP_POLL_SECONDS)
    forget(record)


def _adopting(argv: tuple[str, ...]) -> list[str]:
    """Return the command that makes itself the one that adopts its orphans, and then becomes ``argv``.

    Raises `OSError` for what is no program, as starting it would.
    """
    if not stat.S_ISREG(Path(argv[0]).stat().st_mode) or not os.access(argv[0], os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), argv[0])
    return [sys.executable, "-I", "-S", "-c", _ADOPT_AND_BECOME, *argv]


async def _drain(stream: trio.abc.ReceiveStream, output: bytearray, most: int, drained: trio.Event) -> None:
    async for data in stream:
        output += data
        del output[:-most]
    drained.set()


async def _give(stream: trio.abc.SendStream, data: bytes) -> None:
    with contextlib.suppress(trio.BrokenResourceError):  # it did not want to read
        await stream.send_all(data)
    await stream.aclose()


async def _read_on(stream: trio.abc.ReceiveStream) -> None:
    """Let a process of the system's own read what is still written there, for as long as somebody may write."""
    if os.name == "nt" or not isinstance(stream, trio.lowlevel.FdStream):
        return  # Windows ends nobody for it
    descriptor = stream.fileno()
    os.set_blocking(descriptor, True)
    with contextlib.suppress(OSError):
        sink = await trio.lowlevel.open_process(
            list(_SINK),
            stdin=descriptor,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=clean_environment(),
            start_new_session=True,
        )
        await sink.wait()


async def _kill(process: trio.Process, limits: InstallLimits) -> None:
    """Kill the process, which was not waited for yet, with its group, and wait a while until all are gone."""
    with trio.CancelScope(shield=True):
        if os.name == "nt":
            with contextlib.suppress(OSError):
                command = replace(kill_tree_command(process.pid), timeout_seconds=limits.group_end_seconds)
                await run(command, max_output_bytes=1, with_errors=False)
            process.kill()
            with trio.move_on_after(limits.killed_seconds):
                await process.wait()
            return
        if CAN_HOLD:
            await end_descendants(process.pid, limits.group_end_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with trio.move_on_after(limits.killed_seconds):
            await process.wait()
        with trio.move_on_after(limits.group_end_seconds):
            while await trio.to_thread.run_sync(_group_lives, process.pid):  # noqa: ASYNC110 — nothing tells of it
                await trio.sleep(GROUP_POLL_SECONDS)


def _group_lives(group: int) -> bool:
    """Return whether a process of the group still runs. A zombie that init has not reaped yet does not count."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    found = False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "PID (NAME) STATE PARENT GROUP …"; the name may contain parentheses and blanks
            state, _, its_group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            found = True
            if int(its_group) == group and state not in "ZX":
                return True
    return not found  # without /proc, the answer to the signal decides
