"""`p2pdist.trust.presenting`: a PC shows the signed files that it has, and may keep more than it needs."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

from p2pdist.shared.wire.signed_files import versions_digest
from p2pdist.trust.presenting import version_of
from p2pdist.trust.store import TrustStore

NOW = 1_800_000_000.0


@pytest.fixture
def store(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)


async def test_nothing_is_told_before_anything_is_verified(store: TrustStore) -> None:
    assert await store.told() is None
    assert await store.signed_file("metadata/1.patches.json") is None


async def test_what_is_trusted_is_told_and_each_file_of_it_is_shown(store: TrustStore, repository: Any) -> None:
    await store.refresh(NOW)
    told = await store.told(with_roles=True)
    assert told is not None
    assert told.digest == versions_digest(told.root, told.roles)
    assert {"targets", "patches", "rollouts"} <= told.roles.keys()
    short = await store.told()
    assert short is not None
    assert (short.roles, short.digest) == ({}, told.digest)
    version = told.roles["patches"]
    data = await store.signed_file(f"metadata/{version}.patches.json")
    assert data is not None
    assert version_of(data) == version
    for role, at in (("timestamp", told.timestamp), ("snapshot", told.snapshot)):
        assert version_of(await store.signed_file(f"metadata/{at}.{role}.json") or b"") == at
    assert await store.signed_file(f"metadata/{version + 1}.patches.json") is None


@pytest.mark.parametrize(
    "path",
    ["identity", "metadata/../floor", "targets/../../identity", "metadata/1.root.json", "targets/x", "metadata/floor"],
)
async def test_nothing_else_of_this_pc_is_shown(store: TrustStore, path: str) -> None:
    await store.refresh(NOW)
    assert await store.signed_file(path) is None


async def test_a_document_is_shown_by_its_hash_and_is_not_kept_for_that(store: TrustStore, tmp_path: Path) -> None:
    await store.refresh(NOW)
    (document, *_) = sorted((tmp_path / "trust").glob("*/targets/*"))
    found = await store.signed_file(f"targets/rollouts/{document.name}.current")
    assert found == document.read_bytes()
    assert await store.signed_file(f"targets/{'0' * 64}.x") is None


async def test_who_keeps_all_has_every_role_and_goes_on_with_that(
    store: TrustStore, repository: Any, tuf_simulator: ModuleType, tmp_path: Path
) -> None:
    await store.refresh(NOW)
    before = await store.told()
    assert before is not None
    assert not before.complete
    store.keeps_all = True
    repository.add_patch("beta")
    repository.publish()
    await store.refresh(NOW)
    told = await store.told()
    assert told is not None
    assert not told.complete  # nothing that this PC needs waits for what it keeps for others
    await store.keep_spare()
    told = await store.told()
    assert told is not None
    assert told.complete
    again = TrustStore(tmp_path / "trust", base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)
    repository.add_patch("gamma")
    repository.publish()
    await again.refresh(NOW)  # after a restart it is not told anew at once
    await again.keep_spare()
    told = await again.told()
    assert told is not None
    assert told.complete


async def test_what_has_come_for_others_stays_when_news_end_it(
    store: TrustStore, repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.tells_news = False
    repository.add_target("spare", "spare/of-others", b"what another PC needs")
    repository.sign_targets("spare")
    repository.publish()
    await store.refresh(NOW)
    store.keeps_all = True
    await store.refresh(NOW)
    needed = set((tmp_path / "trust").glob("*/targets/*"))
    answer = repository.get

    async def stops(url: str, *, max_bytes: int) -> Any:
        if "/metadata/" not in url:
            await trio.sleep_forever()
        return await answer(url, max_bytes=max_bytes)

    monkeypatch.setattr(repository, "get", stops)
    with trio.move_on_after(0.3) as news:
        await store.keep_spare()
    assert news.cancelled_caught
    told = await store.told(with_roles=True)
    assert told is not None
    spare = told.roles["spare"]
    assert await store.signed_file(f"metadata/{spare}.spare.json")
    assert needed <= set((tmp_path / "trust").glob("*/targets/*"))
    monkeypatch.setattr(repository, "get", answer)
    repository.requests.clear()
    await store.refresh(NOW)
    await store.keep_spare()
    assert f"/tuf/metadata/{spare}.spare.json" not in repository.requests
    assert needed < set((tmp_path / "trust").glob("*/targets/*"))
