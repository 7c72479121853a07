"""What publishing did not look at, and what then failed on every PC."""

from pathlib import Path
from typing import Any

import pytest

from bench import sample_packages as packages
from p2pdist.install.command_lines import default_checks
from p2pdist.install.packages import package_answer
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    FileCheck,
    HealthCheck,
    Install,
    MsiInstall,
    PackageCheck,
    RpmInstall,
    ScriptInstall,
)
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.publishing.examination import Examined, Publication, examine
from seed_server.publishing.recipe import PayloadFile, Recipe, manifest_of

NOW = 1_790_000_000.0
TOOL = {"acme-2.1/bin/acme": b"#!/bin/sh\n", "acme-2.1/VERSION": b"2.1"}
RUNS = (CommandCheck(command=("/opt/acme/current/bin/acme", "-V"), output="2.1"),)


def published(folder: Path, data: bytes, install: Install, name: str = "acme.bin", **more: Any) -> Examined:
    (folder / name).write_bytes(data)
    fields: dict[str, Any] = {"patch_id": "acme", "payload": (PayloadFile(name),), "install": install, **more}
    return examine(Publication(Recipe(**fields), folder), NOW)


def errors(folder: Path, data: bytes, install: Install, **more: Any) -> str:
    return "\n".join(f"{one.where}: {one.text}" for one in published(folder, data, install, **more).errors)


# --- packages ------------------------------------------------------------------------------------


def test_a_wrong_package_or_version_of_a_deb_is_refused(tmp_path: Path) -> None:
    said = errors(tmp_path, packages.deb("acme", "2.1-1"), DebInstall(package="acmee"), version="9.9")
    assert "the recipe says 'acmee', and in acme.bin package is acme" in said
    assert "the recipe says '9.9', and the file brings 2.1-1" in said


@pytest.mark.parametrize("version", ["3.0-1", "3.0"])
def test_the_version_may_be_written_without_epoch_and_revision(version: str, tmp_path: Path) -> None:
    assert errors(tmp_path, packages.deb("acme", "1:3.0-1"), DebInstall(), version=version) == ""


def test_another_architecture_than_the_file_s_is_refused(tmp_path: Path) -> None:
    payload = (PayloadFile("acme.bin", arch="arm64"),)
    said = errors(tmp_path, packages.rpm(arch="x86_64"), RpmInstall(), payload=payload)
    assert "payload 1, arch: the recipe says 'arm64', and in acme.bin arch is amd64" in said


def test_another_product_code_is_refused(tmp_path: Path) -> None:
    code = "{00000000-0000-0000-0000-000000000000}"
    assert f"product_code is {packages.PRODUCT_CODE}" in errors(tmp_path, packages.msi(), MsiInstall(product_code=code))


def test_a_file_of_another_kind_or_a_half_download_is_refused(tmp_path: Path) -> None:
    assert "it is no Debian package" in errors(tmp_path, packages.rpm(), DebInstall())
    assert "it is no RPM package" in errors(tmp_path, packages.deb(), RpmInstall())
    assert "it is no Windows Installer package" in errors(tmp_path, packages.deb(), MsiInstall())
    assert "it ends too early" in errors(tmp_path, packages.deb()[:-10], DebInstall())
    assert "it ends too early" in errors(tmp_path, packages.rpm()[:-2], RpmInstall())


def test_a_detection_that_can_never_hold_is_refused(tmp_path: Path) -> None:
    detect = (PackageCheck(name="acme", at_least="2.2"),)
    assert "so 2.2 would never be there" in errors(tmp_path, packages.deb(), DebInstall(), detect=detect)


