"""The outcomes of commands and checks, read from exit codes and output, in words for people. Pure."""

import re
from dataclasses import dataclass
from typing import TypeAlias

from p2pdist.install.command_lines import DerivedCheck
from p2pdist.shared.manifest.recipe import PackageCheck, UnitCheck
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version

SIGNALS = {1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM"}
LOCKED = ("lock was locked by another process", "can't create transaction lock", "is locked by another")

_HINTS = (
    (("No space left on device", "not enough disk space"), "the disk is full"),
    (LOCKED, "another program is installing packages at this moment"),
    (("dependency problems", "Failed dependencies"), "packages that it depends on are missing"),
)


PackageStates: TypeAlias = tuple[tuple[str, str], ...]
"""(state, version) of a package. There are several for several architectures, or for kernels side by side.

The version is "" for a package whose first installation was interrupted.
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended. Whether the patch is installed, only a check says."""

    succeeded: bool
    words: str
    """For people: exit code, timeout, disk full."""
    output: str = ""
    """The end of its output, printable."""
    reboot: bool = False
    exit_code: int | None = None


@dataclass(frozen=True)
class CheckResult:
    """Whether a check holds, and what it found, in words."""

    holds: bool
    words: str


def printable(data: bytes) -> str:
    """Return a program's output as lines of text, without characters that control a terminal."""
    text = data.decode(errors="replace").replace("\r\n", "\n").replace("\t", " ")
    return "".join(sign if sign == "\n" or sign.isprintable() else "�" for sign in text)


def exit_words(program: str, code: int, output: str) -> str:
    """Return how a program ended, with the reason if its output names one that is known here."""
    if code < 0:
        ended = f"{program} was ended by {SIGNALS.get(-code, f'signal {-code}')}"
    else:
        ended = f"{program} ended with exit code {code}"
    hint = next((words for signs, words in _HINTS if any(sign in output for sign in signs)), None)
    return f"{ended}: {hint}" if hint else ended


def package_states(output: str) -> PackageStates:
    """Return the states in a package query's output, without those that mean "not installed"."""
    states = []
    for line in output.splitlines():
        state, _, version = line.strip().partition(" ")
        if state and state not in {"not-installed", "config-files"}:
            states.append((state, version))
    return tuple(states)


def package_answer(check: PackageCheck, states: PackageStates, ecosystem: Ecosystem) -> CheckResult:
    """Return whether the queried package is completely installed, in the wanted version or a later one."""
    if not states:
        return CheckResult(False, f"{check.name} is not installed")
    whole = [version for state, version in states if state == "installed"]
    if not whole:
        state, version = states[0]
        return CheckResult(False, f"{f'{check.name} {version}'.rstrip()} is not whole but {state}")
    try:
        wanted = parse_version(check.at_least, ecosystem)
        of = {version: parse_version(_compared(version, check), ecosystem) for version in whole}
    except InvalidVersionError as error:
        return CheckResult(False, f"{check.name} {whole[0]} cannot be compared: {error}")
    newest = max(of, key=of.__getitem__)
    if of[newest] < wanted:
        return CheckResult(False, f"{check.name} {newest} is installed, {check.at_least} is wanted")
    if of[newest] > wanted and isinstance(check, DerivedCheck) and check.exact:
        return CheckResult(False, f"{check.name} {newest} is installed, and it goes back to {check.at_least}")
    return CheckResult(True, f"{check.name} {newest} is installed")


def _compared(version: str, check: PackageCheck) -> str:
    without = isinstance(check, DerivedCheck) and not check.with_epoch
    return re.sub(r"^[0-9]+:", "", version) if without else version


def unit_answer(check: UnitCheck, code: int, output: str, *, windows: bool) -> CheckResult:
    """Return whether a systemd unit, or a service of Windows, runs."""
    if windows:
        # names of lines and states are in the system's language, so go by place: first TYPE (in hex), then STATE
        numbers = re.findall(r"^[ \t]+[^:\n]*:[ \t]*([0-9A-Fa-f]+)(?=\s|$)", output, re.MULTILINE)
        running = code == 0 and numbers[1:2] == ["4"]
        return CheckResult(running, f"the service {check.unit} {'runs' if running else 'does not run'}")
    lines = output.split()
    return CheckResult(code == 0, f"{check.unit} is {lines[0] if lines else 'unknown to systemd'}")
