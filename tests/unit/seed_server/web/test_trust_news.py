"""`TrustNewsReader`: a PC that knows some snapshot is sent what it lacks, and no more than fits."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from p2pdist.shared.wire.trust_news import MAX_NEWS_ANSWER_BYTES, MAX_NEWS_FILE_BYTES, MAX_NEWS_FILES, decode_news
from seed_server.web.trust_news import TrustNewsReader

ROOT = 1


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
    published.publish("beta")
    assert {"alpha@1.manifest", "beta@1.manifest", "1.targets.json"} <= set(kinds(published.news(known)))


def test_a_newer_root_is_sent(published: Published) -> None:
    published.repository.rotate("timestamp")
    published.write()
    assert published.news(1)["metadata/2.root.json"] == published.repository.files["/tuf/metadata/2.root.json"]


def test_a_publication_is_seen_at_once(published: Published) -> None:
    known = published.publish("beta")
    published.news(known)
    published.publish("gamma")
    assert "gamma@1.manifest" in kinds(published.news(known))


def test_years_of_patches_do_not_fit_and_the_newest_come_first(published: Published) -> None:
    published.publish(*(f"old-{n:03}" for n in range(200)))
    published.publish("newest")
    encoded = published.reader.answer(ROOT, 0)
    assert encoded is not None
    assert len(encoded) <= MAX_NEWS_ANSWER_BYTES
    files = decode_news(encoded).files
    assert len(files) == MAX_NEWS_FILES
    assert "newest@1.manifest" in kinds(files)
    assert "old-000@1.manifest" not in kinds(files)


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
    assert sum("half" in kind for kind in kinds(files)) == 2, "as many as fit"


def test_files_that_are_gone_are_left_out(published: Published) -> None:
    known = published.publish("beta")
    newest = published.publish("gamma")
    (published.directory / "tuf" / "metadata" / f"{newest}.rollouts.json").unlink()
    assert f"{newest}.patches.json" in kinds(published.news(known))