def test_payloads_of_two_versions_need_a_detection_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "el8.rpm").write_bytes(packages.rpm(release="3.el8"))
    (tmp_path / "el9.rpm").write_bytes(packages.rpm(release="3.el9", arch="aarch64"))
    payload = (PayloadFile("el8.rpm"), PayloadFile("el9.rpm"))
    recipe = Recipe(patch_id="acme", version="2.1", payload=payload, install=RpmInstall())
    (error,) = examine(Publication(recipe, tmp_path), NOW).errors
    assert "payload 2, file: it brings 2.1-3.el9, and payload 1 2.1-3.el8" in error.text


# --- an epoch brings an older upstream version ------------------------------------------------------


def manifest(folder: Path, data: bytes, install: Install, **more: Any) -> Manifest:
    examined = published(folder, data, install, **more)
    assert examined.errors == []
    return manifest_of(examined.publication.recipe, [], 0)


@pytest.mark.parametrize(
    ("data", "install", "ecosystem", "own", "before"),
    [
        (packages.deb("acme", "1:3.0-1"), DebInstall(), Ecosystem.DEB, "1:3.0-1", "5.0-1"),
        (packages.rpm("acme", "3.0", "1", epoch=1), RpmInstall(), Ecosystem.RPM, "1:3.0-1", "5.0-1"),
    ],
)
def test_the_package_s_own_version_is_what_detection_compares(
    data: bytes, install: Install, ecosystem: Ecosystem, own: str, before: str, tmp_path: Path
) -> None:
    (check,) = default_checks(manifest(tmp_path, data, install))
    assert isinstance(check, PackageCheck)
    assert not package_answer(check, (("installed", before),), ecosystem).holds
    assert package_answer(check, (("installed", own),), ecosystem).holds


def test_a_check_that_leaves_the_epoch_out_is_refused(tmp_path: Path) -> None:
    detect = (PackageCheck(name="acme", at_least="3.0-1"),)
    said = errors(tmp_path, packages.deb("acme", "1:3.0-1"), DebInstall(), detect=detect)
    assert "the package has an epoch" in said
    assert "write '1:3.0-1'" in said


def test_going_back_is_proven_by_exactly_the_package_s_version(tmp_path: Path) -> None:
    (check,) = default_checks(manifest(tmp_path, packages.deb("acme", "1:2.0-1"), DebInstall(), downgrade=True))
    assert isinstance(check, PackageCheck)
    answers = [
        package_answer(check, (("installed", version),), Ecosystem.DEB).holds for version in ("1:2.0-1", "1:2.1-1")
    ]
    assert answers == [True, False]


# --- scripts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "interpreter", "words"),
    [
        (b"#!/bin/sh\r\necho hi\r\n", "sh", "line 1 ends as on Windows"),
        (b"#!/bin/sh\necho hi\r\n", "bash", "line 2 ends as on Windows"),
        (b"\xef\xbb\xbf#!/bin/sh\necho hi\n", "sh", "begins with a byte order mark"),
        ("echo hi\n".encode("utf-16"), "bash", "this is UTF-16 text"),
        (b"#!/bin/sh\nif true; then\n", "sh", "sh cannot read it: line 3: "),
        (b"for x in 1 2; do echo $x; fi\n", "bash", "bash cannot read it: line 1: "),
        (b"#!/usr/bin/env python3\nprint(1)\n", "sh", "its first line names python3"),
        (b"#!/bin/sh\n", "python3", "its first line names sh"),
        (b"\x7fELF\0\0", "sh", "it is no script"),
    ],
)
def test_a_script_that_its_interpreter_cannot_read_is_refused(
    script: bytes, interpreter: Any, words: str, tmp_path: Path
) -> None:
    detect = (FileCheck(path="/opt/acme"),)
    assert words in errors(tmp_path, script, ScriptInstall(interpreter=interpreter), version="1", detect=detect)


# --- archives --------------------------------------------------------------------------------------


def unpacked(folder: Path, data: bytes, directory: str = "/opt/acme", strip: int = 0, **more: Any) -> str:
    return errors(folder, data, ArchiveInstall(directory=directory, strip_components=strip), version="2.1", **more)


