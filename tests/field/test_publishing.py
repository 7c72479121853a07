"""Publishing, correcting and taking back, as it went wrong in the field."""

import dataclasses
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from bench import sample_packages as packages
from p2pdist.install.loop import DaemonHooks
from p2pdist.install.service import InstallService
from p2pdist.install.withdrawals import EXPIRED, FIRST_LOOK_SECONDS, NOT_CONFIRMED
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.shared.manifest.recipe import ArchiveInstall, DebInstall, HealthCheck, ScheduleRules, UnitCheck
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.clock_trust import ClockTrust
from seed_server.fleet import operations, queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import Published
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import transfer
from tests.unit.p2pdist.install.test_loop import PlayedInstaller
from tests.unit.p2pdist.trust.test_clock_trust import TwoClocks

ADA = Actor.local_user("ada")
DEB = DebInstall(package="acme")
FIRST = packages.deb("acme", "1.0")


class Server:
    """An initialised server, and what its operator does."""

    def __init__(self, directory: Path) -> None:
        self.context = Context(ServerHome(directory / "home"), FakeClock(1_900_000_000.0))
        now = self.context.clock.now()
        initialise(self.context.home, ServerSettings(name="hq", address="127.0.84.1"), passphrase=None, now=now)
        self._folder = directory

    def publish(self, version: str, content: bytes = FIRST, **recipe: Any) -> Published:
        (self._folder / "acme.deb").write_bytes(content)
        made = Recipe(**{"patch_id": "acme", "version": version, "payload": (PayloadFile("acme.deb"),)} | recipe)
        keys = OfflineKeys(self.context.home.offline_keys)
        return operations.publish(self.context, ADA, Publication(made, self._folder), keys)

    def states(self) -> dict[str, str]:
        return {str(offer.manifest.ref): offer.state for offer in queries.read_offers(self.context)}

    def numbers(self) -> dict[str, tuple[int, bool]]:
        manifests = self.context.repository().manifests()
        return {str(one.ref): (one.number, one.downgrade) for one in manifests}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize(
    ("version", "recipe"),
    [
        ("2.0", {}),  # to go back, or because somebody asks for a higher one
        ("1.0", {"health": HealthCheck(checks=(UnitCheck(unit="acme.service"),)), "install": DEB}),  # a correction
        ("1.0", {"patch_id": "acme-for-kiosks"}),
    ],
    ids=["a higher version", "a corrected recipe", "a second id"],
)
def test_the_same_bytes_can_be_published_again(server: Server, version: str, recipe: dict[str, Any]) -> None:
    first = server.publish("1.0")
    again = server.publish(version, **recipe)
    assert again.patch.torrent_hash == first.patch.torrent_hash, "PCs that have it fetch nothing"
    assert [str(ref) for ref in again.same_bytes] == ["acme@1.0"]
    assert server.states()[str(again.patch.ref)] == "offered"


def test_a_patch_can_be_stopped_now_and_offered_again_without_the_offline_keys(server: Server) -> None:
    server.publish("1.0")
    server.context.home.offline_keys.rename(server.context.home.root / "taken away")
    operations.withdraw(server.context, ADA, "acme@1.0", "crashes on start")
    assert server.states() == {"acme@1.0": "withdrawn"}
    assert queries.read_status(server.context).withdrawn == {PatchRef("acme", "1.0"): "crashes on start"}
    operations.offer(server.context, ADA, "acme")
    assert server.states() == {"acme@1.0": "offered"}


def test_a_rebuilt_older_package_is_a_way_back_that_is_signed(server: Server) -> None:
    server.publish("2.0", packages.deb("acme", "2.0"), install=DEB)
    server.publish("1.9+rebuilt1", packages.deb("acme", "1.9+rebuilt1"), install=DEB, downgrade=True)
    assert server.numbers() == {"acme@2.0": (1, False), "acme@1.9+rebuilt1": (2, True)}
    assert server.states() == {"acme@1.9+rebuilt1": "offered", "acme@2.0": "superseded"}
    order = server.context.repository().publication_order()
    assert order.refusal("acme", 1), "the newer program may not be installed any more …"
    assert not order.refusal("acme", 2), "… and the way back may"


@pytest.mark.parametrize("install", [None, DEB])
def test_an_older_version_after_a_newer_one_only_with_a_flag(server: Server, install: DebInstall | None) -> None:
    server.publish("2.0-1", packages.deb("acme", "2.0-1"), install=install)
    with pytest.raises(UserError, match="PCs would go back. If that is meant, add --downgrade"):
        server.publish("1.9-2", packages.deb("acme", "1.9-2"), install=install)
    server.publish("1.9-2", packages.deb("acme", "1.9-2"), install=install, downgrade=True)
    assert server.states()["acme@1.9-2"] == "offered"


