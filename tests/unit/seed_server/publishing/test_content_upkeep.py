"""`seed_server.publishing.content_upkeep` and `content_needs`, on a real home."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet import operations, preparing
from seed_server.fleet import rollout_operations as rollouts
from seed_server.publishing.content_needs import ContentUse
from seed_server.publishing.content_plan import ContentPlan
from seed_server.publishing.content_upkeep import ContentUpkeep, removed_words
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import Published
from seed_server.publishing.publish_lock import publish_lock
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.sections import RetentionSettings
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.store.content_store import ContentStore
from seed_server.store.restored_mark import mark_restored
from tests.helpers.rollout_company import ADA, TEMPLATE, Company

DAY = 86_400.0


class Store:
    """A company's content, and who publishes there."""

    def __init__(self, company: Company, folder: Path) -> None:
        self.company, self.context, self.folder = company, company.context, folder
        self.keys = OfflineKeys(company.context.home.offline_keys, None)
        self.database = company.database

    def publication(
        self, patch_id: str, version: str, text: str | None = None, *, downgrade: bool = False
    ) -> Publication:
        (self.folder / f"{patch_id}.msi").write_text(text or f"{patch_id} {version}")
        recipe = Recipe(
            patch_id=patch_id, version=version, payload=(PayloadFile(f"{patch_id}.msi"),), downgrade=downgrade
        )
        return Publication(recipe, self.folder)

    def publish(
        self, patch_id: str, version: str, text: str | None = None, *, offered: bool = True, **more: bool
    ) -> Published:
        return operations.publish(
            self.context, ADA, self.publication(patch_id, version, text, **more), self.keys, offered=offered
        )

    def upkeep(self, **rules: float) -> ContentUpkeep:
        settings = ServerSettings(name="hq", address="127.0.0.1", retention=RetentionSettings(**rules))  # type: ignore[arg-type]
        return ContentUpkeep(self.context.home, settings, self.context.repository(), self.database)

    def clean(self, *, at_once: bool = False, **rules: float) -> ContentPlan:
        return self.upkeep(**rules).remove_idle(self.context.clock.now(), self.recorded, at_once=at_once)

    @contextlib.contextmanager
    def recorded(self, _plan: ContentPlan) -> Iterator[None]:
        with self.database.batch():
            yield

    def uses(self) -> dict[str, set[ContentUse]]:
        """Return what files are for, by their patches."""
        look = self.upkeep().look(self.context.clock.now())
        found: dict[str, set[ContentUse]] = {}
        for uses in look.uses.values():
            for use in uses:
                found.setdefault(str(use.ref), set()).add(use.use)
        return found

    def here(self) -> set[str]:
        """Return the patches all of whose files are here."""
        content = ContentStore(self.context.home.content)
        return {str(row.ref) for row in self.database.payloads() if not content.lacks(row)}

    def names(self) -> list[str]:
        return sorted(path.name for path in self.context.home.content.iterdir())


@pytest.fixture
def store(company: Company, tmp_path: Path) -> Store:
    return Store(company, tmp_path)


def test_each_file_is_kept_for_what_it_is_needed_for(store: Store) -> None:
    store.publish("old", "1")
    store.publish("old", "2")
    store.publish("gone", "1")
    operations.withdraw(store.context, ADA, "gone", "crashes", store.keys)
    store.publish("back", "1")
    operations.withdraw(store.context, ADA, "back", "looked at")
    store.publish("rings", "1", offered=False)
    started = rollouts.start_rollout(store.context, ADA, "rings", TEMPLATE)
    rollouts.halt_rollout(store.context, ADA, started.rollout.row.number, "crashes")
    store.publish("waits", "1", offered=False)
    preparing.prepare_publication(store.context, ADA, store.publication("bundle", "1"), store.folder / "b")
    assert store.uses() == {
        "office@1": {"offered"}, "old@1": {"superseded"}, "old@2": {"offered"}, "gone@1": {"withdrawn for good"},
        "back@1": {"returns"}, "rings@1": {"rollout"}, "waits@1": {"returns"}, "bundle@1": {"prepared"},
    }  # fmt: skip
    assert {use.ref for one in store.clean(at_once=True).removals for use in one.uses} == {
        PatchRef("old", "1"), PatchRef("gone", "1")
    }  # fmt: skip
    assert store.here() == {"office@1", "old@2", "back@1", "rings@1", "waits@1"}
    operations.offer(store.context, ADA, "back")
    rollouts.start_rollout(store.context, ADA, "waits", TEMPLATE)
    rollouts.resume_rollout(store.context, ADA, started.rollout.row.number)


