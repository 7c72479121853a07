"""Asks polkit whether a user's process may see what the daemon does: by its own program, which speaks D-Bus."""

import enum
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import trio

from p2pdist.local_api.peer import LocalPeer

ACTION = "org.p2pdist.users"
PKCHECK = Path("/usr/bin/pkcheck")
POLICY = Path("/usr/share/polkit-1/actions/org.p2pdist.policy")
ANSWER_SECONDS = 3.0  # it answers in hundredths of a second, and hangs where D-Bus does
_OWNER = "Uid:"  # in /proc/PID/status: real user, effective, saved, of files
_START_TIME = 19  # of a process, counted from the field after its name: field 22 of /proc/PID/stat


class PolkitAnswer(enum.Enum):
    """What polkit says."""

    YES = enum.auto()
    NO = enum.auto()
    SILENT = enum.auto()
    """It does not answer: that is no yes."""
    NOT_THERE = enum.auto()
    """It is not installed, or does not know our action: others decide."""


@dataclass(frozen=True)
class Polkit:
    """polkit on this PC, asked for one of a user's processes at a time."""

    program: Path = PKCHECK
    policy: Path = POLICY
    processes: Path = Path("/proc")
    answer_seconds: float = ANSWER_SECONDS
    _turns: defaultdict[int, trio.Lock] = field(default_factory=lambda: defaultdict(trio.Lock))

    async def decides(self, peer: LocalPeer) -> PolkitAnswer:
        """Return what polkit says of ``peer``."""
        if not (self.program.exists() and self.policy.exists()):
            return PolkitAnswer.NOT_THERE
        try:
            began = self._began(peer.pid)
            owner = self._owner(peer.pid)  # after its start: what gets the number from now on is not meant
        except (OSError, ValueError, IndexError):  # it has gone, or is in another container
            return PolkitAnswer.NO
        # polkit itself answers root by the session of whatever process has the number, whoever is said to own it
        if owner != peer.uid:
            return PolkitAnswer.NO
        words = [str(self.program), "--action-id", ACTION, "--process", f"{peer.pid},{began},{peer.uid}"]
        turn = self._turns[peer.uid]
        try:
            with trio.move_on_after(self.answer_seconds):
                async with turn:
                    ended = await trio.run_process(
                        words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd="/"
                    )
                    # 1: no; 2 and 3: only after a password, for which nobody is asked
                    return {0: PolkitAnswer.YES, 1: PolkitAnswer.NO, 2: PolkitAnswer.NO, 3: PolkitAnswer.NO}.get(
                        ended.returncode, PolkitAnswer.SILENT
                    )
        except OSError:
            return PolkitAnswer.SILENT
        finally:
            if not turn.statistics().tasks_waiting and not turn.locked():
                self._turns.pop(peer.uid, None)
        return PolkitAnswer.SILENT

    def _began(self, pid: int) -> int:
        """Return when a process began, in the kernel's own unit. Raises `OSError`, `ValueError`, `IndexError`."""
        text = (self.processes / str(pid) / "stat").read_text(errors="replace")
        return int(text.rpartition(")")[2].split()[_START_TIME])

    def _owner(self, pid: int) -> int:
        """Return a process's real user, whom polkit goes by, too. Raises `OSError`, `ValueError`, `IndexError`."""
        text = (self.processes / str(pid) / "status").read_text(errors="replace")
        return [int(line.split()[1]) for line in text.splitlines() if line.startswith(_OWNER)][0]  # noqa: RUF015
