"""`p2pdist.install.outcomes`: words about how programs ended and what checks saw."""

import pytest

from p2pdist.install.findings import Whether
from p2pdist.install.outcomes import Outcome, exit_words, printable, telling_line, unit_answer, waits_for_lock
from p2pdist.shared.manifest.recipe import UnitCheck


@pytest.mark.parametrize(
    ("code", "output", "words"),
    [
        (0, "", "dpkg ended with exit code 0"),
        (-9, "", "dpkg was ended by SIGKILL"),
        (-34, "", "dpkg was ended by signal 34"),
        (2, "x: No space left on device\n", "dpkg ended with exit code 2: the disk is full"),
        (
            2,
            "dpkg: error: dpkg frontend lock was locked by another process with pid 1",
            "dpkg ended with exit code 2: another program is installing packages at this moment",
        ),
        (
            1,
            "dpkg: dependency problems prevent configuration of acme:",
            "dpkg ended with exit code 1: packages that it depends on are missing",
        ),
    ],
)
def test_how_a_program_ended(code: int, output: str, words: str) -> None:
    assert exit_words("dpkg", code, output) == words


def test_output_moves_no_terminal() -> None:
    assert printable(b"a\r\nb\tc\x1b[2J\xff\x00\xe2\x80\xae") == "a\nb c�[2J���"


def test_units() -> None:
    unit = UnitCheck(unit="acme")
    assert unit_answer(unit, 0, "active\n", windows=False).words == "acme is active"
    answer = unit_answer(unit, 3, "failed\n", windows=False)
    assert (answer.holds, answer.words) == (False, "acme is failed")
    assert unit_answer(unit, 1, "", windows=False).finding is Whether.UNKNOWN  # there is no systemd to be asked
    assert unit_answer(unit, 1060, "", windows=True).finding is Whether.NO
    assert unit_answer(unit, 5, "", windows=True).finding is Whether.UNKNOWN


@pytest.mark.parametrize(
    ("output", "any_line", "line"),
    [
        (
            "Selecting\ndpkg: warning: will not downgrade acme from 2 to 1, skipping\ndone\n",
            False,
            "dpkg: warning: will",
        ),
        ("a\nb\n", True, "b"),
        ("a\nb\n", False, ""),
        ("", True, ""),
        ("x" * 500 + " failed", True, "x" * 160),
    ],
)
def test_the_line_of_an_installer_that_tells_most(output: str, any_line: bool, line: str) -> None:
    assert telling_line(output, any_line=any_line).startswith(line)
    assert bool(telling_line(output, any_line=any_line)) is bool(line)


def test_a_reason_has_the_installer_s_own_words() -> None:
    assert Outcome(False, "sh ended with exit code 3", "a\nwhy\n").reason == 'sh ended with exit code 3; it said "why"'
    assert Outcome(True, "done", "a\nb\n").reason == ""


ENGLISH = """
SERVICE_NAME: {name}
        TYPE               : {type}  WIN32_OWN_PROCESS
        STATE              : {state}
                                (NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)
        WIN32_EXIT_CODE    : {code}
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
"""
GERMAN = """
DIENSTNAME: {name}
        TYP                : {type}  WIN32_OWN_PROCESS
        STATUS             : {state}
                                (NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)
        WIN32_BEENDEN      : {code}
        DIENST_BEENDEN     : 0  (0x0)
        PR�FPUNKT          : 0x0
        WARTEHINWEIS       : 0x0
"""


@pytest.mark.parametrize("form", [ENGLISH, GERMAN])
@pytest.mark.parametrize(
    ("type_", "state", "code", "runs"),
    [
        ("10", "4  RUNNING", "0  (0x0)", True),
        ("e0", "4  RUNNING", "0  (0x0)", True),  # of a user's service: hex
        ("10", "1  STOPPED", "4  (0x4)", False),  # it ended with code 4
        ("4", "1  STOPPED", "0  (0x0)", False),
        ("10", "2  START_PENDING", "0  (0x0)", False),
    ],
)
def test_services_of_windows_run_by_their_state_in_any_language(
    form: str, type_: str, state: str, code: str, runs: bool
) -> None:
    output = form.format(name="acme: 4 ", type=type_, state=state, code=code)
    answer = unit_answer(UnitCheck(unit="acme"), 0, output, windows=True)
    assert (answer.holds, answer.words) == (runs, f"the service acme {'runs' if runs else 'does not run'}")


def test_rpm_that_waits_has_done_nothing() -> None:
    waits = "warning: waiting for transaction lock on /var/lib/rpm/.rpm.lock\n"
    assert waits_for_lock(waits)
    assert not waits_for_lock(f"{waits}Updating / installing...\n")
    assert not waits_for_lock("")