def test_it_goes_when_nobody_has_needed_it_for_so_long(store: Store) -> None:
    store.publish("office", "2")
    assert not store.clean(content_days=30).removals
    store.company.clock.wall += 30 * DAY - 1
    assert not store.clean(content_days=30).removals
    assert not store.clean(content_days=0).removals, "for ever"
    store.company.clock.wall += 1
    (one,) = store.clean(content_days=30).removals
    assert (one.because, [str(use.ref) for use in one.uses]) == ("retention", ["office@1"])
    assert store.here() == {"office@2"}
    (row,) = (row for row in store.database.payloads() if row.version == "1")
    assert row.damaged == removed_words(store.company.clock.now())
    assert len(store.names()) == 2, "a payload, and the hashes of its pieces"


def test_a_clock_that_was_ahead_lets_nothing_go_early_nor_for_ever_stay(store: Store) -> None:
    store.publish("office", "2")
    store.company.clock.wall += 1_000 * DAY
    store.clean()
    store.company.clock.wall -= 1_000 * DAY
    assert not store.clean(content_days=30).removals
    store.company.clock.wall += 30 * DAY
    assert store.clean(content_days=30).removals


def test_a_file_that_two_patches_share_stays_as_long_as_one_needs_it(store: Store) -> None:
    store.publish("one", "1", "shared")
    store.publish("two", "1", "shared")
    operations.withdraw(store.context, ADA, "one", "crashes", store.keys)
    assert not store.clean(at_once=True).removals
    operations.withdraw(store.context, ADA, "two", "crashes", store.keys)
    (gone,) = store.clean(at_once=True).removals
    assert [str(use.ref) for use in gone.uses] == ["one@1", "two@1"]


def test_publishing_the_same_again_brings_a_superseded_file_back_for_as_long_as_before(store: Store) -> None:
    store.publish("office", "2")
    store.clean(at_once=True)
    assert store.here() == {"office@2"}
    store.company.clock.wall += 100 * DAY
    assert store.publish("office", "1", "payload").repaired
    assert store.here() == {"office@1", "office@2"}
    assert not store.clean(content_days=30).removals, "it has come again"


def test_what_was_withdrawn_for_good_is_published_anew_and_not_repaired(store: Store) -> None:
    operations.withdraw(store.context, ADA, "office", "crashes", store.keys)
    store.clean(at_once=True)
    assert store.here() == set()
    with pytest.raises(UserError, match="Publish it again"):
        operations.offer(store.context, ADA, "office")
    assert not store.publish("office", "1", "payload").repaired
    assert store.uses() == {"office@1": {"offered"}}
    assert store.here() == {"office@1"}


def test_going_back_to_what_was_removed_is_one_publication(store: Store) -> None:
    store.publish("office", "2")
    store.clean(at_once=True)
    assert not store.publish("office", "1", "payload", downgrade=True).repaired
    assert store.uses() == {"office@1": {"offered"}, "office@2": {"superseded"}}
    assert store.here() == {"office@1", "office@2"}


def test_what_a_pc_says_it_fetches_stays_for_a_week_after_somebody_needed_it_otherwise(store: Store) -> None:
    store.company.say({"pc-1": "fetching"})
    store.publish("office", "2")
    assert store.uses()["office@1"] == {"fetched"}
    assert not store.clean(at_once=True).removals
    store.company.say({"pc-1": "verified"})
    assert store.uses()["office@1"] == {"superseded"}, "it has it"
    store.company.say({"pc-1": "verifying"})
    assert store.uses()["office@1"] == {"fetched"}
    store.company.clock.wall += 6 * DAY
    assert not store.clean(content_days=1).removals
    store.database.set_denied("pc-1", denied=True)
    assert store.uses()["office@1"] == {"superseded"}
    store.database.set_denied("pc-1", denied=False)
    store.company.clock.wall += 2 * DAY
    store.company.say({"pc-1": "fetching"})
    assert store.uses()["office@1"] == {"superseded"}, "by its word alone nobody keeps files here"
    assert len(store.clean(content_days=30, content_gb=1e-9).removals) == 1
    assert store.here() == {"office@2"}


def test_files_that_killed_processes_left_go_and_what_is_not_ours_stays(store: Store) -> None:
    content = store.context.home.content
    (content / ".incoming.0123456789abcdef").mkdir()
    (content / ".incoming.0123456789abcdef" / "payload").write_text("half")
    (content / ".removed.0123456789abcdef").write_text("put away")
    (content / f".{'a' * 64}.pieces.0123456789ab.tmp").write_text("half")
    (content / ("b" * 64)).write_text("of a backup that somebody puts back")
    (content / "README").write_text("an operator's")
    before = (content / ("b" * 64)).stat().st_ctime
    store.company.clock.wall = before + 60.0
    store.clean()
    left = set(store.names())
    assert {"README", "b" * 64} <= left
    assert len(left) == 4
    store.company.clock.wall = before + 86_401.0
    assert [one.because for one in store.clean().removals] == ["unlisted"]


