"""`TrustNewsReader`: a PC that knows some snapshot is sent what it lacks, and no more than fits."""

import random
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES
from p2pdist.shared.wire.differences import apply
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES
from p2pdist.shared.wire.trust_news import (
    DIFFERENCES_QUERY,
    MAX_BATCH_TARGETS,
    MAX_NEWS_ANSWER_BYTES,
    MAX_NEWS_BYTES,
    MAX_NEWS_FILE_BYTES,
    MAX_NEWS_FILES,
    MAX_UNPACKED_SHARED_NEWS_BYTES,
    TrustNews,
    decode_news,
)
from p2pdist.trust.http_answers import HttpAnswer
from p2pdist.trust.store import TrustStore
from seed_server.store.new_files import FEW_TARGETS
from seed_server.store.trust_news import BY_DIFFERENCES, IN_WHOLE_FILES, SWAPPED, NewsForm, TrustNewsReader

ROOT = 1
NOW = 1_800_000_000.0


class Published:
    """A signed repository whose files lie on disk."""

    def __init__(self, tuf_simulator: ModuleType, directory: Path) -> None:
        self.repository = tuf_simulator.RepositorySimulator()
        self.directory = directory
        self.publish("alpha")
        self.reader = TrustNewsReader(directory / "tuf" / "metadata", directory / "tuf" / "targets")

    def publish(self, *patch_ids: str) -> int:
        """Publish patches and return the snapshot's version."""
        for patch_id in patch_ids:
            self.repository.add_patch(patch_id)
        self.repository.publish()
        self.write()
        version: int = self.repository.snapshot.signed.version
        return version

    def write(self) -> None:
        for name, data in self.repository.files.items():
            path = self.directory / name.removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)

    def news(self, snapshot: int, root: int = ROOT) -> dict[str, bytes | None]:
        return decode_news(self.reader.answer(root, snapshot) or b"").files


@pytest.fixture
def published(tuf_simulator: ModuleType, tmp_path: Path) -> Published:
    return Published(tuf_simulator, tmp_path)


def kinds(files: Any) -> list[str]:
    """The files by role or kind: numbers and hashes are left out."""
    return [".".join(part for part in name.rpartition("/")[2].split(".") if len(part) < 64) for name in files]


def test_what_has_changed_since_the_known_snapshot_is_sent_as_it_lies_on_disk(published: Published) -> None:
    known = published.publish("beta")
    newest = published.publish("gamma")
    files = published.news(known)
    assert sorted(kinds(files)) == sorted([
        "2.root.json", "timestamp.json", f"{newest}.snapshot.json", f"{newest}.rollouts.json",
        f"{newest}.patches.json", "current", "torrent", "gamma@1.manifest", "order",
    ])  # fmt: skip
    assert files.pop("metadata/2.root.json") is None
    for name, data in files.items():
        assert data == published.repository.files[f"/tuf/{name}"]


def test_whoever_knows_the_newest_snapshot_is_sent_the_timestamp_alone(published: Published) -> None:
    newest = published.publish("beta")
    assert kinds(published.news(newest)) == ["2.root.json", "timestamp.json"]


