"""`p2pdist.transfer.unclaimed`: half payloads of patches that are gone, and what records were lost of."""

from pathlib import Path

from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.wire.news_torrent import NEWS_NAME_ZEROS
from p2pdist.transfer.states import Place
from p2pdist.transfer.unclaimed import remove_unclaimed
from tests.helpers.patch_views import transfer


def test_only_what_no_record_is_of_goes_with_its_empty_directories(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    record = replace(transfer(1).record, sha256="a" * 64, places=(Place("acme", "1", "a.deb"),))
    kept = (home.cache / record.sha256, home.cache / f"{NEWS_NAME_ZEROS}f", home.patches / "acme" / "1" / "a.deb")
    gone = (
        home.cache / ("b" * 64),
        home.patches / "acme" / "1" / "other",
        home.patches / "acme" / "2" / "a.deb",
        home.patches / "gone" / "1" / "b.deb",
    )
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
    for path in (kept[0], kept[1], *gone):
        path.write_bytes(b"bytes")
    kept[2].hardlink_to(kept[0])
    (home.cache / "link").symlink_to(kept[0])
    (home.cache / "directory").mkdir()
    assert remove_unclaimed(home, [record])
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)
    assert sorted(path.name for path in home.cache.iterdir()) == [kept[1].name, record.sha256, "directory"]
    assert [path.name for path in home.patches.iterdir()] == ["acme"]
    assert [path.name for path in (home.patches / "acme").iterdir()] == ["1"]
    assert remove_unclaimed(home, [record]) == []
    linked = home.cache / ("c" * 64)
    linked.write_bytes(b"kept for a way back")
    assert remove_unclaimed(home, [record], [linked.name]) == []
    assert linked.exists()
    assert remove_unclaimed(home, [record])
    assert not linked.exists()


def test_a_home_without_files_has_none_that_are_unclaimed(tmp_path: Path) -> None:
    assert remove_unclaimed(EndpointHome(tmp_path), []) == []
