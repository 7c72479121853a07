"""`seed-server disk`: what it shows, and what it removes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError
from seed_server.commands.main import seed_server
from seed_server.fleet import operations
from seed_server.fleet.context import Context
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, published_home


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home where one file is needed, one may be offered again, and two are needed by nobody."""
    folder = tmp_path_factory.mktemp("disk")
    home = published_home(folder)
    context = Context(ServerHome(home))
    keys = OfflineKeys(context.home.offline_keys, None)
    for patch_id, version in (("office", "2"), ("gone", "1"), ("back", "1")):
        (folder / "file.msi").write_text(f"{patch_id} {version}")
        recipe = Recipe(patch_id=patch_id, version=version, payload=(PayloadFile("file.msi"),))
        operations.publish(context, ADA, Publication(recipe, folder), keys)
    operations.withdraw(context, ADA, "gone", "crashes", keys)
    operations.withdraw(context, ADA, "back", "to be looked at")
    (home / "content" / ("b" * 64)).write_text("x")
    (home / "content" / ".incoming.0123456789abcdef").write_text("x" * 999)
    (home / "coded" / ("c" * 64) / "alone").mkdir(parents=True)
    (home / "coded" / ("c" * 64) / "alone" / "0-19").write_text("x" * 7)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "home"))