@pytest.mark.parametrize("known", [0, 10**9])
def test_a_snapshot_that_is_no_longer_there_counts_as_none(published: Published, known: int) -> None:
    published.publish("beta", *(f"old-{n}" for n in range(FEW_TARGETS // 2)))
    files = set(kinds(published.news(known)))
    assert {"1.targets.json", "current", "order"} <= files
    assert "beta@1.manifest" not in files, "most of years of patches is not for a new PC"


def test_a_new_pc_of_a_young_server_is_told_all_at_once(published: Published) -> None:
    assert {"alpha@1.manifest", "torrent"} <= set(kinds(published.news(0)))
    count = sum(1 for name in published.news(0) if name.startswith("targets/"))
    while count <= FEW_TARGETS:
        newest = published.publish(f"more-{count}")
        files = published.news(0)
        if not any(name.endswith(".manifest") for name in files):
            break
        count = sum(1 for name in files if name.startswith("targets/"))
        assert count <= FEW_TARGETS
        assert f"metadata/{newest}.snapshot.json" in files
    else:
        raise AssertionError("more than a few were told")


def test_a_newer_root_is_sent(published: Published) -> None:
    published.repository.rotate("timestamp")
    published.write()
    assert published.news(1)["metadata/2.root.json"] == published.repository.files["/tuf/metadata/2.root.json"]


@pytest.mark.parametrize("form", [IN_WHOLE_FILES, BY_DIFFERENCES, SWAPPED])
def test_whoever_invents_versions_of_the_root_gets_what_all_get_who_do(published: Published, form: NewsForm) -> None:
    known = published.publish("beta")
    published.publish("gamma")
    first = published.reader.answer(17, known, form)
    answers = {published.reader.answer(root, known, form) for root in range(100, 150)}
    assert answers == {first}, "else each would be found, compressed and kept by itself"
    assert published.reader.answer(10**12, known, form) is first
    files = decode_news(first or b"").files
    assert not [path for path in files if path.endswith(".root.json")]
    assert "gamma@1.manifest" in kinds(files), "but it is told all else: the server may have been restored"


def test_a_publication_is_seen_at_once(published: Published) -> None:
    known = published.publish("beta")
    published.news(known)
    published.publish("gamma")
    assert "gamma@1.manifest" in kinds(published.news(known))


def test_the_same_answer_is_made_once_and_anew_for_each_publication_and_root(published: Published) -> None:
    known = published.publish("beta")
    published.publish("gamma")
    first = published.reader.answer(ROOT, known)
    assert published.reader.answer(ROOT, known) is first, "all PCs of a fleet ask for it in the same minute"
    published.publish("delta")
    second = published.reader.answer(ROOT, known)
    assert second not in (None, first)
    (published.directory / "tuf" / "metadata" / "2.root.json").write_bytes(b"new")
    assert published.news(known)["metadata/2.root.json"] == b"new"


def test_many_patches_at_once_do_not_fit_and_what_is_for_every_pc_comes_first(published: Published) -> None:
    known = published.publish("beta")
    published.publish(*(f"new-{n:03}" for n in range(200)))
    encoded = published.reader.answer(ROOT, known)
    assert encoded is not None
    assert len(encoded) <= MAX_NEWS_ANSWER_BYTES
    files = decode_news(encoded).files
    assert len(files) <= MAX_NEWS_FILES
    assert sum(len(data or b"") for data in files.values()) <= MAX_NEWS_BYTES
    assert {"current", "order", "new-000@1.manifest"} <= set(kinds(files))


def test_a_large_root_leaves_that_much_less_room(published: Published) -> None:
    published.publish(*(f"new-{n:03}" for n in range(200)))
    directory = published.directory / "tuf" / "metadata"
    (directory / "2.root.json").write_bytes(bytes(MAX_NEWS_FILE_BYTES))
    files = decode_news(published.reader.answer(ROOT, 0) or b"").files
    assert sum(len(data or b"") for data in files.values()) <= MAX_NEWS_BYTES


def test_what_is_for_one_site_is_left_to_its_pcs(published: Published) -> None:
    known = published.publish("beta")
    published.repository.add_target("profiles", "profiles/abc.profile", b"p")
    published.repository.sign_targets("profiles")
    published.publish("gamma")
    files = kinds(published.news(known))
    assert "2.profiles.json" in files
    assert not any("profile" in name and not name.endswith(".json") for name in files)


class Web:
    """What the web port serves, of the files on disk."""

    def __init__(self, published: Published, base_url: str) -> None:
        self._published = published
        self._base_url = base_url
        self.asked: list[str] = []
        self.news: list[TrustNews] = []

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        path, _, query = url.removeprefix(self._base_url).partition("?")
        self.asked.append(path)
        if path.startswith("/tuf/news/"):
            root, snapshot = path.split("/")[3:]
            answer = (
                self._published.reader.answer(
                    int(root), int(snapshot), BY_DIFFERENCES if query == DIFFERENCES_QUERY else IN_WHOLE_FILES
                )
                or b""
            )
            self.news.append(decode_news(answer))
            return HttpAnswer(200, answer)
        file = self._published.directory / path.removeprefix("/")
        return HttpAnswer(200, file.read_bytes()) if file.exists() else HttpAnswer(404, b"")


async def test_a_pc_that_knows_the_snapshot_before_asks_for_nothing_else(
    published: Published, tuf_simulator: ModuleType, tmp_path: Path
) -> None:
    published.publish(*(f"patch-{n}" for n in range(20)))
    web = Web(published, tuf_simulator.BASE_URL)
    root = published.repository.first_root
    store = TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=root, http=web)
    await store.refresh(NOW)
    published.publish("beta", "gamma")
    web.asked.clear()
    catalogue = await store.refresh(NOW)
    assert [patch.manifest.patch_id for patch in catalogue.patches][21:] == ["beta", "gamma"]
    assert [path.rpartition("/")[0] for path in web.asked] == ["/tuf/news/1"]
    assert {"order", "current"} < set(kinds(web.news[-1].changed)), "told as differences"


async def test_what_cannot_be_made_of_what_a_pc_has_is_asked_for(
    published: Published, tuf_simulator: ModuleType, tmp_path: Path
) -> None:
    """Its documents are damaged, so nothing can be copied from them."""
    published.publish(*(f"patch-{n}" for n in range(20)))
    web = Web(published, tuf_simulator.BASE_URL)
    root = published.repository.first_root
    store = TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=root, http=web)
    await store.refresh(NOW)
    for document in (tmp_path / "trust").glob("*/targets/*"):
        document.write_bytes(document.read_bytes()[:-1])
    published.publish("beta")
    web.asked.clear()
    assert len((await store.refresh(NOW)).patches) == 22
    assert {"order", "current"} < set(kinds(web.asked))


def test_a_long_list_that_has_grown_is_told_by_what_is_new_in_it(published: Published) -> None:
    known = published.publish(*(f"patch-{n:03}" for n in range(300)))
    newest = published.publish("beta")
    role = published.directory / "tuf" / "metadata" / f"{newest}.patches.json"
    assert role.stat().st_size > MAX_NEWS_BYTES, "too large to be told as it is"
    answer = published.reader.answer(ROOT, known, BY_DIFFERENCES) or b""
    assert len(answer) < 1_500
    news = decode_news(answer)
    assert sorted(kinds(news.files)) == ["2.root.json", "beta@1.manifest", "timestamp.json", "torrent"]
    assert sorted(kinds(news.changed)) == sorted([
        f"{newest}.snapshot.json", f"{newest}.rollouts.json", f"{newest}.patches.json", "current", "order",
    ])  # fmt: skip
    files = published.repository.files
    for path, changed in news.changed.items():
        made = apply(changed.difference, files[f"/tuf/{changed.older}"], max_bytes=MAX_TARGETS_ROLE_BYTES)
        assert made == files[f"/tuf/{path}"]


def test_a_pc_of_release_0_2_0_is_told_whole_files_in_the_form_that_it_knows(published: Published) -> None:
    known = published.publish("beta")
    published.publish("gamma")
    unpacked = msgspec.msgpack.decode(zlib.decompress(published.reader.answer(ROOT, known) or b""))
    assert list(unpacked) == ["files"]


def test_what_is_no_longer_there_to_differ_from_is_told_whole(published: Published) -> None:
    known = published.publish("beta")
    newest = published.publish("gamma")
    (published.directory / "tuf" / "metadata" / f"{known}.patches.json").unlink()
    news = decode_news(published.reader.answer(ROOT, known, BY_DIFFERENCES) or b"")
    assert f"metadata/{newest}.patches.json" in news.files
    assert f"metadata/{newest}.rollouts.json" in news.changed


def test_large_files_are_left_to_requests_of_their_own(published: Published) -> None:
    known = published.publish("beta")
    large = "patches/large@1.manifest"
    published.repository.add_target("patches", large, bytes(MAX_NEWS_FILE_BYTES + 1))
    for n in range(5):
        published.repository.add_target(
            "patches", f"patches/half-{n}@1.manifest", bytes([n]) * (MAX_NEWS_FILE_BYTES - 9)
        )
    published.publish("gamma")
    files = published.news(known)
    assert "large@1.manifest" not in kinds(files)
    assert sum("half" in kind for kind in kinds(files)) == 1, "as many as fit"


def test_a_batch_is_what_is_there_and_fits(published: Published) -> None:
    published.repository.add_target("patches", "patches/large@1.manifest", bytes(MAX_NEWS_FILE_BYTES + 1))
    published.publish(*(f"patch-{n}" for n in range(60)))
    targets = published.directory / "tuf" / "targets"
    places = [str(path.relative_to(targets)) for path in sorted(targets.rglob("*.manifest"))]
    files = decode_news(published.reader.several(["../metadata/timestamp.json", "patches/none", *places])).files
    assert 40 < len(files) <= MAX_BATCH_TARGETS - 2
    assert all((targets / path.removeprefix("targets/")).read_bytes() == data for path, data in files.items())
    assert not any("large" in path or "timestamp" in path for path in files)


def test_files_that_are_gone_are_left_out(published: Published) -> None:
    known = published.publish("beta")
    newest = published.publish("gamma")
    (published.directory / "tuf" / "metadata" / f"{newest}.rollouts.json").unlink()
    assert f"{newest}.patches.json" in kinds(published.news(known))


def test_news_that_a_site_fetches_once_tell_a_new_pc_of_all_that_is_offered(published: Published) -> None:
    published.publish("beta")
    published.repository.add_patch("gone")
    published.repository.entries.pop()
    published.publish("gamma")
    encoded = published.reader.answer(ROOT, 0, SWAPPED) or b""
    files = kinds(decode_news(encoded, max_bytes=MAX_UNPACKED_SHARED_NEWS_BYTES).files)
    assert {"alpha@1.manifest", "beta@1.manifest", "gamma@1.manifest", "order", "current"} <= set(files)
    assert "gone@1.manifest" not in files
    assert sum(name == "torrent" for name in files) == 3


def test_news_that_a_site_fetches_once_hold_large_torrents_and_hundreds_of_patches(published: Published) -> None:
    known = published.publish("beta")
    torrent = random.Random(1).randbytes(1 << 20)
    published.repository.add_target("patches", "torrents/large.torrent", torrent)
    published.publish(*(f"new-{n:03}" for n in range(200)))
    encoded = published.reader.answer(ROOT, known, SWAPPED) or b""
    assert len(encoded) <= MAX_SHARED_NEWS_BYTES
    files = decode_news(encoded, max_bytes=MAX_UNPACKED_SHARED_NEWS_BYTES).files
    assert torrent in files.values()
    assert sum(name.endswith(".manifest") for name in files) == 200


def test_news_that_a_site_fetches_once_have_bounds_too(published: Published) -> None:
    known = published.publish("beta")
    for n in range(6):
        published.repository.add_target("patches", f"torrents/{n}.torrent", random.Random(n).randbytes(1 << 20))
    published.publish("gamma")
    encoded = published.reader.answer(ROOT, known, SWAPPED) or b""
    assert 3 << 20 < len(encoded) <= MAX_SHARED_NEWS_BYTES
    decode_news(encoded, max_bytes=MAX_UNPACKED_SHARED_NEWS_BYTES)


def test_what_is_offered_but_damaged_on_this_disk_does_not_stop_the_rest(published: Published) -> None:
    published.publish("beta")
    for path in (published.directory / "tuf" / "targets" / "patches").glob("*.alpha@1.manifest"):
        path.write_bytes(b"?")
    files = kinds(decode_news(published.reader.answer(ROOT, 0, SWAPPED) or b"").files)
    assert {"order", "current"} <= set(files)
