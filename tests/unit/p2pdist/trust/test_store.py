"""The trust store against an in-memory repository: what it accepts, keeps and reuses."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from securesystemslib.signer import CryptoSigner

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import encode_manifest, torrent_target
from p2pdist.shared.manifest.suitability import Choice
from p2pdist.shared.wire.trust_news import MAX_BATCH_TARGETS, TrustNews, decode_news, encode_news
from p2pdist.trust.catalogue import CataloguePatch
from p2pdist.trust.catalogue_reading import first_payload
from p2pdist.trust.http_answers import HttpAnswer, HttpError
from p2pdist.trust.store import ServerWord, TrustError, TrustStore
from tests.helpers import small_disk as disks

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def new_store(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> Callable[[], TrustStore]:
    """Return a maker of stores over one directory: a second one is a restarted daemon."""
    return lambda: TrustStore(
        tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB that really fills up."""
    with disks.small_disk(tmp_path / "disk", 1) as path:
        yield path


async def test_an_empty_repository_is_an_empty_catalogue(tuf_simulator: ModuleType, tmp_path: Path) -> None:
    repository = tuf_simulator.RepositorySimulator()
    store = TrustStore(tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)
    catalogue = await store.refresh(NOW)
    assert (catalogue.patches, catalogue.refused, catalogue.stale) == ((), (), "")


