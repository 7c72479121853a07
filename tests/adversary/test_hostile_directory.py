"""A local user owns the place that a patch is installed to: nothing of the superuser's is changed or run for him."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.install import unpacking
from p2pdist.install.lifecycle import InstallRecord
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate
from p2pdist.settings import EndpointHome
from p2pdist.shared import archive_members
from p2pdist.shared.manifest.documents import Payload
from p2pdist.shared.manifest.recipe import CommandCheck
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import ARCHIVE, Place, manifest

NOBODY = 65_534
PROGRAM = CommandCheck(command=("/opt/acme/current/run",))
pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives directories to another user")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def packed(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("run")
        info.size, info.mode, info.mtime = len(content), 0o755, 1_000_000
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def his(path: Path) -> Path:
    """Make a directory of another user's."""
    path.mkdir(parents=True)
    os.chown(path, NOBODY, NOBODY)
    return path


def his_program(tree: Path, ran: Path) -> None:
    """Put a program that notes who runs it into a tree of his."""
    his(tree)
    (tree / "run").write_text(f"#!/bin/sh\nid -u > {ran}\n")
    (tree / "run").chmod(0o755)
    os.chown(tree / "run", NOBODY, NOBODY)


def everything(directory: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_mode, path.lstat().st_uid) for path in directory.rglob("*"))


async def test_a_secret_keeps_its_mode_and_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = place.directory / "secret"
    secret.write_text("for root alone")
    secret.chmod(0o600)
    before = secret.stat()
    app = his(place.root / "opt/acme")

    def swapped(member: archive_members.Member, most_bytes: int) -> bytes:
        data = archive_members.read(member, most_bytes)
        for file in app.glob("versions/.unpacking-*/run"):  # the race that he can win: the path is of his directory
            file.unlink()
            file.symlink_to(secret)
        return data

    monkeypatch.setattr(unpacking, "read", swapped)
    outcome = await place.unpack("2.0", place.file(packed(b"new")))
    assert (secret.stat().st_mode, secret.stat().st_mtime) == (before.st_mode, before.st_mtime)
    assert not outcome.succeeded


async def test_a_tree_of_his_is_not_made_current_and_his_program_not_run(place: Place) -> None:
    data, ran = packed(b"new"), place.directory / "ran"
    app = his(place.root / "opt/acme")
    his_program(app / "versions/2.0", ran)
    (app / "versions/.payload-2.0").write_text(hashlib.sha256(data).hexdigest())
    outcome = await place.unpack("2.0", place.file(data))
    there = await place.detector.check(PROGRAM)
    assert not ran.exists()
    assert not there.holds
    assert not outcome.succeeded
    assert not (app / "current").exists()


async def test_what_he_lays_into_a_directory_that_he_gave_away_is_not_taken_for_ours(place: Place) -> None:
    data, ran = packed(b"#!/bin/sh\n"), place.directory / "ran"
    app = his(place.root / "opt/acme")
    his_program(app / "versions/2.0", ran)
    (app / "versions/.payload-2.0").write_text(hashlib.sha256(data).hexdigest())
    os.chown(app / "versions/.payload-2.0", NOBODY, NOBODY)
    for path in (app, app / "versions"):  # as the message told the administrator, and no further
        os.chown(path, 0, 0)
    assert (await place.unpack("2.0", place.file(data))).succeeded
    assert (app / "current/run").stat().st_uid == 0
    assert (await place.detector.check(PROGRAM)).holds
    assert not ran.exists()


def owned(path: Path, _elsewhere: Path) -> None:
    his(path)


def for_all(path: Path, _elsewhere: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o777)


def for_all_but_sticky(path: Path, _elsewhere: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o1777)


def for_its_group(path: Path, _elsewhere: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o775)


def leads_to_his(path: Path, elsewhere: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(his(elsewhere), path.parent))


def his_link(path: Path, elsewhere: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    elsewhere.mkdir()
    path.symlink_to(os.path.relpath(elsewhere, path.parent))
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


MENDS = ("; look what it holds, then: ch", "choose another place", "move it away first")


@pytest.mark.parametrize("component", ["", "opt", "opt/acme", "opt/acme/versions"])
@pytest.mark.parametrize("make", [owned, for_all, for_all_but_sticky, for_its_group, leads_to_his, his_link])
async def test_every_component_must_be_the_superuser_s_alone(
    place: Place, make: Callable[[Path, Path], None], component: str
) -> None:
    path = place.root / component
    if path == place.root:
        place.root.rmdir()
    elsewhere = place.root / "elsewhere" if component else place.directory / "elsewhere"
    make(path, elsewhere)
    before = everything(place.directory)
    payload = place.file(packed(b"new"))
    outcome = await place.unpack("2.0", payload)
    assert not outcome.succeeded
    assert any(words in outcome.words for words in MENDS)
    assert str(path) in outcome.words or str(elsewhere) in outcome.words
    payload.file.unlink()
    assert [row for row in everything(place.directory) if "scratch" not in row[0]] == before
    answer = await place.detector.detected(manifest("2.0", ARCHIVE))
    assert not answer.holds


@pytest.mark.parametrize("component", ["opt", "opt/acme", "opt/acme/run"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, None])
async def test_no_program_runs_that_somebody_else_can_change(place: Place, component: str, mode: int | None) -> None:
    ran = place.directory / "ran"
    program = place.root / "opt/acme/run"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho ran > {ran}\n")
    program.chmod(0o755)
    check = CommandCheck(command=("/opt/acme/run",))
    assert (await place.detector.check(check)).holds
    ran.unlink()
    if mode is None:
        os.chown(place.root / component, NOBODY, NOBODY)
    else:
        (place.root / component).chmod(mode)
    answer = await place.detector.check(check)
    assert not answer.holds
    assert str(place.root / component) in answer.words
    assert not ran.exists()


async def test_no_program_runs_by_an_interpreter_of_his(place: Place) -> None:
    ran = place.directory / "ran"
    his_program(place.root / "home/him", ran)
    program = place.root / "check"
    program.write_text(f"#! {place.root}/home/him/run -x\n")
    program.chmod(0o755)
    answer = await place.detector.check(CommandCheck(command=("/check",)))
    assert not ran.exists()
    assert not answer.holds
    assert "is not run: " in answer.words


async def test_a_pc_says_it_tries_again_and_installs_once_the_directory_is_root_s(place: Place, tmp_path: Path) -> None:
    app = his(place.root / "opt/acme")
    home, clock = EndpointHome(tmp_path / "home"), FakeClock(1e9)
    data = packed(b"new")
    payload = Payload(
        file_name="a", length_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), torrent_hash="1" * 64
    )
    offered = Candidate(replace(manifest("1", ARCHIVE), payloads=[payload]), 1, payload, str(place.file(data).file))

    async def damaged(_torrent_hash: str) -> None:
        raise AssertionError("nothing is damaged")

    installs = Installs(
        home,
        place.installer,
        lambda: [offered],
        DaemonHooks(lambda: None, damaged, lambda: None),
        clock,
        may_restart=False,
        zone=lambda _now: UTC,
    )
    await installs.load()

    async def settled() -> InstallRecord:
        for _ in range(6):
            await installs.step()
        found = installs.journal.record(offered.ref)
        assert found is not None
        return found

    record = await settled()
    assert (record.state, record.reason.count("chown root")) == ("failed", 1), "nothing was done, so nothing is undone"
    assert record.retry_at is not None
    assert list(app.iterdir()) == []
    os.chown(app, 0, 0)
    clock.wall = record.retry_at + 1
    assert (await settled()).state == "installed"
    assert (app / "current/run").read_bytes() == b"new"