async def test_nothing_goes_while_somebody_publishes(store: Store) -> None:
    store.publish("office", "2")
    with publish_lock(store.context.home).held(), pytest.raises(UserError) as caught:
        await trio.to_thread.run_sync(lambda: store.clean(at_once=True))
    assert caught.value.kind is FaultKind.BUSY
    assert store.here() == {"office@1", "office@2"}


def test_nothing_goes_while_a_restored_server_learns_what_is_published(store: Store) -> None:
    (store.context.home.content / ("b" * 64)).write_text("published after the backup")
    mark_restored(store.context.home, backup_at=1.0, restored_at=2.0)
    with pytest.raises(UserError) as caught:
        store.clean(at_once=True)
    assert caught.value.kind is FaultKind.BUSY
    with pytest.raises(UserError, match="restored"):
        store.publish("new", "1")
    assert (store.context.home.content / ("b" * 64)).exists()


def test_a_bundle_that_cannot_be_read_keeps_what_no_publication_has(store: Store) -> None:
    preparing.prepare_publication(store.context, ADA, store.publication("bundle", "1"), store.folder / "b")
    (path,) = store.context.home.prepared.iterdir()
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    names = store.names()
    assert not store.clean(at_once=True).removals
    store.publish("new", "1")
    assert set(names) < set(store.names())
    path.write_bytes(whole)
    assert "bundle@1" in store.uses()


def test_a_legal_hold_keeps_all_that_was_published_also_what_is_listed_no_more(store: Store) -> None:
    number = store.database.add_legal_hold("case 17", "ada", 1.0)
    for version in "234":
        store.publish("office", version)
    store.company.clock.wall += 1_000 * DAY
    assert not store.clean(at_once=True).removals
    assert len(store.names()) == 4 * 2
    assert store.here() >= {"office@3", "office@4"}
    store.database.release_legal_hold(number, "ada", 2.0)
    assert sorted(one.because for one in store.clean(at_once=True).removals) == ["asked", "unlisted", "unlisted"]
    assert store.here() == {"office@4"}


def test_while_the_clock_may_be_far_ahead_nothing_goes_by_itself(store: Store) -> None:
    store.publish("office", "2")
    store.clean(content_days=30)
    (store.context.home.content / ("b" * 64)).write_text("of a backup that somebody puts back")
    store.company.clock.wall += 1_000 * DAY
    plan = store.clean(content_days=30, content_gb=1e-9)
    assert (plan.removals, plan.expired) == ((), ("patches", "profiles", "root", "targets"))
    assert not store.upkeep().look(0.0).plan(store.upkeep().rules(store.company.clock.now()), 0.0).removals
    plan = store.clean(at_once=True)
    assert ({one.because for one in plan.removals}, plan.expired) == ({"asked", "unlisted"}, ())


def test_what_is_no_file_is_not_ours_and_in_nobody_s_way(store: Store, tmp_path: Path) -> None:
    content, elsewhere = store.context.home.content, tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("an operator's")
    (content / ("b" * 64)).mkdir()
    (content / f"{'b' * 64}.pieces").mkdir()
    (content / ".incoming.0123456789abcdef").symlink_to(elsewhere)
    (content / ".removed.0123456789abcdef").mkdir()
    store.publish("office", "2")
    plan = store.clean(at_once=True)
    assert [str(use.ref) for one in plan.removals for use in one.uses] == ["office@1"]
    assert {path.name for path in content.iterdir() if not path.is_file()} == {"b" * 64, f"{'b' * 64}.pieces"}
    assert (elsewhere / "file").exists()


def test_a_file_that_lies_elsewhere_keeps_what_its_link_leads_to(store: Store, tmp_path: Path) -> None:
    store.publish("office", "2")
    for path in list(store.context.home.content.iterdir()):
        moved = path.rename(tmp_path / path.name)
        path.symlink_to(moved)
    assert store.here() == {"office@1", "office@2"}
    assert len(store.clean(at_once=True).removals) == 1
    assert store.here() == {"office@2"}
    assert len([path for path in tmp_path.iterdir() if len(path.name) >= 64]) == 4


def test_where_there_is_no_room_it_goes_before_its_time_and_what_is_needed_never(store: Store) -> None:
    store.publish("office", "2", "x" * 5_000)
    assert not store.clean(content_gb=6e-6).removals
    plan = store.clean(content_gb=5e-6)
    assert [one.because for one in plan.removals] == ["quota"]
    assert plan.over_bytes == 5_032 - 5_000
    assert store.here() == {"office@2"}
