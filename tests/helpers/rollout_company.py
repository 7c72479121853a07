"""A home with ten PCs and a published patch, for tests of rollouts."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.fleet import approver_list, operations
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.ring_templates import parse_ring_template
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_engine import PCS_SECONDS, RolloutEngine
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys, create_signing_key, write_public_key
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from tests.helpers.fake_clock import FakeClock

ADA, BOB = Actor.local_user("ada"), Actor.local_user("bob")
BEGIN = 1_800_000_000.0
TEMPLATE = parse_ring_template(
    """
title = "Two rings"
silent_after = "1d"
[[ring]]
name = "test"
who = '"test" in tags'
soak = "1h"
success = 90
failure = 20
[[ring]]
name = "all"
soak = "1h"
success = 50
failure = 20
least_failed = 2
approval = true
""",
    "two",
)
REF = PatchRef("office", "1")
TESTERS, OTHERS = [f"pc-test-{k}" for k in range(3)], [f"pc-{k}" for k in range(7)]


class Company:
    """A home with ten PCs, a published patch, and the engine."""

    def __init__(self, home: ServerHome) -> None:
        self.clock = FakeClock(BEGIN)
        self.context = Context(home, self.clock)
        self.database: Database = self.context.database()
        for name in TESTERS + OTHERS:
            self.database.add_endpoint(name, name, BEGIN, ["test"] if name in TESTERS else [])
        self.database.save_facts({name: {"hostname": name} for name in TESTERS + OTHERS})
        self.seen(TESTERS + OTHERS)
        self.repository = self.context.repository(self.context.settling())
        self.engine = self.new_engine()

    def new_engine(self) -> RolloutEngine:
        return RolloutEngine(self.context, self.repository, self.database)

    def seen(self, names: list[str], *, connected: bool = True) -> None:
        row = SeenRow("osaka", "10.0.0.1", "p2pdist/1", connected, self.clock.now())
        self.database.save_seen(dict.fromkeys(names, row))

    def say(self, said: Mapping[str, PatchState], patch_id: str = "office", *, install: InstallState = "") -> None:
        """Have PCs report states of their files: the patch is delivered, and nothing is installed by default."""
        reports = {
            name: [
                PatchReport(
                    patch_id=patch_id, version="1", state=state, progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
                    seconds=1.0, bytes_wasted=0, error="", install=install,
                )
            ]
            for name, state in said.items()
        }  # fmt: skip
        self.database.save_reports(reports, self.clock.now())

    def look(self, later: float = PCS_SECONDS) -> KeptRollout:
        self.clock.wall += later
        self.engine.look()
        assert self.database.rollout_faults() == []
        return self.rollout()

    def rollout(self, number: int = 1) -> KeptRollout:
        row = self.database.rollout(number)
        assert row is not None
        return KeptRollout.of(row, self.database.approvals(number))

    def start(self) -> KeptRollout:
        return rollouts.start_rollout(self.context, ADA, "office", TEMPLATE).rollout

    def names_approvers(self, folder: Path, *names: str, required: int = 1) -> None:
        """Have PCs want the signatures of these, whose keys are made where there are none in ``folder``."""
        text = f"required = {required}\n[keys]\n"
        for name in names:
            if not (folder / f"{name}.pem").exists():
                write_public_key(folder / f"{name}.pub", create_signing_key(folder / f"{name}.pem", None))
            text += f'{name} = "{name}.pub"\n'
        (folder / "approvers.toml").write_text(text)
        keys = OfflineKeys(self.context.home.offline_keys, None)
        approver_list.set_approvers(self.context, ADA, folder / "approvers.toml", keys)

    def publish_to_nobody(self, patch_id: str, folder: Path) -> PatchRef:
        """Publish another patch, to nobody yet."""
        (folder / f"{patch_id}.msi").write_text(patch_id)
        recipe = Recipe(patch_id=patch_id, version="1", payload=(PayloadFile(f"{patch_id}.msi"),))
        keys = OfflineKeys(self.context.home.offline_keys, None)
        operations.publish(self.context, ADA, Publication(recipe, folder), keys, offered=False)
        return PatchRef(patch_id, "1")


def published_home(folder: Path) -> Path:
    """Return a home where a patch is published: to make one takes a second."""
    home = ServerHome(folder / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=BEGIN)
    (folder / "office.msi").write_text("payload")
    recipe = Recipe(patch_id="office", version="1", payload=(PayloadFile("office.msi"),))
    context, keys = Context(home, FakeClock(BEGIN)), OfflineKeys(home.offline_keys, None)
    operations.publish(context, ADA, Publication(recipe, folder), keys)
    return home.root


def company_at(published: Path, folder: Path) -> Company:
    """Return a company of its own, with a copy of the home at ``published``; the caller closes its database."""
    return Company(ServerHome(shutil.copytree(published, folder / "home")))
