"""Rollouts by an operator who does everything at the wrong moment: PCs are offered what was meant, or nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS
from p2pdist.shared.manifest.rollout_plan import PlannedRing
from p2pdist.shared.wire import codec
from seed_server.fleet import operations
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_engine import PCS_SECONDS, RolloutEngine
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.fake_clock import FakeClock

ADA = Actor.local_user("ada")
BEGIN = 1_800_000_000.0
TWO = RingTemplate(
    "two", "Two rings", (PlannedRing("test", who='"test" in tags', soak_seconds=3_600), PlannedRing("all")), 86_400
)
ONE, NEXT = PatchRef("office", "1"), PatchRef("office", "2")


class Office:
    """A home where office 1 is offered to every PC, and the engine that carries rollouts on."""

    def __init__(self, home: ServerHome) -> None:
        self.clock = FakeClock(BEGIN)
        self.context, self.folder = Context(home, self.clock), home.root.parent
        self.database = self.context.database()
        self.repository = self.context.repository(self.context.settling())
        self.engine = RolloutEngine(self.context, self.repository, self.database)

    def publish(self, version: str, *, title: str = "", offered: bool = True) -> None:
        """Publish a version of office; the file stays the same, so that another title is another recipe."""
        file = self.folder / f"office-{version}.msi"
        file.write_text(f"payload {version}")
        recipe = Recipe(patch_id="office", version=version, title=title, payload=(PayloadFile(file.name),))
        keys = OfflineKeys(self.context.home.offline_keys, None)
        operations.publish(self.context, ADA, Publication(recipe, self.folder), keys, offered=offered)

    def start(self, patch: PatchRef = ONE) -> int:
        """Start a rollout by two rings, of which the first is empty."""
        return rollouts.start_rollout(self.context, ADA, str(patch), TWO).rollout.row.number

    def look(self, later: float = PCS_SECONDS) -> None:
        self.clock.wall += later
        self.engine.look()

    def rollout(self, number: int) -> KeptRollout:
        row = self.database.rollout(number)
        assert row is not None
        return KeptRollout.of(row)

    def offered(self) -> list[PatchRef]:
        """Return what every PC is offered."""
        return [entry.ref for entry in self.repository.current_rollouts().entries]

    def staged(self) -> list[PatchRef]:
        """Return what is offered by rings."""
        return [entry.ref for entry in self.repository.current_staged().entries]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = ServerHome(tmp_path_factory.mktemp("published") / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=BEGIN)
    office = Office(home)
    office.publish("1")
    office.database.close()
    return home.root


@pytest.fixture
def office(tmp_path: Path, published: Path) -> Iterator[Office]:
    made = Office(ServerHome(shutil.copytree(published, tmp_path / "home")))
    yield made
    made.database.close()


def test_a_rollout_of_what_every_pc_is_offered_takes_it_from_those_that_know_no_rings(office: Office) -> None:
    """PCs of release 0.2.0 read the rollouts for every PC alone."""
    office.start()
    assert (office.offered(), office.staged()) == ([], [ONE])
    office.look(0.0)
    office.look(3_700.0)
    office.look()
    assert (office.offered(), office.staged()) == ([ONE], []), "it is through: nobody is in its rings"


def test_a_rollout_of_what_was_withdrawn_offers_it(office: Office) -> None:
    operations.withdraw(office.context, ADA, "office", "crashes")
    office.clock.wall += 10
    number = office.start()
    office.look()
    assert office.rollout(number).progress.state is RolloutState.RUNNING
    assert [entry.ref for entry in office.repository.offered().entries] == [ONE]


def test_another_recipe_of_a_version_that_is_under_way_ends_its_rollout(office: Office) -> None:
    """Else PCs would wait for ever: what is offered is not what its rollout is of."""
    number = office.start()
    office.look(0.0)
    office.publish("1", title="Office, corrected")
    office.look()
    why = office.rollout(number).progress
    assert (why.state, why.why.reason) == (RolloutState.ABORTED, RolloutReason.REPLACED)
    assert office.staged() == []
    assert [entry.ref for entry in office.repository.offered().entries] == [ONE], "every PC gets the corrected one"


def test_another_recipe_by_rings_takes_the_place_of_the_rollout_before(office: Office) -> None:
    first = office.start()
    office.look(0.0)
    office.publish("1", title="Office, corrected", offered=False)
    second = office.start()
    office.look()
    assert office.rollout(first).progress.state is RolloutState.ABORTED
    assert office.rollout(second).progress.state is RolloutState.RUNNING
    (entry,) = office.repository.current_staged().entries
    assert (entry.plan.number, office.offered()) == (2, [])
    assert [one.ref for one in office.repository.offered().entries] == [ONE]


def test_a_new_version_by_rings_leaves_every_pc_the_one_before(office: Office) -> None:
    office.publish("2", offered=False)
    number = office.start(NEXT)
    office.look(0.0)
    assert (office.offered(), office.staged()) == ([ONE], [NEXT])
    assert not office.repository.publication_order().refusal("office", 1)
    rollouts.abort_rollout(office.context, ADA, number, "crashes")
    assert (office.offered(), office.staged()) == ([ONE], [])
    office.look()
    assert (office.offered(), office.staged()) == ([ONE], [])


def test_a_version_for_every_pc_ends_the_rollout_of_the_one_before(office: Office) -> None:
    office.publish("2", offered=False)
    number = office.start(NEXT)
    office.look(0.0)
    office.publish("3")
    office.look()
    assert office.rollout(number).progress.why.reason is RolloutReason.REPLACED
    assert (office.offered(), office.staged()) == ([PatchRef("office", "3")], [])


def test_what_does_not_fit_into_the_signed_document_is_not_begun_and_stops_no_stop_button(office: Office) -> None:
    number = office.start()
    office.look(0.0)
    row = office.database.rollout(number)
    assert row is not None
    who = f'hostname == "{"x" * (MAX_EXPRESSION_CHARS - 20)}"'
    large = replace(
        TWO.plan(ONE, 1, "0" * 64, bytes(16)), rings=tuple(PlannedRing(f"{place}", who) for place in range(10))
    )
    for n in range(120):  # other patches: their rollouts have stood for long
        plan = replace(large, patch_id=f"other-{n}")
        office.database.add_rollout(replace(row, patch_id=plan.patch_id, plan=codec.encode(plan), sequence=10 + n))
    office.publish("2", offered=False)
    with pytest.raises(UserError, match="PCs would not accept these rollouts"):
        office.start(NEXT)
    assert [one.patch_id for one in office.database.rollouts() if one.version == "2"] == []
