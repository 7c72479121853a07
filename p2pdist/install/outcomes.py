"""The outcomes of commands and units, read from exit codes and output, in words for people. Pure."""

import enum
import re
from dataclasses import dataclass

from p2pdist.install.findings import CheckResult, found, unknown
from p2pdist.shared.manifest.recipe import UnitCheck

SIGNALS = {1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM"}
LOCKED = (
    "lock was locked by another process",
    "can't create transaction lock",
    "is locked by another",
    "unable to lock database",
)
WAITS = "waiting for transaction lock"  # of rpm, which itself waits for as long as it may
MAX_SAID_CHARS = 160  # of an installer's output in a reason; `p2pdist history --output` has more
NO_SUCH_SERVICE = 1060  # sc.exe: ERROR_SERVICE_DOES_NOT_EXIST

_HINTS = (
    (("No space left on device", "not enough disk space"), "the disk is full"),
    (LOCKED, "another program is installing packages at this moment"),
    (("dependency problems", "Failed dependencies"), "packages that it depends on are missing"),
)
_TELLS = re.compile(
    r"will not downgrade|error|cannot|can't|could not|denied|refused|failed|conflict|in use", re.IGNORECASE
)


class InstallEnding(enum.StrEnum):
    """How an installer has ended, by its own word. Whether the patch is installed, only a look says."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BUSY = "busy"
    """It did nothing, as something else was at work; it wants to be tried later."""
    UNKNOWN = "unknown"
    """It was interrupted."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended. Whether the patch is installed, only a look says."""

    succeeded: bool
    words: str
    """For people: exit code, timeout, disk full."""
    output: str = ""
    """The end of its output, printable."""
    reboot: bool = False
    exit_code: int | None = None
    busy: bool = False
    """Whether it did nothing and is only to be tried later."""
    known: bool = True
    """Whether it came to its end; or, of an undoing, whether what is there could be found out at all."""

    @property
    def ending(self) -> InstallEnding:
        """The one word for it."""
        if not self.known:
            return InstallEnding.UNKNOWN
        if self.busy:
            return InstallEnding.BUSY
        return InstallEnding.SUCCEEDED if self.succeeded else InstallEnding.FAILED

    @property
    def reason(self) -> str:
        """Why it is no success, with the line of its output that tells most; of a success, that line alone."""
        said = telling_line(self.output, any_line=not (self.succeeded or self.busy))
        words = "" if self.succeeded else self.words
        return "; ".join(part for part in (words, f'it said "{said}"' if said else "") if part)


def telling_line(output: str, *, any_line: bool) -> str:
    """Return the line of an installer's output that tells most: the last about an error, else the last (or none)."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLS.search(line)]
    chosen = telling or (lines if any_line else [])
    return chosen[-1][:MAX_SAID_CHARS] if chosen else ""


def printable(data: bytes) -> str:
    """Return a program's output as lines of text, without characters that control a terminal."""
    text = data.decode(errors="replace").replace("\r\n", "\n").replace("\t", " ")
    return "".join(sign if sign == "\n" or sign.isprintable() else "�" for sign in text)


def is_locked(output: str) -> bool:
    """Return whether a package manager has said that another program is at work."""
    return any(sign in output for sign in LOCKED)


def waits_for_lock(output: str) -> bool:
    """Return whether the last that a package manager said is that it waits for another program: it has done nothing."""
    lines = output.split("\n")
    return any(WAITS in line for line in [line for line in lines if line.strip()][-1:])


def exit_words(program: str, code: int, output: str) -> str:
    """Return how a program ended, with the reason if its output names one that is known here."""
    if code < 0:
        ended = f"{program} was ended by {SIGNALS.get(-code, f'signal {-code}')}"
    else:
        ended = f"{program} ended with exit code {code}"
    hint = next((words for signs, words in _HINTS if any(sign in output for sign in signs)), None)
    return f"{ended}: {hint}" if hint else ended


def unit_answer(check: UnitCheck, code: int, output: str, *, windows: bool) -> CheckResult:
    """Return whether a systemd unit, or a service of Windows, runs."""
    if windows:
        if code not in (0, NO_SUCH_SERVICE):
            return unknown(f"the service {check.unit} cannot be asked: code {code}")
        # names of lines and states are in the system's language, so go by place: first TYPE (in hex), then STATE
        numbers = re.findall(r"^[ \t]+[^:\n]*:[ \t]*([0-9A-Fa-f]+)(?=\s|$)", output, re.MULTILINE)
        running = code == 0 and numbers[1:2] == ["4"]
        return found(running, f"the service {check.unit} {'runs' if running else 'does not run'}")
    lines = output.split()
    if code and not lines:  # it prints a state even of a unit that does not exist
        return unknown(f"systemd does not say whether {check.unit} is active")
    return found(code == 0, f"{check.unit} is {lines[0] if lines else 'active'}")
