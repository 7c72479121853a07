"""Years of patches: what a publication costs the server, and what leaves its signed lists."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import publish, rows_of
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.metadata import MetadataReader
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository
from seed_server.store.database import Database
from tests.helpers.old_repository import manifest_of, publish_as_release_0_2_0, torrent_of

SETTINGS = ServerSettings(name="hq", address="127.0.41.1")


class Shop:
    """A server with some patches, on which its operator publishes."""

    def __init__(self, directory: Path, published: int) -> None:
        self.directory, self.home = directory, ServerHome(directory / "home")
        initialise(self.home, SETTINGS, passphrase=None, now=time.time())
        self.keys = OfflineKeys(self.home.offline_keys)
        manifests = [manifest_of(f"old-{number}", "1") for number in range(published)]
        repository = Repository.open(self.home, SETTINGS)
        publish_as_release_0_2_0(repository, manifests, {"patches": self.keys.load("patches")}, time.time())
        with Database.open(self.home.database) as database:
            for number, manifest in enumerate(manifests):
                database.add_patch(*rows_of(manifest, number + 1))
        self.publish("first")  # which divides the repository

    def publish(self, patch_id: str, version: str = "1") -> None:
        file = self.directory / f"{patch_id}-{version}.bin"
        file.write_bytes(f"{patch_id} {version}".encode())
        recipe = Recipe(patch_id=patch_id, version=version, payload=(PayloadFile(str(file)),))
        publish(self.home, Publication(recipe), self.keys, clock=SystemClock())


def calls_of(work: Callable[[], None]) -> int:
    """Return how many functions of Python were called: a measure of work that a busy machine does not change."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_what_a_publication_costs_grows_no_faster_than_what_was_published(tmp_path: Path) -> None:
    costs = {}
    for published in (20, 220):
        (tmp_path / str(published)).mkdir()
        shop = Shop(tmp_path / str(published), published)
        costs[published] = calls_of(lambda: shop.publish("new"))  # noqa: B023 # called at once
    each = (costs[220] - costs[20]) / 200
    assert each < 400  # 250 calls for each patch; comparing each with each took 1,500 at this size, and 24,000 at 4,000


def test_a_publication_reads_and_verifies_what_was_published_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, 10)
    read: list[str] = []
    target, file = MetadataReader.read_target, MetadataReader._bytes

    def read_target(self: MetadataReader, name: str, *entry: object) -> bytes:
        read.append(name)
        return target(self, name, *entry)  # type: ignore[arg-type]

    def read_file(self: MetadataReader, name: str) -> bytes:
        read.append(name)
        return file(self, name)

    monkeypatch.setattr(MetadataReader, "read_target", read_target)
    monkeypatch.setattr(MetadataReader, "_bytes", read_file)
    shop.publish("new")
    again = {name for name in read if read.count(name) > 1}
    assert not [name for name in again if name.endswith(".manifest") or "manifests-" in name]


def test_what_another_process_publishes_is_seen(tmp_path: Path) -> None:
    shop = Shop(tmp_path, 0)
    mine, other = (Repository.open(shop.home, SETTINGS) for _ in range(2))
    assert [manifest.ref for manifest in mine.manifests()] == [PatchRef("first", "1")]
    shop.publish("second")
    assert [manifest.ref for manifest in mine.manifests()] == [manifest.ref for manifest in other.manifests()]
    assert len(mine.manifests()) == 2


def test_what_was_superseded_long_ago_is_gone_from_bins_and_files(tmp_path: Path) -> None:
    shop = Shop(tmp_path, 0)
    repository = Repository.open(shop.home, SETTINGS)
    key, day = shop.keys.load("patches"), 86_400.0
    now = time.time()
    for number, days in ((1, 0), (2, 1), (1, 100), (2, 190)):
        patch_id = "a" if days < 100 else "b"
        manifest = manifest_of(patch_id, str(number), number=number, now=now + days * day)
        rollouts = with_entry(repository.current_rollouts(), manifest.ref)
        repository.publish_patch(
            manifest, [torrent_of(manifest)], rollouts, patches_key=key, now=now + days * day
        )  # the last one signs every bin: all are past half of their life
    assert {str(manifest.ref) for manifest in repository.manifests()} == {"first@1", "a@2", "b@1", "b@2"}
    with pytest.raises(UserError, match="No a@1 is known here"):
        repository.offer_patch(PatchRef("a", "1"), now=now)