def run(home: Path, *words: str) -> str:
    done = CliRunner().invoke(seed_server, [*words, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def document(home: Path, *words: str) -> Any:
    return json.loads(run(home, *words, "--json"))


def test_it_says_what_takes_room_and_what_for(home: Path) -> None:
    said = run(home, "disk")
    for words in (
        "files of patches", "coded pieces", "signed metadata", "temporary files", "PCs are offered it",
        "superseded by office@2", "withdrawn for good", "it may be offered again",
        "of no publication that is known here", "seed-server disk clean --all", "Free on this disk: ",
    ):  # fmt: skip
        assert words in said, words
    found = document(home, "disk")
    assert {one["kind"] for one in found["used"]} >= {"content", "signed", "database", "keys", "leftovers", "other"}
    kinds = {one["kind"]: (one["files"], one["bytes"]) for one in found["used"]}
    assert kinds["leftovers"] == (1, 999)
    pieces = [path.stat().st_size for path in (home / "coded").rglob("*") if path.is_file()]
    assert kinds["coded"] == (len(pieces), sum(pieces))
    assert kinds["content"][0] == 2 * 4 + 1
    assert sum(one["bytes"] for one in found["content"]) == kinds["content"][1]
    assert {one["uses"][0]["patch"]: one["needed"] for one in found["content"] if one["uses"]} == {
        "office@1": False, "office@2": True, "gone@1": False, "back@1": True,
    }  # fmt: skip
    assert found["most_bytes"] is None
    assert found["idle_bytes"] == sum(one["bytes"] for one in found["content"] if not one["needed"])


def test_a_look_at_what_would_go_removes_nothing(home: Path) -> None:
    before = {path for path in home.rglob("*") if path.is_file()}
    found = document(home, "disk", "clean", "--dry-run", "--all")
    assert found["dry_run"]
    assert {one["goes"] for one in found["content"]} == {"asked", "unlisted"}
    assert "would go" in run(home, "disk", "clean", "--dry-run", "--all")
    assert "nothing that has had its time" in run(home, "disk", "clean", "--dry-run")
    assert {path for path in home.rglob("*") if path.is_file()} >= before


def test_what_nobody_needs_goes_and_the_rest_is_offered_as_before(home: Path) -> None:
    assert "Nobody needs another" in run(home, "disk", "clean")
    said = run(home, "disk", "clean", "--all")
    assert "3 files with" in said
    assert "it goes: all is to go that nobody needs" in said
    assert len(list((home / "content").iterdir())) == 4
    assert not document(home, "disk")["idle_bytes"]
    assert "back@1 is offered again" in run(home, "offer", "back")
    (entry,) = document(home, "audit", "list", "--operation", "remove content")
    assert entry["details"]["patches"] == "gone@1 office@1"


def coded_of(home: Path, ref: str) -> Path:
    """Return the file of a coded piece of a patch, which is written."""
    with Context(ServerHome(home)).database() as database:
        (row,) = [one for one in database.payloads() if str(one.ref) == ref]
    file = home / "coded" / row.torrent_hash / "alone" / "0-19"
    file.parent.mkdir(parents=True)
    file.write_text("x" * 5_000)
    return file


def test_coded_pieces_of_files_that_have_gone_go_too(home: Path) -> None:
    shutil.rmtree(home / "coded")
    (home / "coded").mkdir()
    needed, gone = coded_of(home, "office@2"), coded_of(home, "office@1")
    assert document(home, "disk", "clean", "--dry-run")["coded_bytes"] == 0
    for file in (home / "content").glob(f"{gone_sha256(home, 'office@1')}*"):
        file.unlink()
    assert document(home, "disk", "clean", "--dry-run")["coded_bytes"] == 8_192
    assert "8.2 kB of coded pieces would go" in run(home, "disk", "clean", "--dry-run")
    assert needed.exists()
    assert gone.exists()
    assert "8.2 kB of coded pieces are removed" in run(home, "disk", "clean")
    assert needed.exists()
    assert not gone.exists()
    assert "coded pieces" not in run(home, "disk", "clean")


def test_all_coded_pieces_go_where_all_is_asked_for(home: Path) -> None:
    needed = coded_of(home, "office@2")
    anchors = 4_096 * len(list((home / "coded").glob("*.anchors")))
    found = document(home, "disk", "clean", "--dry-run", "--all")
    assert found["coded_bytes"] == 8_192 + 4_096 + anchors
    assert document(home, "disk", "clean", "--all")["coded_bytes"] == found["coded_bytes"]
    assert not needed.exists()
    assert {path.suffix for path in (home / "coded").iterdir()} <= {".predicted"}


def gone_sha256(home: Path, ref: str) -> str:
    with Context(ServerHome(home)).database() as database:
        return next(one.sha256 for one in database.payloads() if str(one.ref) == ref)


def test_where_files_take_more_than_they_may_the_way_out_is_said(home: Path) -> None:
    run(home, "disk", "clean", "--all")
    settings = home / "server.toml"
    settings.write_text(settings.read_text() + "\n[retention]\ncontent_gb = 0.00000001\n")
    for words in (("disk",), ("disk", "clean")):
        assert "Withdraw for good" in run(home, *words)
    assert document(home, "disk")["over_bytes"] > 0
    settings.write_text(settings.read_text().replace("0.00000001", "5"))
    assert "may take 5.0 GB" in run(home, "disk")
    run(home, "archive", "hold", "--reason", "case 17")
    assert "legal hold" in run(home, "disk")
    settings.write_text(settings.read_text().replace("content_gb = 5", "content_gb = -1"))
    with pytest.raises(UserError, match="content_gb"):
        run(home, "disk")


def test_of_many_files_the_largest_are_shown(home: Path) -> None:
    for number in range(30):
        (home / "content" / f"{number:064x}").write_text("x")
    said = run(home, "disk")
    assert "and 15 smaller files" in said
    assert len(document(home, "disk")["content"]) == 35


def test_that_nothing_goes_by_itself_since_the_clock_may_be_ahead_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SystemClock().now() + 1_000 * DAY_SECONDS
    monkeypatch.setattr(SystemClock, "now", lambda _self: now)
    for words in (("disk",), ("disk", "clean")):
        said = run(home, *words)
        assert "Nothing goes by itself: by this machine's clock, signed roles have expired (patches" in said
        assert "nothing that has had its time" not in said
        assert "root" in document(home, *words)["expired_roles"]
    assert document(home, "disk")["going_bytes"] == 0
