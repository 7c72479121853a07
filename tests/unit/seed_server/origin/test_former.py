"""`seed_server.origin.former`."""

from msgspec.structs import replace

from p2pdist.shared.identifiers import TorrentHash
from seed_server.origin.former import MAX_FORMER, former_payloads
from seed_server.store.rows import ServedPayload


def row(number: int, patch_id: str = "app", **changes: object) -> ServedPayload:
    made = ServedPayload(
        patch_id, f"{number}.0", "", "high", None, "app.deb", f"{number:064x}", 1, f"{number:064x}", 1, 1, number, 0.0
    )
    return replace(made, **changes)


def served(*rows: ServedPayload) -> dict[TorrentHash, ServedPayload]:
    return {TorrentHash(one.torrent_hash): one for one in rows}


def everything(_: str) -> bool:
    return True


def test_the_newest_that_is_older_comes_first_and_newer_ones_last() -> None:
    rows = [row(number) for number in range(1, 6)]
    found = former_payloads([*rows, row(9, "other")], served(rows[3]), everything)
    assert [int(one, 16) for one in found[TorrentHash(rows[3].torrent_hash)]] == [3, 2, 1, 5]


def test_the_same_platform_and_language_goes_before_the_newest() -> None:
    windows, linux, new = row(1, platform="windows"), row(2, platform="linux"), row(3, platform="windows")
    found = former_payloads([windows, linux, new], served(new), everything)
    assert [int(one, 16) for one in found[TorrentHash(new.torrent_hash)]] == [1, 2]


def test_what_is_not_here_or_is_the_same_file_is_none() -> None:
    old, same, new = row(1), row(2, sha256=row(3).sha256), row(3)
    assert former_payloads([old, same, new], served(new), lambda sha256: sha256 != old.sha256) == {}


def test_what_is_known_to_be_damaged_is_none() -> None:
    older, old, new = row(1), row(2, damaged="piece 1 is not what was published"), row(3)
    assert former_payloads([older, old, new], served(new), everything) == {
        TorrentHash(new.torrent_hash): (older.sha256,)
    }


def test_news_and_parcels_have_none_and_there_are_not_too_many() -> None:
    assert former_payloads([row(1, ""), row(2, "")], served(row(2, "")), everything) == {}
    rows = [row(number) for number in range(1, 30)]
    asked = list[str]()

    def is_here(sha256: str) -> bool:
        asked.append(sha256)
        return True

    (found,) = former_payloads(rows, served(rows[-1]), is_here).values()
    assert len(found) == MAX_FORMER
    assert asked == list(found), "with hundreds of versions, the disk is not looked at for all of them"