async def test_a_catalogue_without_a_rollouts_document_is_empty(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    repository.targets["rollouts"].signed.targets.clear()
    repository.sign_targets("rollouts")
    repository.sign_snapshot()
    repository.sign_timestamp()
    assert (await new_store().refresh(NOW)).patches == ()


async def test_published_patches_arrive_by_sequence(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.add_patch("beta")
    repository.publish()
    catalogue = await new_store().refresh(NOW)
    assert [patch.manifest.patch_id for patch in catalogue.patches] == ["alpha", "beta"]
    assert catalogue.patches[1].torrent == b"torrent of beta"
    assert catalogue.timestamp_version == repository.timestamp.signed.version


async def test_no_torrent_of_a_patch_that_is_not_for_this_pc_is_downloaded_unless_it_has_bytes_of_it(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    digest = repository.add_patch("beta")
    repository.publish()
    store = new_store()
    store.choose = lambda manifest: first_payload(manifest) if manifest.patch_id == "alpha" else Choice(None, "no")
    catalogue = await store.refresh(NOW)
    assert [patch.manifest.patch_id for patch in catalogue.patches] == ["alpha"]
    assert [(skipped.entry.patch_id, skipped.reason, skipped.shared) for skipped in catalogue.not_applicable] == [
        ("beta", "no", None)
    ]
    assert not any(path.endswith(f"{digest}.torrent") for path in repository.requests)
    store.held = {(PatchRef("beta", "1"), digest)}
    (skipped,) = (await store.refresh(NOW)).not_applicable
    assert skipped.shared is not None
    assert skipped.shared.torrent == b"torrent of beta"


async def test_a_second_refresh_downloads_nothing_but_the_timestamp(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    store = new_store()
    first = await store.refresh(NOW)
    repository.requests.clear()
    assert await store.refresh(NOW + 60) == first
    assert repository.requests == ["/tuf/metadata/2.root.json", "/tuf/metadata/timestamp.json"]


async def test_after_a_new_patch_only_what_is_new_is_downloaded(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    store = new_store()
    await store.refresh(NOW)
    repository.add_patch("beta")
    repository.publish()
    repository.requests.clear()
    assert len((await new_store().refresh(NOW)).patches) == 2
    assert [path for path in repository.requests if "alpha" in path] == []
    assert not any(path.endswith("targets.json") for path in repository.requests)


async def test_documents_of_withdrawn_patches_are_deleted(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path
) -> None:
    await new_store().refresh(NOW)
    repository.entries.clear()
    repository.publish()
    assert (await new_store().refresh(NOW)).patches == ()
    assert len(list((tmp_path / "trust").glob("*/targets/*"))) == 1  # the rollouts document


async def test_without_a_server_the_last_catalogue_is_loaded(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    accepted = await new_store().refresh(NOW)
    repository.down = True
    repository.requests.clear()
    cached = await new_store().load_cached(NOW + DAY)
    assert cached == accepted
    assert repository.requests == []
    assert cached is not None
    assert (accepted.confirmed, cached.confirmed) == (True, False), "the server may have taken something back since"
    assert NOW < accepted.expires_at == cached.expires_at < NOW + 30 * DAY


async def test_expired_metadata_keeps_what_was_accepted_and_says_so(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    accepted = await new_store().refresh(NOW)
    cached = await new_store().load_cached(NOW + 30 * DAY)
    assert cached is not None
    assert cached.patches == accepted.patches
    assert "expired 20 days ago" in cached.stale


async def test_nothing_is_cached_before_the_first_refresh(new_store: Callable[[], TrustStore]) -> None:
    assert await new_store().load_cached(NOW) is None


async def test_a_refresh_that_breaks_off_leaves_the_accepted_state(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    accepted = await new_store().refresh(NOW)
    repository.add_patch("beta")
    repository.publish()
    whole = repository.backup()
    repository.status_of["/tuf/metadata/4.rollouts.json"] = 500
    with pytest.raises(TrustError) as caught:
        await new_store().refresh(NOW)
    assert caught.value.reason == "unreachable"
    assert "HTTP 500" in caught.value.message
    assert await new_store().load_cached(NOW) == accepted
    repository.status_of.clear()
    repository.files = whole
    assert len((await new_store().refresh(NOW)).patches) == 2


async def test_an_unreachable_server_is_named(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.down = True
    with pytest.raises(TrustError) as caught:
        await new_store().refresh(NOW)
    assert caught.value.reason == "unreachable"
    assert caught.value.kind == FaultKind.UNREACHABLE
    assert "127.0.0.1:8443" in caught.value.message


@pytest.mark.parametrize("failure", ["certificate_not_yet_valid", "certificate_expired"])
async def test_a_server_whose_certificate_is_of_another_time_is_told_from_one_that_is_away(
    repository: Any, new_store: Callable[[], TrustStore], failure: str
) -> None:
    repository.down, repository.failure = True, failure
    with pytest.raises(TrustError, match="clock") as caught:
        await new_store().refresh(NOW)
    assert (caught.value.reason, caught.value.kind) == ("certificate_time", FaultKind.UNREACHABLE)


async def test_a_catalogue_says_which_time_has_passed_for_certain(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    fetched = await new_store().refresh(NOW)
    kept = await new_store().load_cached(NOW - 365 * DAY)
    assert kept is not None
    assert (kept.passed_at, kept.expires_at) == (fetched.passed_at, fetched.expires_at)
    assert fetched.passed_at <= NOW < fetched.expires_at
    assert fetched.passed_at > NOW - DAY


async def test_the_files_are_for_their_owner_alone(new_store: Callable[[], TrustStore], tmp_path: Path) -> None:
    await new_store().refresh(NOW)
    for path in (tmp_path / "trust").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) in {0o600, 0o700}, path


async def test_nothing_but_what_is_kept_lies_in_the_directory(
    new_store: Callable[[], TrustStore], tmp_path: Path
) -> None:
    await new_store().refresh(NOW)
    await new_store().load_cached(NOW)
    (files,) = (tmp_path / "trust").iterdir()
    assert sorted(path.name for path in files.iterdir()) == ["accepted", "floor", "targets"]


async def test_the_floor_is_durable_before_the_catalogue_is_handed_out(
    new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = durable_files.write_file

    def noting(path: Path, *arguments: Any, **options: Any) -> None:
        real(path, *arguments, **options)
        written.append(path.name)

    monkeypatch.setattr(durable_files, "write_file", noting)
    await new_store().refresh(NOW)
    assert written[-2:] == ["accepted", "floor"]


@pytest.mark.parametrize("nth", range(5))
async def test_a_full_disk_is_an_error_of_its_own_and_leaves_the_accepted_state(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    accepted = await new_store().refresh(NOW)
    repository.add_patch("beta")
    repository.publish()
    real, calls = os.fsync, iter(range(1_000))

    def full(descriptor: int) -> None:
        if next(calls) >= nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError) as caught:
            await new_store().refresh(NOW)
    assert caught.value.kind == FaultKind.STORAGE
    assert "No space left" in caught.value.message
    cached = await new_store().load_cached(NOW)
    assert cached is not None
    assert cached.patches[:1] == accepted.patches
    assert len((await new_store().refresh(NOW)).patches) == 2


async def test_hundreds_of_documents_do_not_wait_for_the_disk_and_those_that_a_power_cut_takes_come_again(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    few = await new_store().refresh(NOW)
    few_syncs = len(synced)
    for n in range(50):
        repository.add_patch(f"more{n}")
    repository.publish()
    many = await new_store().refresh(NOW)
    assert len(synced) - few_syncs <= few_syncs
    assert len(many.patches) == len(few.patches) + 50
    documents = sorted(one for patch in many.patches for one in _stored(tmp_path, patch))
    for path in documents[::2]:
        path.unlink()
    for path in documents[1::2]:
        path.write_bytes(bytes(path.stat().st_size))
    cached = await new_store().load_cached(NOW)
    assert cached is not None, "what says which patches there are is durable"
    assert {one.entry.ref for one in cached.refused} == {patch.ref for patch in many.patches}, "their bytes are kept"
    assert (await new_store().refresh(NOW)).patches == many.patches


async def test_documents_that_a_power_cut_has_emptied_come_in_batches_too(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path
) -> None:
    repository.gives_batches = True
    for number in range(60):
        repository.add_patch(f"patch-{number}")
    repository.publish()
    known = await new_store().refresh(NOW)
    for path in [one for patch in known.patches for one in _stored(tmp_path, patch)]:
        path.write_bytes(b"")
    repository.requests.clear()
    assert (await new_store().refresh(NOW)).patches == known.patches
    assert not [path for path in repository.requests if ".manifest" in path or ".torrent" in path]


def _stored(directory: Path, patch: CataloguePatch) -> list[Path]:
    """Return the files of a patch's documents."""
    wanted = {hashlib.sha256(data).hexdigest() for data in (encode_manifest(patch.manifest), patch.torrent)}
    return [path for path in directory.rglob("*") if path.name in wanted]


async def test_a_restart_on_a_full_disk_loses_nothing_and_a_refresh_without_news_writes_nothing(
    tuf_simulator: ModuleType, repository: Any, small_disk: Path
) -> None:
    def new_store() -> TrustStore:
        return TrustStore(small_disk, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)

    repository.issued = NOW
    repository.publish()
    accepted = await new_store().refresh(NOW)
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert await new_store().load_cached(NOW + 60) == accepted
    assert await new_store().refresh(NOW + 60) == accepted
    repository.add_patch("beta")
    repository.publish()
    with pytest.raises(UserError) as caught:
        await new_store().refresh(NOW + 120)
    assert caught.value.kind == FaultKind.STORAGE
    assert await new_store().load_cached(NOW + 120) == accepted
    (small_disk / "filler").unlink()
    assert len((await new_store().refresh(NOW + 180)).patches) == 2


async def test_a_cancelled_refresh_ends_at_once_and_accepts_nothing(
    tuf_simulator: ModuleType, repository: Any, tmp_path: Path
) -> None:
    asked = trio.Event()

    class Silent:
        async def get(self, url: str, *, max_bytes: int) -> Any:
            asked.set()
            await trio.sleep_forever()

    store = TrustStore(tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=Silent())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.refresh, NOW)
        await asked.wait()
        nursery.cancel_scope.cancel()
    assert await store.load_cached(NOW) is None


async def test_a_refresh_has_a_deadline(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> None:
    class Silent:
        async def get(self, url: str, *, max_bytes: int) -> Any:
            await trio.sleep_forever()

    store = TrustStore(
        tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=Silent(), refresh_seconds=0.05
    )
    with pytest.raises(TrustError) as caught:
        await store.refresh(NOW)
    assert caught.value.reason == "unreachable"


async def test_another_trust_root_starts_anew_and_leaves_the_first_floor(
    tuf_simulator: ModuleType, repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path
) -> None:
    for _ in range(5):
        repository.publish()
    accepted = await new_store().refresh(NOW)
    other = tuf_simulator.RepositorySimulator()
    store = TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=other.first_root, http=other)
    assert (await store.refresh(NOW)).patches == ()
    assert await new_store().load_cached(NOW) == accepted


async def test_news_save_every_other_request(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.tells_news = True
    store = new_store()
    assert [patch.manifest.patch_id for patch in (await store.refresh(NOW)).patches] == ["alpha"]
    repository.add_patch("beta")
    repository.publish()
    assert [patch.manifest.patch_id for patch in (await store.refresh(NOW)).patches] == ["alpha", "beta"]
    assert repository.requests == []


@pytest.mark.parametrize(
    "answer", [b"", b"\xff" * 100, b"\x81\xa5files\x81\xa1x\xa1x"], ids=["empty", "rubbish", "text"]
)
async def test_news_that_are_none_are_left_alone(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    repository.tells_news = True
    monkeypatch.setattr(repository, "news_since", lambda root: answer)
    assert [patch.manifest.patch_id for patch in (await new_store().refresh(NOW)).patches] == ["alpha"]
    assert "/tuf/metadata/timestamp.json" in repository.requests


async def test_what_a_new_pc_lacks_comes_in_batches(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    for number in range(60):
        repository.add_patch(f"patch-{number}")
    repository.publish()
    repository.gives_batches = True
    store = new_store()
    assert len((await store.refresh(NOW)).patches) == 61
    assert not [path for path in repository.requests if ".manifest" in path or ".torrent" in path]
    asked = [place for batch in repository.batches for place in batch]
    assert len(asked) == len(set(asked)) == 122, "a manifest and a torrent of each, once"
    assert all(len(batch) <= MAX_BATCH_TARGETS for batch in repository.batches)
    repository.batches.clear()
    repository.add_patch("one-more")
    repository.publish()
    assert len((await store.refresh(NOW)).patches) == 62
    assert repository.batches == [], "what is there is not asked for again, and one is asked for by itself"


async def test_what_a_batch_leaves_out_is_got_by_itself(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        repository.add_patch(f"patch-{number}")
    repository.publish()
    repository.gives_batches = True
    whole = repository.batch

    def partly(places: list[str]) -> HttpAnswer:
        files = dict(decode_news(whole(places).body).files)
        left_out = next(iter(files))
        return HttpAnswer(200, encode_news(TrustNews({path: data for path, data in files.items() if path != left_out})))

    monkeypatch.setattr(repository, "batch", partly)
    assert len((await new_store().refresh(NOW)).patches) == 5


@pytest.mark.parametrize("answer", [b"", b"\xff" * 100], ids=["empty", "rubbish"])
async def test_a_batch_that_is_none_is_asked_for_once(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    repository.add_patch("beta")
    repository.publish()
    asked: list[int] = []

    def nothing(places: list[str]) -> HttpAnswer:
        asked.append(len(places))
        return HttpAnswer(200, answer)

    monkeypatch.setattr(repository, "batch", nothing)
    assert len((await new_store().refresh(NOW)).patches) == 2
    assert asked == [2, 2], "the manifests, then the torrents"
    for number in range(60):
        repository.add_patch(f"patch-{number}")
    repository.publish()
    asked.clear()
    assert len((await new_store().refresh(NOW)).patches) == 62
    assert len(asked) == 2, "and not again for the next ones"


async def test_documents_that_fit_into_no_batch_any_more_come_with_the_next(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    for number in range(60):
        torrent_hash = repository.add_patch(f"patch-{number}")
        repository.add_target("patches", torrent_target(torrent_hash), secrets.token_bytes(4_000))
    repository.publish()
    repository.gives_batches = True
    assert len((await new_store().refresh(NOW)).patches) == 61
    assert not [path for path in repository.requests if ".manifest" in path or ".torrent" in path]


async def test_a_renewed_timestamp_that_was_told_needs_no_request(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    store = new_store()
    before = await store.refresh(NOW)
    repository.sign_timestamp()
    repository.requests.clear()
    said = ServerWord(repository.files["/tuf/metadata/timestamp.json"], root=1)
    after = await store.refresh(NOW + 60, said)
    assert repository.requests == []
    assert after.timestamp_version == before.timestamp_version + 1
    assert after.patches == before.patches
    assert (await new_store().refresh(NOW + 60, ServerWord())).timestamp_version == after.timestamp_version
    assert repository.requests == [], "it is kept, and need not be told again"


async def test_what_was_told_is_verified_as_ever(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    store = new_store()
    known = await store.refresh(NOW)
    repository.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
    repository.timestamp.signed.version = known.timestamp_version - 1
    repository.sign_timestamp()
    with pytest.raises(TrustError):  # signed by somebody else
        await store.refresh(NOW, ServerWord(repository.files["/tuf/metadata/timestamp.json"], root=1))


async def test_what_was_told_and_is_no_timestamp_is_asked_for(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    store = new_store()
    await store.refresh(NOW)
    for told in (b"no metadata", repository.files["/tuf/metadata/1.root.json"]):
        repository.requests.clear()
        await store.refresh(NOW, ServerWord(told, root=1))
        assert "/tuf/metadata/timestamp.json" in repository.requests


@pytest.mark.parametrize("what", ["a publication", "a root"])
async def test_what_is_new_besides_a_timestamp_is_asked_for(
    repository: Any, new_store: Callable[[], TrustStore], what: str
) -> None:
    store = new_store()
    await store.refresh(NOW)
    if what == "a root":
        repository.rotate("timestamp")
        repository.sign_timestamp()
    else:
        repository.add_patch("beta")
        repository.publish()
    repository.requests.clear()
    root = repository.root.signed.version
    catalogue = await store.refresh(NOW, ServerWord(repository.files["/tuf/metadata/timestamp.json"], root=root))
    assert "/tuf/metadata/timestamp.json" in repository.requests
    assert catalogue.timestamp_version == repository.timestamp.signed.version
    assert len(catalogue.patches) == (1 if what == "a root" else 2)


async def test_news_hide_no_newer_root(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    """News name one root at most: the ones after it are asked for."""
    repository.tells_news = True
    store = new_store()
    await store.refresh(NOW)
    for _ in range(2):
        repository.rotate("timestamp")
    repository.publish()
    assert (await store.refresh(NOW)).timestamp_version == repository.timestamp.signed.version
    assert "/tuf/metadata/3.root.json" in repository.requests


async def test_news_that_come_too_slowly_are_left_for_the_files_themselves(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(root: int) -> bytes:
        raise HttpError("too_slow", "127.0.0.1:8443")

    repository.tells_news = True
    monkeypatch.setattr(repository, "news_since", slow)
    assert [patch.manifest.patch_id for patch in (await new_store().refresh(NOW)).patches] == ["alpha"]


async def test_after_a_refresh_that_broke_off_news_do_not_come_again(
    repository: Any, new_store: Callable[[], TrustStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.tells_news = True
    asked: list[int] = []
    news_since = repository.news_since

    def counted(root: int) -> bytes:
        asked.append(root)
        answer: bytes = news_since(root)
        return answer

    monkeypatch.setattr(repository, "news_since", counted)
    manifest = repository.target_url("rollouts", "rollouts/current")
    store = new_store()
    repository.status_of[manifest] = 503
    for _ in range(3):
        with pytest.raises(TrustError):
            await store.refresh(NOW)
    del repository.status_of[manifest]
    assert len((await store.refresh(NOW)).patches) == 1
    assert asked == [1]
    await store.refresh(NOW)
    assert asked == [1, 1]
