"""What a PC makes of a `patches` role that delegates to hash bins; release 0.2.0 reads them with the same code."""

from pathlib import Path

import pytest

from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.errors import TrustError
from p2pdist.trust.store import TrustStore
from tests.helpers.repository_simulator import BASE_URL, NOW, RepositorySimulator

PATCHES = ("office", "vpn", "kernel", "browser", "reader", "editor")


def pc(repository: RepositorySimulator, directory: Path) -> TrustStore:
    return TrustStore(directory, base_url=BASE_URL, root=repository.first_root, http=repository)


def offered(catalogue: Catalogue) -> list[str]:
    assert not catalogue.refused
    return [patch.entry.patch_id for patch in catalogue.patches]


def repository_with_bins(*, news: bool = False) -> RepositorySimulator:
    repository = RepositorySimulator()
    repository.tells_news = repository.gives_batches = news
    for patch_id in PATCHES:
        repository.add_patch(patch_id)
    repository.split_into_bins()
    repository.publish()
    return repository


@pytest.mark.parametrize("news", [False, True])
async def test_a_new_pc_finds_patches_in_bins(tmp_path: Path, news: bool) -> None:
    repository = repository_with_bins(news=news)
    assert offered(await pc(repository, tmp_path).refresh(NOW)) == list(PATCHES)


async def test_a_pc_that_knew_one_role_goes_on_with_bins_and_asks_for_none_twice(tmp_path: Path) -> None:
    repository = RepositorySimulator()
    repository.add_patch("office")
    repository.publish()
    store = pc(repository, tmp_path)
    assert offered(await store.refresh(NOW)) == ["office"]
    repository.split_into_bins()
    repository.publish()
    assert offered(await store.refresh(NOW)) == ["office"]
    repository.add_patch("vpn")
    repository.publish()
    repository.requests.clear()
    assert offered(await store.refresh(NOW)) == ["office", "vpn"]
    bins = [path for path in repository.requests if ".bin-" in path]
    assert len(bins) == len(set(bins)) <= 5  # those of two manifests, two torrents, and where templates would be


async def test_what_was_accepted_from_bins_is_read_again_without_the_server(tmp_path: Path) -> None:
    repository = repository_with_bins()
    assert offered(await pc(repository, tmp_path).refresh(NOW)) == list(PATCHES)
    cached = await pc(repository, tmp_path).load_cached(NOW)
    assert cached is not None
    assert offered(cached) == list(PATCHES)


async def test_a_bin_that_is_older_or_gone_is_refused(tmp_path: Path) -> None:
    repository = repository_with_bins()
    store = pc(repository, tmp_path)
    await store.refresh(NOW)
    gone = repository.snapshot.signed.meta.pop("bin-00.json")
    repository.sign_snapshot()
    repository.sign_timestamp()
    with pytest.raises(TrustError, match="missing info for .bin-00.json"):
        await store.refresh(NOW)
    repository.snapshot.signed.meta["bin-00.json"] = gone
    gone.version -= 1
    repository.sign_snapshot()
    repository.sign_timestamp()
    with pytest.raises(TrustError, match="bin-00"):
        await store.refresh(NOW)