def test_what_is_wrong_beside_the_published_is_told_together_with_what_is_wrong_in_the_recipe(server: Server) -> None:
    server.publish("2.0")
    with pytest.raises(UserError) as caught:
        server.publish("1.0", cvss=11.0, requires=("nothing",), schedule=ScheduleRules(deadline="tomorrow"))
    for words in ("from 0.0 to 10.0", "no date and time", "PCs would go back", "requires"):
        assert words in caught.value.message
    with pytest.raises(UserError) as caught:
        server.publish("1/0", requires=("no/thing",))
    assert "requires 1" in caught.value.message
    assert "go back" not in caught.value.message, "what is no version cannot be compared"


class Returned:
    """A PC that was off for long; it has the file of a patch that was offered, and no window to wait for."""

    def __init__(self, directory: Path) -> None:
        self.clock, self.installer = TwoClocks(1_900_000_000.0), PlayedInstaller()
        self.trust = ClockTrust(self.clock)
        home = EndpointHome(directory)
        here = transfer(1, PatchRef("acme", "1"), "verified")
        manifest = replace(here.patch.manifest, install=ArchiveInstall(directory="/opt/acme"))
        patch = dataclasses.replace(here.patch, manifest=manifest)
        here.patches = (patch,)
        place = Path(here.verified_path(home.patches))
        place.parent.mkdir(parents=True)
        with tarfile.open(place, "w"):
            pass
        self.service = InstallService(
            home,
            DaemonSettings(),
            cast("Any", self.installer),
            cast("Any", SimpleNamespace(everything=lambda: [here])),
            DaemonHooks(
                lambda: None,
                _no_damage,
                lambda: None,
                clock_problem=lambda: self.trust.problem,
                passed=lambda: self.trust.passed,
            ),
            cast("Any", SimpleNamespace(set_templates=lambda _: None, facts_changed=lambda: None)),
            self.clock,
            posture=cast("Any", None),
        )
        self.old = Catalogue(
            1,
            patches=(patch,),
            refused=(),
            stale="",
            confirmed=False,
            passed_at=self.clock.wall - DAY_SECONDS,
            expires_at=self.clock.wall + DAY_SECONDS,
        )

    async def run(self) -> None:
        """Let the daemon run until it waits for its server no longer."""
        with trio.move_on_after(FIRST_LOOK_SECONDS):
            await self.service.run()

    async def step(self, known: Catalogue) -> list[str]:
        """Let the daemon accept a list and do what is due; return what was carried out so far."""
        self.trust.metadata_says(known.passed_at, known.expires_at)
        self.service.follow_catalogue(known)
        await self.service.installs.step()
        return self.installer.calls


@pytest.fixture
def returned(tmp_path: Path) -> Returned:
    return Returned(tmp_path)


async def test_a_pc_whose_clock_is_behind_begins_nothing_by_an_old_list(
    returned: Returned, autojump_clock: trio.testing.MockClock
) -> None:
    """Its battery is dead: by its clock, nothing ever expires; and its server is away."""
    returned.clock.wall = 1_546_300_800.0  # the clock of its board begins there
    await returned.run()
    assert await returned.step(returned.old) == []
    assert NOT_CONFIRMED in returned.service.problems
    new = dataclasses.replace(returned.old, confirmed=True)
    assert await returned.step(new) == ["install acme 1"], "the server has said so"


async def test_by_a_clock_that_is_behind_the_server_s_word_ends_all_the_same(returned: Returned) -> None:
    await returned.service.installs.load()
    confirmed = dataclasses.replace(returned.old, confirmed=True)
    returned.trust.server_says(returned.clock.wall)
    returned.clock.wall -= 30 * DAY_SECONDS
    returned.clock.steady += DAY_SECONDS
    assert await returned.step(confirmed) == []
    assert EXPIRED in returned.service.problems


async def test_a_pc_that_was_off_for_a_month_asks_before_it_begins(returned: Returned) -> None:
    """It has the file and the rollouts of a month ago; meanwhile the patch was withdrawn."""
    await returned.service.installs.load()
    old = returned.old
    for known, why in ((old, NOT_CONFIRMED), (dataclasses.replace(old, expires_at=returned.clock.wall - 1.0), EXPIRED)):
        assert await returned.step(known) == []
        assert returned.service.problems == [why]
    gone = Withdrawal("acme", "1", sequence=1, reason="crashes", at=1)
    assert await returned.step(Catalogue(2, patches=(), refused=(), stale="", withdrawn=(gone,))) == []
    assert await returned.step(dataclasses.replace(old, confirmed=True)) == ["install acme 1"], "offered again"


async def _no_damage(_torrent: str) -> None:
    raise AssertionError
