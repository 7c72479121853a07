"""`seed_server.fleet.taking_back`, and what PCs do then: they read the server's repository by their trust stores."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest import staged
from p2pdist.shared.manifest.staged import encode_staged
from seed_server.fleet import exception_operations as exceptions
from seed_server.fleet import operations, rollout_approving, rollout_queries, taking_back
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.context import Context
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.fake_clock import FakeClock
from tests.helpers.ring_lab import Pc
from tests.helpers.rollout_company import ADA, BEGIN, BOB, OTHERS, TESTERS, Company


class Office(Company):
    """The company, with PCs that read what it signs."""

    def __init__(self, home: ServerHome) -> None:
        super().__init__(home)
        self.keys = OfflineKeys(home.offline_keys, None)

    def pc(self, number: int, *, site: str = "osaka", tags: tuple[str, ...] = ()) -> Pc:
        reading: Any = SimpleNamespace(
            directory=self.context.home.root.parent, home=self.context.home, repository=self.repository,
            now=self.clock.now(),
        )  # fmt: skip
        return Pc(reading, number, site=site, tags=tags)

    def publish(self, version: str, *, patch_id: str = "office", offered: bool = True, payload: str = "") -> None:
        folder = self.context.home.root.parent
        (folder / f"{patch_id}.msi").write_text(payload or f"payload {patch_id} {version}")
        recipe = Recipe(patch_id=patch_id, version=version, payload=(PayloadFile(f"{patch_id}.msi"),))
        operations.publish(self.context, ADA, Publication(recipe, folder), self.keys, offered=offered)

    def both_open(self) -> None:
        """Start a rollout, and bring it to its last ring."""
        self.start()
        rollout_approving.approve_rollout(self.context, BOB, 1)
        self.look(0.0)
        self.say(dict.fromkeys(TESTERS, "verified"))
        assert len(self.look(3_700.0).progress.opened_at) == 2


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    home = ServerHome(folder / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=BEGIN)
    (folder / "office.msi").write_text("payload")
    recipe = Recipe(patch_id="office", version="1", payload=(PayloadFile("office.msi"),))
    keys = OfflineKeys(home.offline_keys, None)
    operations.publish(Context(home, FakeClock(BEGIN)), ADA, Publication(recipe, folder), keys)
    return home.root


@pytest.fixture
def office(tmp_path: Path, published: Path) -> Iterator[Office]:
    made = Office(ServerHome(shutil.copytree(published, tmp_path / "home")))
    yield made
    made.database.close()


async def test_a_ring_is_closed_with_those_after_it_and_those_before_go_on(office: Office) -> None:
    office.both_open()
    tester, other = office.pc(1, tags=("test",)), office.pc(2)
    assert [await tester.sees("office@1"), await other.sees("office@1")] == ["taken", "taken"]
    taken = taking_back.withdraw_from_ring(office.context, ADA, "office", "all", "no printing")
    assert (taken.rollout, taken.rings, taken.reason) == (1, ("all",), "no printing")
    assert [await tester.sees("office@1"), await other.sees("office@1")] == ["taken", "NOT_OPEN"]
    stands = office.look(7_200.0).progress
    assert (stands.state, stands.why.reason, len(stands.opened_at)) == (
        RolloutState.PAUSED, RolloutReason.RING_WITHDRAWN, 1,
    )  # fmt: skip
    rollouts.resume_rollout(office.context, ADA, 1)
    office.look()
    assert await other.sees("office@1") == "taken"


async def test_what_a_ring_reported_before_it_was_closed_does_not_halt_it_when_it_is_opened_again(
    office: Office,
) -> None:
    office.both_open()
    office.say(dict.fromkeys(OTHERS[:3], "failed"))  # too few, and too early, for the engine, which has not looked
    taking_back.withdraw_from_ring(office.context, ADA, "office", "all", "no printing")
    office.look()
    rollouts.resume_rollout(office.context, ADA, 1)
    assert office.look().progress.state is RolloutState.RUNNING


def test_what_failed_of_an_earlier_publication_of_the_same_version_does_not_halt_the_next_one(office: Office) -> None:
    """Its recipe was wrong, and is right now: PCs try it anew, and what they say from then on counts."""
    office.start()
    office.look(0.0)
    office.say(dict.fromkeys(TESTERS, "waiting"), install="failed")
    assert office.look(2.0).progress.state is RolloutState.HALTED
    office.clock.wall += 60
    operations.withdraw(office.context, ADA, "office", "its check is wrong", office.keys)
    office.publish("1", payload="payload")
    office.start()
    office.look()
    assert (office.rollout(1).progress.state, office.rollout(2).progress.state) == ("aborted", "running")
    assert rollout_queries.read_rollout(office.context, 2).tallies[0].waiting == len(TESTERS)
    office.say(dict.fromkeys(TESTERS, "waiting"), install="failed")
    office.look(2.0)
    assert office.rollout(2).progress.why.count == len(TESTERS)


def test_what_pcs_would_not_take_is_not_withdrawn_at_a_site_so_that_all_else_can_still_be_stopped(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.start()
    room = len(encode_staged(office.repository.current_staged())) + 20
    monkeypatch.setattr(staged, "MAX_STAGED_BYTES", room)
    with pytest.raises(UserError, match="PCs would not accept these rollouts"):
        taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "no printing")
    assert office.database.exceptions() == []
    monkeypatch.undo()
    taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "no printing")
    assert len(office.database.exceptions()) == 1


async def test_the_first_ring_closes_them_all(office: Office) -> None:
    office.both_open()
    assert taking_back.withdraw_from_ring(office.context, ADA, "office@1", "test", "bad").rings == ("test", "all")
    assert await office.pc(1, tags=("test",)).sees("office@1") == "NOT_OPEN"
    with pytest.raises(UserError, match="none opens while it is paused; nothing is to be done"):
        taking_back.withdraw_from_ring(office.context, ADA, "office@1", "test", "bad")


def test_a_ring_that_is_not_open_or_not_there_is_said_to_be(office: Office) -> None:
    with pytest.raises(UserError, match="No rollout of office is under way"):
        taking_back.withdraw_from_ring(office.context, ADA, "office", "test", "bad")
    office.start()
    office.look(0.0)
    with pytest.raises(UserError, match="has no ring 'broad'. It has test, all"):
        taking_back.withdraw_from_ring(office.context, ADA, "office", "broad", "bad")
    with pytest.raises(UserError, match="Ring all of rollout 1 is not open.*rollout pause 1"):
        taking_back.withdraw_from_ring(office.context, ADA, "office", "all", "bad")
    rollouts.halt_rollout(office.context, ADA, 1, "crashes")
    with pytest.raises(UserError, match="Rollout 1 is halted, so no PC begins"):
        taking_back.withdraw_from_ring(office.context, ADA, "office", "test", "bad")


async def test_a_site_is_offered_it_no_more_until_it_is_offered_there_again(office: Office) -> None:
    here, there = office.pc(1), office.pc(2, site="oslo")
    assert [await here.sees("office@1"), await there.sees("office@1")] == ["taken", "taken"]
    taken = taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "no printing")
    assert list(map(str, taken.patches)) == ["office@1"]
    assert [await here.sees("office@1"), await there.sees("office@1")] == ["WITHDRAWN_HERE", "taken"]
    (waiting,) = (await here.refresh()).not_yet
    assert waiting.wait.words == "it is withdrawn on this PC: by local:ada: no printing"
    assert waiting.wait.until is None
    assert rollout_queries.read_exceptions(office.context) == []  # it is none, and has no end
    with pytest.raises(UserError, match="which is no exception.*offer office@1 --site"):
        exceptions.end_exception(office.context, ADA, 1)
    with pytest.raises(UserError, match="withdrawn at osaka already"):
        taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "again")
    assert list(map(str, taking_back.offer_at_site(office.context, ADA, "office", "osaka"))) == ["office@1"]
    assert await here.sees("office@1") == "taken"
    with pytest.raises(UserError, match="not withdrawn at osaka"):
        taking_back.offer_at_site(office.context, ADA, "office", "osaka")


async def test_a_newer_publication_is_not_held_back_where_one_before_was_withdrawn(office: Office) -> None:
    taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "no printing")
    office.clock.wall += 60.0
    office.publish("2")
    assert await office.pc(1).sees("office@2") == "taken"


def test_a_site_that_is_not_known_and_a_patch_that_is_not_offered_are_said_to_be(office: Office) -> None:
    with pytest.raises(UserError, match="No PC of site osaca is known here"):
        taking_back.withdraw_from_site(office.context, ADA, "office", "osaca", "bad")
    with pytest.raises(UserError, match="No word is known here"):
        taking_back.withdraw_from_site(office.context, ADA, "word", "osaka", "bad")


@pytest.mark.parametrize("way", ["ring", "site"])
async def test_what_is_under_way_is_given_up_and_its_bytes_go(office: Office, way: str) -> None:
    office.both_open()
    pc = office.pc(1)
    (patch,) = (await pc.refresh()).patches
    pc.store.held = {(patch.ref, patch.payload.torrent_hash)}  # it fetches it
    if way == "ring":
        taking_back.withdraw_from_ring(office.context, ADA, "office", "all", "no printing")
    else:
        taking_back.withdraw_from_site(office.context, ADA, "office", "osaka", "no printing")
    assert (await pc.refresh()).wanted() == {}
