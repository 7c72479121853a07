"""What the supervisor of an upgrade does with files and processes: `supervisor`. The standard library alone."""

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl
    import resource

RUNNING, OUTPUT = "running", "output"
MAX_UPGRADE_FILE_BYTES = 1 << 20
MAX_SAID_BYTES = 16 << 10  # of an installer's output: its last lines say why it failed
MAX_OUTPUT_FILE_BYTES = 1 << 20  # then it is emptied
MAX_SEALED_BYTES = 64 << 20  # a larger payload is run from its file
KILLED_SECONDS = 10.0
BUSY_WAIT_SECONDS = 3_600.0  # for another installer to end
BUSY_POLLS = 5  # between two tries, while it is at work
PROVEN_CHUNK_BYTES = 1 << 20
CANNOT_BE_STARTED = 127

Json = dict[str, Any]


class ChangedError(Exception):
    """A payload is not what was signed any more; nothing was run."""


def read(path: Path) -> Json | None:
    """Return what a file of these holds; None: it is not there, or nobody can read it."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_UPGRADE_FILE_BYTES))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write(path: Path, value: Json) -> None:
    """Replace a file, atomically and durably. Raises `OSError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def boot() -> str:
    """Return an id of this boot of the system."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def up_seconds() -> float:
    """Return the time since the boot, by the clock of which processes' starts are told."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def identity(process_id: int) -> Json:
    """Return what tells a process from any other. Raises `OSError` where it does not run (any more)."""
    fields = Path(f"/proc/{process_id}/stat").read_text(errors="replace").rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(process_id)
    return {"id": process_id, "began": int(fields[19]) / os.sysconf("SC_CLK_TCK"), "boot": boot()}


def runs(process: Any) -> bool:
    """Return whether the process with this identity still runs."""
    try:
        return isinstance(process, dict) and identity(process["id"]) == process
    except (OSError, KeyError, ValueError, IndexError):
        return False


class Processes:
    """Runs one command at a time, below ``directory``."""

    def __init__(self, directory: Path, order: Json) -> None:
        self._directory = directory
        self._order = order
        self._poll_seconds: float = order["pace"]["poll_seconds"]

    def run_while_busy(self, command: Json) -> tuple[int | None, str]:
        """Do the same as `run`, and try again while another installer is at work: then nothing was done."""
        until = time.monotonic() + BUSY_WAIT_SECONDS
        while True:
            code, output = self.run(command)
            busy = code in command["busy_codes"] or any(sign in output for sign in self._order["locked"])
            if code == 0 or not busy or time.monotonic() >= until:
                return code, output
            time.sleep(BUSY_POLLS * self._poll_seconds)

    def run(self, command: Json) -> tuple[int | None, str]:
        """Run a command to its end; return its exit code (None: it was late) and the end of its output.

        Its output goes to a file: a pipe would break with this process. Raises `ChangedError`, `OSError`.
        """
        argv, payload = list(command["argv"]), -1
        if command.get("file"):
            payload = _proven(Path(command["file"]), command["sha256"])
            argv[command["file_at"]] = f"/proc/self/fd/{payload}"
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        output = os.open(self._directory / OUTPUT, flags, 0o600)
        try:
            try:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", umask=0o022,
                    env=self._order["environment"], start_new_session=True,
                    pass_fds=() if payload < 0 else (payload,), preexec_fn=self._in_child,  # noqa: PLW1509 - there is one thread
                )  # fmt: skip
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                return CANNOT_BE_STARTED, f"{argv[0]} cannot be started: {error}"
            code = self._wait_for(process, command["timeout_seconds"], output)
            (self._directory / RUNNING).unlink(missing_ok=True)
            return code, _tail(output)
        finally:
            os.close(output)
            if payload >= 0:
                os.close(payload)

    def _in_child(self) -> None:
        """Before the installer takes the child's place: name it, as whoever comes after a kill must wait for it."""
        for name, (soft, hard) in self._order["limits"].items():
            limit = getattr(resource, f"RLIMIT_{name}")
            most = resource.getrlimit(limit)[1]
            for wanted in ((soft, hard), (soft, most), (most, most)):
                try:
                    resource.setrlimit(limit, wanted)
                    break
                except (ValueError, OSError):
                    pass
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        write(self._directory / RUNNING, identity(os.getpid()))

    def _wait_for(self, process: "subprocess.Popen[bytes]", timeout_seconds: float, output: int) -> int | None:
        until = time.monotonic() + timeout_seconds
        while True:
            try:
                return process.wait(self._poll_seconds)
            except subprocess.TimeoutExpired:
                if os.fstat(output).st_size > MAX_OUTPUT_FILE_BYTES:
                    os.ftruncate(output, 0)
                if time.monotonic() < until:
                    continue
            _kill_group(process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(KILLED_SECONDS)
            return None

    def outlived(self, timeout_seconds: float) -> None:
        """Wait for what a supervisor that was killed had started, and end it when it is late."""
        process, until = read(self._directory / RUNNING), time.monotonic() + timeout_seconds
        while process is not None and runs(process):
            if time.monotonic() >= until:
                _kill_group(process["id"])
                until += KILLED_SECONDS
            time.sleep(self._poll_seconds)
        (self._directory / RUNNING).unlink(missing_ok=True)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _tail(output: int) -> str:
    size = os.fstat(output).st_size
    return os.pread(output, MAX_SAID_BYTES, max(0, size - MAX_SAID_BYTES)).decode(errors="replace")


def _proven(file: Path, sha256: str) -> int:
    """Return a descriptor of the proven bytes: a sealed copy in memory, or a large file itself.

    Raises `ChangedError`.
    """
    try:
        payload = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ChangedError(f"{file} cannot be opened: {error.strerror}") from error
    found = os.fstat(payload)
    memory, digest = -1, hashlib.sha256()
    if found.st_size <= MAX_SEALED_BYTES:
        memory = os.memfd_create("payload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    while stat.S_ISREG(found.st_mode) and (chunk := os.read(payload, PROVEN_CHUNK_BYTES)):
        digest.update(chunk)
        while memory >= 0 and chunk:
            chunk = chunk[os.write(memory, chunk) :]
    if digest.hexdigest() != sha256:
        os.close(payload)
        raise ChangedError(f"{file} is not what was signed any more")
    if memory < 0:
        os.lseek(payload, 0, os.SEEK_SET)
        return payload
    os.close(payload)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory
