"""`p2pdist.install.outcomes`: words about how programs ended and what checks saw."""

import pytest

from p2pdist.install.command_lines import DerivedCheck
from p2pdist.install.outcomes import exit_words, package_answer, package_states, printable, unit_answer
from p2pdist.shared.manifest.recipe import PackageCheck, UnitCheck
from p2pdist.shared.manifest.versions import Ecosystem


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


@pytest.mark.parametrize(
    ("output", "ecosystem", "holds", "words"),
    [
        ("installed 2.1-1\n", Ecosystem.DEB, True, "acme 2.1-1 is installed"),
        ("installed 1:1.0\n", Ecosystem.DEB, True, "acme 1:1.0 is installed"),
        ("installed 2.1~rc1\n", Ecosystem.DEB, False, "acme 2.1~rc1 is installed, 2.1 is wanted"),
        ("half-configured 2.1\n", Ecosystem.DEB, False, "acme 2.1 is not whole but half-configured"),
        ("half-installed \n", Ecosystem.DEB, False, "acme is not whole but half-installed"),
        ("config-files 2.1\n", Ecosystem.DEB, False, "acme is not installed"),
        ("not-installed \n", Ecosystem.DEB, False, "acme is not installed"),
        ("", Ecosystem.DEB, False, "acme is not installed"),
        ("installed 2.0-1.el9\ninstalled 2.1-3.el9\n", Ecosystem.RPM, True, "acme 2.1-3.el9 is installed"),
        ("installed 5:2.0-1.el9\n", Ecosystem.RPM, True, "acme 5:2.0-1.el9 is installed"),
        ("installed 2.0-1.el9\n", Ecosystem.RPM, False, "acme 2.0-1.el9 is installed, 2.1 is wanted"),
    ],
)
def test_packages(output: str, ecosystem: Ecosystem, holds: bool, words: str) -> None:
    answer = package_answer(PackageCheck(name="acme", at_least="2.1"), package_states(output), ecosystem)
    assert (answer.holds, answer.words) == (holds, words)


@pytest.mark.parametrize("ecosystem", [Ecosystem.DEB, Ecosystem.RPM])
def test_a_patch_has_no_epoch_and_none_is_compared_with_its_version(ecosystem: Ecosystem) -> None:
    derived, said = (kind(name="openssh", at_least="9.1") for kind in (DerivedCheck, PackageCheck))
    old, new = (package_states(f"installed 2:{version}-3\n") for version in ("9.0", "9.1"))
    assert package_answer(derived, old, ecosystem).words == "openssh 2:9.0-3 is installed, 9.1 is wanted"
    assert package_answer(derived, new, ecosystem).words == "openssh 2:9.1-3 is installed"
    assert package_answer(derived, new, ecosystem).holds
    assert package_answer(derived, (*new, *old), ecosystem).holds
    assert package_answer(said, old, ecosystem).holds  # a check that names no epoch means none


def test_a_version_that_cannot_be_compared_is_not_proof() -> None:
    answer = package_answer(PackageCheck(name="acme", at_least="x"), (("installed", "2.1"),), Ecosystem.DEB)
    assert not answer.holds
    assert "cannot be compared" in answer.words
    assert package_states("installed 1\n\n") == (("installed", "1"),)


def test_units() -> None:
    unit = UnitCheck(unit="acme")
    assert unit_answer(unit, 0, "active\n", windows=False).words == "acme is active"
    answer = unit_answer(unit, 3, "failed\n", windows=False)
    assert (answer.holds, answer.words) == (False, "acme is failed")
    assert not unit_answer(unit, 1, "", windows=False).holds
    assert not unit_answer(unit, 1060, "", windows=True).holds


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


@pytest.mark.parametrize(("there", "holds"), [("2.0-1", True), ("2:2.0-1", True), ("2.1-1", False), ("1.9-1", False)])
def test_going_back_is_done_when_the_later_version_is_gone(there: str, holds: bool) -> None:
    check = DerivedCheck(name="acme", at_least="2.0-1", exact=True)
    answer = package_answer(check, (("installed", there),), Ecosystem.DEB)
    assert answer.holds == holds
    if there == "2.1-1":
        assert answer.words == "acme 2.1-1 is installed, and it goes back to 2.0-1"
