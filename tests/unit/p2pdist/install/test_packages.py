"""`p2pdist.install.packages`: what dpkg and rpm say of files, of what is installed, and of what is held."""

import pytest

from p2pdist.install.command_lines import DerivedCheck
from p2pdist.install.findings import Whether
from p2pdist.install.packages import PackageFile, package_answer, package_states, read_package, states_words
from p2pdist.shared.manifest.recipe import PackageCheck
from p2pdist.shared.manifest.versions import Ecosystem


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
    assert answer.finding is Whether.UNKNOWN
    assert "cannot be compared" in answer.words
    assert package_states("installed 1\n\n") == (("installed", "1"),)


@pytest.mark.parametrize(("there", "holds"), [("2.0-1", True), ("2:2.0-1", True), ("2.1-1", False), ("1.9-1", False)])
def test_going_back_is_done_when_the_later_version_is_gone(there: str, holds: bool) -> None:
    check = DerivedCheck(name="acme", at_least="2.0-1", exact=True)
    answer = package_answer(check, (("installed", there),), Ecosystem.DEB)
    assert answer.holds == holds
    if there == "2.1-1":
        assert answer.words == "acme 2.1-1 is installed, and it goes back to 2.0-1"


@pytest.mark.parametrize(
    ("output", "package"),
    [
        ("acme 1:2.0-1 amd64\n", PackageFile("acme", "1:2.0-1", "amd64")),
        ("acme 2.0-1.el9 x86_64\nacme\nlibacme.so\n", PackageFile("acme", "2.0-1.el9", "x86_64")),
        ("kernel-core 5.14.0-1.el9 x86_64\nkernel-core\n", PackageFile("kernel-core", "5.14.0-1.el9", "x86_64", True)),
        ("kmod-x 1-1 x86_64\ninstallonlypkg(kernel-module)\n", PackageFile("kmod-x", "1-1", "x86_64", True)),
        ("kernel-rt 6-1 x86_64\nmultiversion(kernel)\n", PackageFile("kernel-rt", "6-1", "x86_64", True)),
        ("kernel 1.0 amd64\n", PackageFile("kernel", "1.0", "amd64")),  # of Debian: nothing is listed that it provides
        ("", None),
        ("acme 2.0\n", None),
        ("acme  2.0 amd64\n", None),
        ("acme " + "2" * 301 + " amd64\n", None),
    ],
)
def test_what_a_package_s_file_holds(output: str, package: PackageFile | None) -> None:
    assert read_package(output) == package


def test_rpm_s_name_for_exactly_one_version_has_no_epoch() -> None:
    assert PackageFile("acme", "5:2.0-1.el9", "x86_64").exactly == "acme-2.0-1.el9.x86_64"


def test_states_can_be_compared() -> None:
    assert states_words((("installed", "2"), ("installed", "1"))) == states_words(
        (("installed", "1"), ("installed", "2"))
    )
    assert states_words(()) == "not installed"
    assert states_words((("half-installed", ""),)) == "half-installed"


def test_a_package_s_own_version_is_compared_with_its_epoch() -> None:
    own = DerivedCheck(name="acme", at_least="1:3.0-1", own=True)
    assert not package_answer(own, (("installed", "5.0-1"),), Ecosystem.DEB).holds
    assert package_answer(own, (("installed", "1:3.0-1"),), Ecosystem.DEB).holds