def test_a_missing_strip_components_is_named(tmp_path: Path) -> None:
    said = unpacked(tmp_path, packages.tar(TOOL), detect=RUNS)
    assert "strip_components: bin/acme is in acme.bin under another path; write strip_components = 1" in said
    assert unpacked(tmp_path, packages.tar(TOOL), detect=RUNS, strip=1) == ""


def test_what_is_detected_afterwards_must_be_in_the_archive(tmp_path: Path) -> None:
    detect = (FileCheck(path="/opt/acme/current/VERSIONS"),)
    said = unpacked(tmp_path, packages.tar(TOOL), detect=detect, strip=1)
    assert said == "detect 1: detect 1: there is no VERSIONS in acme.bin; the nearest is VERSION"
    detect = (FileCheck(path="/opt/acme/current/VERSION", sha256="0" * 64),)
    assert "its sha256 is another" in unpacked(tmp_path, packages.tar(TOOL), detect=detect, strip=1)
    assert "may not be run" in unpacked(tmp_path, packages.zipped(TOOL, system=0), detect=RUNS, strip=1)
    health = HealthCheck(checks=(FileCheck(path="/opt/acme/current/run/acme.pid"),))
    archive = ArchiveInstall(directory="/opt/acme", strip_components=1)
    examined = published(tmp_path, packages.tar(TOOL), archive, version="2.1", health=health)
    assert examined.errors == []  # the application may make it
    assert any("there is no run/acme.pid" in warning.text for warning in examined.warnings)
    through_link = packages.tar(TOOL, links={"acme-2.1/tools": "bin"})
    detect = (FileCheck(path="/opt/acme/current/tools/acme"),)
    assert unpacked(tmp_path, through_link, detect=detect, strip=1) == ""


def test_backslashes_between_folders_are_refused_but_on_windows(tmp_path: Path) -> None:
    data = packages.zipped({"bin\\acme.exe": b"x"}, system=0)
    assert "have \\ between their folders" in unpacked(tmp_path, data)
    detect = (FileCheck(path="C:\\Acme\\current\\bin\\acme.exe"),)
    assert unpacked(tmp_path, data, "C:\\Acme", detect=detect) == ""


def test_names_in_an_encoding_that_is_not_said_are_refused(tmp_path: Path) -> None:
    assert "'更新.txt' has a name in CP932 (Japanese)" in unpacked(tmp_path, packages.zipped_in("cp932", "更新.txt"))
    assert "has a name in UTF-8, and the archive does not say so" in unpacked(
        tmp_path, packages.zipped_in("utf-8", "更新.txt")
    )
    assert unpacked(tmp_path, packages.zipped({"更新.txt": b"x"})) == ""


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"aux.txt": b""}, "'aux' is a device on Windows"),
        ({"a/b ": b""}, "it ends with a blank"),
        ({"a:b": b""}, "':' in it"),
        ({"README": b"", "readme": b""}, "are one file on Windows"),
    ],
)
def test_names_that_windows_cannot_have_are_refused_for_windows(
    files: dict[str, bytes], words: str, tmp_path: Path
) -> None:
    assert words in unpacked(tmp_path, packages.tar(files), "C:\\Acme")
    assert unpacked(tmp_path, packages.tar(files)) == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packages.tar(TOOL)[:60], "archive"),
        (packages.tar({}), "nothing is in the archive"),
        (packages.tar({"../x": b""}), "leads out of the archive"),
        (packages.tar({}, links={"x": "/etc/passwd"}), "is absolute or empty"),
        (packages.tar({}, links={"x": "../../etc"}), "leads out of the archive"),
        (packages.tar({"a": b"", "a/b": b""}), "two members of the name"),
        (b"content", "neither a zip archive nor a tar archive"),
    ],
)
def test_an_archive_that_no_pc_unpacks_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    assert words in unpacked(tmp_path, data)
