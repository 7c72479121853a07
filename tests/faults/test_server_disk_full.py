"""A server whose disk is small: publishing says so before it copies, a full one is said, and nothing is lost."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from tests.helpers.small_disk import small_disk

DISK_MEBIBYTES = 40


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ServerHome]:
    """Return a home on a file system of its own, where one file is needed and 5 MB are not."""
    with small_disk(tmp_path / "disk", DISK_MEBIBYTES) as disk:
        home = ServerHome(disk / "home")
        run(home, "init", "--name", "hq", "--address", "127.0.64.9")
        publish(home, "office", "1", 5_000_000)
        publish(home, "office", "2", 1_000)
        yield home


def run(home: ServerHome, *arguments: object, code: int = 0) -> str:
    words = [str(word) for word in (*arguments, "--home", home.root)]
    done = CliRunner().invoke(seed_server, words)
    if isinstance(done.exception, UserError) and code:
        return done.exception.message
    if code == 0 and done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def publish(home: ServerHome, patch_id: str, version: str, size: int) -> str:
    file = home.root.parent.parent / f"{patch_id}-{version}.msi"
    file.write_bytes(f"{patch_id} {version}".encode().ljust(size, b"."))
    return run(home, "publish", file, "--patch-id", patch_id, "--version", version)


def fill_up(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as written:
        while True:
            written.write(bytes(4_096))


def here(home: ServerHome) -> set[str]:
    content = ContentStore(home.content)
    with Database.open(home.database) as database:
        return {str(row.ref) for row in database.payloads() if not content.lacks(row) and not row.damaged}


def refused(home: ServerHome, size: int) -> str:
    before = sorted(home.content.iterdir())
    with pytest.raises(UserError) as caught:
        publish(home, "big", "1", size)
    assert caught.value.kind is FaultKind.STORAGE
    assert sorted(home.content.iterdir()) == before
    return caught.value.message


def test_publishing_says_before_it_copies_what_is_missing_and_what_could_go(home: ServerHome) -> None:
    free = ContentStore(home.content).room()
    said = refused(home, free - 14_000_000)
    assert "Nobody needs 5.0 MB there: 'seed-server disk clean --all' removes that" in said
    assert "Free some space or move" in refused(home, free + 50_000_000)
    run(home, "disk", "clean", "--all")
    publish(home, "big", "1", free - 14_000_000)
    assert here(home) == {"office@2", "big@1"}


def coded(home: ServerHome, size: int) -> Path:
    """Return a coded piece of a patch that is needed, which is written with this size."""
    with Database.open(home.database) as database:
        (row,) = [one for one in database.payloads() if str(one.ref) == "office@2"]
    file = home.coded / row.torrent_hash / "alone" / "0-19"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    return file


def test_coded_pieces_make_room_for_what_is_published(home: ServerHome) -> None:
    piece = coded(home, 8_000_000)
    free = ContentStore(home.content).room()
    publish(home, "small", "1", 10)
    assert piece.exists()  # there was room
    publish(home, "big", "1", free - 14_000_000)
    assert not piece.exists()
    assert here(home) == {"office@1", "office@2", "small@1", "big@1"}


def test_where_coded_pieces_alone_do_not_make_room_they_stay_and_are_said(home: ServerHome) -> None:
    piece = coded(home, 2_000_000)
    free = ContentStore(home.content).room()
    said = refused(home, free - 12_000_000)
    assert (
        "Nobody needs 5.0 MB there, and coded pieces take 2.0 MB: 'seed-server disk clean --all' removes both" in said
    )
    assert piece.exists()
    run(home, "disk", "clean", "--all")
    publish(home, "big", "1", free - 12_000_000)


def test_a_full_disk_gets_the_room_of_coded_pieces_back(home: ServerHome) -> None:
    piece = coded(home, 3_000_000)
    fill_up(home.root.parent / "others")
    assert json.loads(run(home, "disk", "clean", "--json"))["coded_bytes"] >= 3_000_000
    assert not piece.exists()


def test_a_full_disk_is_said_by_those_who_are_asked_and_loses_nothing(home: ServerHome) -> None:
    before = here(home)
    fill = home.root.parent / "others"
    fill_up(fill)
    new = home.root.parent.parent / "new-1.msi"
    new.write_text("new")
    assert "is full" in run(home, "publish", new, "--patch-id", "new", "--version", "1", code=8)
    findings = {one["code"]: one for one in json.loads(run(home, "doctor", "--json", code=1))["findings"]}
    assert "is full" in findings["server-disk"]["observed"]
    assert "is full" in run(home, "status", code=1)
    fill.unlink()
    assert here(home) == before
    publish(home, "new", "1", 10)
    assert here(home) == {*before, "new@1"}
    assert json.loads(run(home, "audit", "verify", "--json"))["whole"]


def test_files_that_take_more_than_they_may_are_said_by_status_and_doctor(home: ServerHome) -> None:
    run(home, "disk", "clean", "--all")
    home.settings.write_text(home.settings.read_text() + "\n[retention]\ncontent_gb = 0.0000005\n")
    assert "more than content_gb allows" in run(home, "status")
    findings = {one["code"]: one for one in json.loads(run(home, "doctor", "--json", code=1))["findings"]}
    assert "more than content_gb allows" in findings["server-disk"]["observed"]
    assert "seed-server disk" in findings["server-disk"]["remedy"]


def test_without_any_room_it_is_shown_what_takes_it_and_what_was_left_can_go(home: ServerHome) -> None:
    half = home.content / ".incoming.0123456789abcdef"
    half.mkdir()
    (half / "payload").write_bytes(bytes(3_000_000))
    fill_up(home.root.parent / "others")
    said = run(home, "disk")
    for words in ("files of patches", "temporary files", "superseded by office@2", "Free on this disk: 0 B", "is full"):
        assert words in said, words
    assert "The temporary files go by: seed-server disk clean" in said
    found = json.loads(run(home, "disk", "--json"))
    assert "is full" in found["unknown"]
    assert all(one["needed"] for one in found["content"]), "what is not known is not taken for a no"
    run(home, "disk", "clean", "--all")
    found = json.loads(run(home, "disk", "--json"))
    assert (found["unknown"], found["idle_bytes"]) == (None, 0)
    assert found["free_bytes"] > 7_000_000
    assert here(home) == {"office@2"}


def test_content_on_a_disk_of_its_own_is_counted_and_its_room_shown(home: ServerHome, tmp_path: Path) -> None:
    with small_disk(tmp_path / "large", 60) as large:
        home.content.rename(home.root / "content-before")
        shutil.copytree(home.root / "content-before", large / "content")
        shutil.rmtree(home.root / "content-before")
        home.content.symlink_to(large / "content")
        found = json.loads(run(home, "disk", "--json"))
        assert {one["kind"]: one["bytes"] for one in found["used"]}["content"] > 5_000_000
        assert 40_000_000 < found["content_free_bytes"] < 60_000_000
        assert "Free on the disk of content/: " in run(home, "disk")
