"""`p2pdist.core.install_answers`: words about how programs ended and what checks saw."""

import pytest

from p2pdist.core.install_answers import exit_words, package_answer, package_states, printable, unit_answer
from p2pdist.manifest.recipe import PackageCheck, UnitCheck
from p2pdist.manifest.versions import Ecosystem


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
    state = (
        "\nSERVICE_NAME: acme\n        TYPE               : 10  WIN32_OWN_PROCESS\n        STATE              : {}\n"
    )
    assert unit_answer(unit, 0, state.format("4  RUNNING"), windows=True).holds
    assert not unit_answer(unit, 0, state.format("1  STOPPED"), windows=True).holds
    assert not unit_answer(unit, 1060, "", windows=True).holds
