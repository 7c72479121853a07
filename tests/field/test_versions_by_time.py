"""Metadata versions that jump from a count to a time: a PC's floor asks that they grow, and nothing more."""

from pathlib import Path

from p2pdist.trust.store import TrustStore
from tests.helpers.repository_simulator import BASE_URL, NOW, RepositorySimulator


async def test_a_pc_that_knew_counted_versions_goes_on_with_times(tmp_path: Path) -> None:
    repository = RepositorySimulator()
    repository.add_patch("office")
    repository.publish()
    store = TrustStore(tmp_path, base_url=BASE_URL, root=repository.first_root, http=repository)
    await store.refresh(NOW)
    repository.timestamp.signed.version = repository.snapshot.signed.version = int(NOW)
    for metadata in repository.targets.values():
        metadata.signed.version = int(NOW)
    repository.add_patch("vpn")
    repository.sign_targets("targets", bump=False)
    repository.sign_targets("profiles", bump=False)
    repository.publish()
    catalogue = await store.refresh(NOW)
    assert [patch.entry.patch_id for patch in catalogue.patches] == ["office", "vpn"]
    assert catalogue.timestamp_version == int(NOW) + 1
    again = TrustStore(tmp_path, base_url=BASE_URL, root=repository.first_root, http=repository)
    cached = await again.load_cached(NOW)
    assert cached is not None
    assert [patch.entry.patch_id for patch in cached.patches] == ["office", "vpn"]
