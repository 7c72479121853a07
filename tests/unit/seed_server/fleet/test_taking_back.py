"""`seed_server.fleet.taking_back`, and what PCs do then: they read the server's repository by their trust stores."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet import exception_operations as exceptions
from seed_server.fleet import operations, rollout_queries, taking_back
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.context import Context
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.fleet.way_back import GoneBack, read_ways_back
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings import ServerHome, ServerSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.fake_clock import FakeClock
from tests.helpers.ring_lab import Pc
from tests.unit.seed_server.fleet.test_rollout_engine import ADA, BEGIN, BOB, OTHERS, REF, TESTERS, Company


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

    def publish(self, version: str, *, patch_id: str = "office") -> None:
        folder = self.context.home.root.parent
        (folder / f"{patch_id}.msi").write_text(f"payload {patch_id} {version}")
        recipe = Recipe(patch_id=patch_id, version=version, payload=(PayloadFile(f"{patch_id}.msi"),))
        operations.publish(self.context, ADA, Publication(recipe, folder), self.keys)

    def both_open(self) -> None:
        """Start a rollout, and bring it to its last ring."""
        self.start()
        rollouts.approve_rollout(self.context, BOB, 1)
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


async def test_the_first_ring_closes_them_all(office: Office) -> None:
    office.both_open()
    assert taking_back.withdraw_from_ring(office.context, ADA, "office@1", "test", "bad").rings == ("test", "all")
    assert await office.pc(1, tags=("test",)).sees("office@1") == "NOT_OPEN"


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


async def recalled_on(pc: Pc, *refs: str) -> list[str]:
    """Return which of what is installed there goes back, with the reason."""
    pc.store.installed = frozenset(PatchRef(*ref.split("@")) for ref in refs)
    return [f"{one.ref}: {one.recall.reason}" for one in (await pc.refresh()).recalled]


async def test_pcs_go_back_from_that_publication_alone_until_a_newer_one_is_there(office: Office) -> None:
    office.clock.wall += 60.0
    office.publish("2")
    taken = taking_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    assert list(map(str, taken.patches)) == ["office@2"]
    pc = office.pc(1)
    assert await recalled_on(pc, "office@1", "office@2") == ["office@2: loses data"]
    assert await pc.sees("office@2") == "not offered"
    with pytest.raises(UserError, match="cannot be offered again"):
        operations.offer(office.context, ADA, "office@2")
    office.clock.wall += 60.0
    office.publish("3")
    assert await recalled_on(office.pc(3), "office@2") == []
    assert office.repository.recalls().recalls == ()


async def test_what_was_withdrawn_before_goes_back_later_when_the_keys_are_here(office: Office) -> None:
    operations.withdraw(office.context, ADA, "office", "loses data", office.keys)
    taking_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    assert await recalled_on(office.pc(1), "office@1") == ["office@1: loses data"]


async def test_at_a_site_alone_it_goes_back_there_and_is_not_offered_there_again(office: Office) -> None:
    taking_back.roll_back(office.context, ADA, "office", "loses data", office.keys, site="osaka")
    here, there = office.pc(1), office.pc(2, site="oslo")
    assert await recalled_on(here, "office@1") == ["office@1: loses data"]
    assert (await recalled_on(there, "office@1"), await there.sees("office@1")) == ([], "taken")
    with pytest.raises(UserError, match="none of them installs it again"):
        taking_back.offer_at_site(office.context, ADA, "office", "osaka")


def test_nothing_changes_without_the_offline_key(office: Office, tmp_path: Path) -> None:
    office.start()
    strange = ServerHome(tmp_path / "other")
    initialise(strange, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=BEGIN)
    with pytest.raises(UserError, match="key"):
        taking_back.roll_back(office.context, ADA, "office", "x", OfflineKeys(strange.offline_keys, None))
    assert office.rollout().progress.state is RolloutState.RUNNING
    assert office.repository.recalls().recalls == ()


def test_how_many_went_back_and_who_cannot_is_counted(office: Office) -> None:
    taking_back.roll_back(office.context, ADA, "office", "loses data", office.keys)
    said: Any = {
        OTHERS[0]: ("rolled_back", "recalled: loses data"),
        OTHERS[1]: ("installed", "recalled: loses data"),
        OTHERS[2]: ("installed", "recalled: loses data; it was here already"),
        OTHERS[3]: ("not_applicable", "withdrawn: loses data"),
    }
    reports: Any = {
        name: [
            PatchReport(
                patch_id="office", version="1", state="waiting", progress=0.0, bytes_from_origin=0,
                bytes_from_peers=0, seconds=1.0, bytes_wasted=0, error="", install=install, install_reason=reason,
            )
        ]
        for name, (install, reason) in said.items()
    }  # fmt: skip
    office.database.save_reports(reports, office.clock.now())
    assert read_ways_back(office.context) == {REF: GoneBack(1, 1, {"it was here already": 1})}
