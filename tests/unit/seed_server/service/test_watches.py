"""`seed_server.service.watches`: what is looked at again after it could not be read."""

import sqlite3
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.documents import Rollouts
from seed_server.initialising import initialise
from seed_server.line.site_map import SiteMap
from seed_server.origin.server import OriginServer
from seed_server.service.watches import POLL_SECONDS, Watches, stamp_of
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.metadata import NewestTimestamp
from seed_server.signing.repository import Repository
from seed_server.store.database import Database

ENDPOINT = EndpointId("a" * 26)
SETTINGS = ServerSettings(name="hq", address="127.0.64.3")


class Dropped:
    """Stands where the origin port does, and shows what it is told."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[set[EndpointId]](8)
        self.connected = set[EndpointId]()
        self.forgotten = set[EndpointId]()

    def drop_denied(self, denied: set[EndpointId]) -> None:
        self.send.send_nowait(denied)

    def drop_forgotten(self, forgotten: set[EndpointId]) -> None:
        self.forgotten = forgotten


async def test_denials_are_seen_again_after_the_database_could_not_be_read(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    dropped = Dropped()
    nothing = cast("Any", None)
    with Database.create(tmp_path / "state.db") as database:
        database.add_endpoint(ENDPOINT, "pc-1", 0.0)
        watches = Watches(nothing, database, nothing)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watches.watch_denied, cast("OriginServer", dropped))
            assert await dropped.receive.receive() == set()
            other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
            other.execute("ALTER TABLE endpoints RENAME TO elsewhere")
            await trio.sleep(60.0)
            other.execute("ALTER TABLE elsewhere RENAME TO endpoints")
            other.close()
            database.set_denied(ENDPOINT, denied=True)
            assert await dropped.receive.receive() == {ENDPOINT}
            nursery.cancel_scope.cancel()


async def test_who_is_connected_and_was_forgotten_is_dropped(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    dropped, nothing, other = Dropped(), cast("Any", None), EndpointId("b" * 26)
    dropped.connected = {ENDPOINT, other}
    with Database.create(tmp_path / "state.db") as database:
        database.add_endpoint(ENDPOINT, "pc-1", 0.0)
        database.add_endpoint(other, "pc-2", 0.0)
        watches = Watches(nothing, database, nothing)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watches.watch_denied, cast("OriginServer", dropped))
            await dropped.receive.receive()
            assert dropped.forgotten == set()
            with Database.open(tmp_path / "state.db") as operators:
                operators.forget_endpoint(ENDPOINT)
            await dropped.receive.receive()
            assert dropped.forgotten == {ENDPOINT}
            nursery.cancel_scope.cancel()


class Told:
    """Stands where the origin port does, and may fail to read its database."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[tuple[int, list[str]]](8)
        self.renewed: list[bool] = []
        self.offered = ["what was offered before"]
        self.fails = False

    def replace_templates(self, names: frozenset[str]) -> None:
        pass

    def replace_profiles(self, profiles: object) -> None:
        pass

    def replace_rollouts(self, rollouts: Rollouts) -> None:
        self.offered = [str(entry.ref) for entry in rollouts.entries]

    async def repository_changed(self, version: int, renewed: NewestTimestamp | None = None) -> None:
        self.renewed.append(renewed is not None and renewed.version == version)
        if self.fails:
            self.fails = False
            raise UserError("The database is in use.", FaultKind.BUSY)
        self.send.send_nowait((version, self.offered))


@pytest.mark.parametrize("fails", ["the rollouts", "the database"])
async def test_what_could_not_be_read_once_is_read_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    home, nothing, told = ServerHome(tmp_path / "home"), cast("Any", None), Told()
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    repository = Repository.open(home, SETTINGS)
    version = repository.timestamp_version()
    read, answers = repository.offered, [None] if fails == "the rollouts" else []

    def offered() -> Rollouts:
        if answers:
            answers.pop()
            raise UserError("rollouts.msgpack cannot be read.", FaultKind.STORAGE)
        return read()

    monkeypatch.setattr(repository, "offered", offered)
    told.fails = fails == "the database"
    watches = Watches(home, nothing, repository)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watches.watch_repository, cast("OriginServer", told), version)
        repository.refresh_timestamp(0.0, force=True)
        assert await told.receive.receive() == (version + 1, [])
        nursery.cancel_scope.cancel()
    assert (answers, told.fails) == ([], False)


async def test_a_timestamp_that_is_only_renewed_is_told_as_such(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, nothing, told, looked = ServerHome(tmp_path / "home"), cast("Any", None), Told(), trio.Event()
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    repository = Repository.open(home, SETTINGS)
    version, life = repository.timestamp_version(), 3_600.0 * SETTINGS.timestamp_lifetime_hours
    look = repository.newest_timestamp
    assert look().life_seconds == life

    def newest_timestamp() -> NewestTimestamp:
        found = look()
        trio.from_thread.run_sync(looked.set)  # not before: the test goes on at once
        return found

    monkeypatch.setattr(repository, "newest_timestamp", newest_timestamp)
    watches = Watches(home, nothing, repository)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watches.watch_repository, cast("OriginServer", told), version)
        await looked.wait()
        repository.refresh_timestamp(0.6 * life)
        await told.receive.receive()
        repository.refresh_timestamp(0.7 * life, force=True)  # a payload was repaired
        await told.receive.receive()
        nursery.cancel_scope.cancel()
    assert told.renewed == [True, False]


async def test_a_server_that_cannot_read_what_is_offered_does_not_start(tmp_path: Path) -> None:
    home, nothing = ServerHome(tmp_path / "home"), cast("Any", None)
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    repository = Repository.open(home, SETTINGS)
    (document,) = (home.tuf_targets / "rollouts").glob("*.current")
    document.write_bytes(b"damaged")
    told = Told()
    watches = Watches(home, nothing, repository)
    with pytest.raises(UserError, match="rollouts"):
        await watches.load_rollouts(cast("OriginServer", told))


async def test_a_site_map_that_is_written_while_the_server_starts_is_used(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    home, nothing = ServerHome(tmp_path / "home"), cast("Any", None)
    home.root.mkdir()
    before = stamp_of(home.sites)
    home.sites.write_text('[[site]]\nname = "a"\nnetworks = ["127.0.8.0/24"]\n')  # read before, not watched yet
    used = list[list[str]]()

    class Origin:
        def replace_sites(self, sites: SiteMap) -> None:
            used.append([site.name for site in sites.sites])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watches(home, nothing, nothing).watch_sites, cast("OriginServer", Origin()), before)
        await trio.sleep(10 * POLL_SECONDS)
        assert used == [["a"]], "it is used once"
        home.sites.write_text('[[site]]\nname = "bb"\nnetworks = ["127.0.8.0/24"]\n')
        await trio.sleep(2 * POLL_SECONDS)
        assert used == [["a"], ["bb"]]
        nursery.cancel_scope.cancel()
