"""`seed_server.origin.state`: a site map that changes, and answers of the database that overtake each other."""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello
from seed_server.line.site_map import SiteMap, parse_site_map
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.connection import OriginConnection
from seed_server.origin.limits import DEFAULT_LIMITS
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.records import OriginRecords
from seed_server.origin.state import OriginState
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database, ServedPayload
from seed_server.store.piece_source import PieceSource
from tests.helpers.fake_clock import FakeClock

TORRENT = TorrentHash("b" * 64)
PATCH = ServedPayload(
    patch_id="office", version="1.0", title="", severity="low", cvss=None, file_name="a.bin", sha256="a" * 64,
    length_bytes=1, torrent_hash="b" * 64, piece_length_bytes=1 << 18, piece_count=1, sequence=1, published_at=0.0,
)  # fmt: skip


def site_map(fetchers: int) -> SiteMap:
    text = f'[[site]]\nname = "branch"\nnetworks = ["127.0.0.0/8"]\nline_mbit = {fetchers}\nfetchers = {fetchers}\n'
    return parse_site_map(text, source="sites.toml")


def fleet(directory: Path, database: Database) -> OriginState:
    return OriginState(
        settings=ServerSettings(name="hq", address="127.0.2.1", fetchers_per_site=2, lease_seconds=30.0),
        database=database,
        records=OriginRecords(database, FakeClock()),
        forms=CodedForms(None, PieceSource(ContentStore(directory)), OutsideLog()),
        sites=site_map(1),
        timestamp_version=1,
        clock=FakeClock(),
        limits=DEFAULT_LIMITS,
    )


def arrival(letter: str) -> tuple[OriginConnection, ControlHello]:
    hello = ControlHello(
        protocol=PROTOCOL_VERSION, software="test", hostname="pc", addresses=["127.0.0.2"], lan_port=7691, wired=True,
        on_mains=True, uptime_seconds=1, instance="0" * 32,
    )  # fmt: skip
    return cast(
        "OriginConnection",
        SimpleNamespace(endpoint=EndpointId(letter * 26), address="127.0.0.2", least_rtt_seconds=None),
    ), hello


async def test_who_comes_while_the_old_site_empties_is_in_the_new_one(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        live_fleet = fleet(tmp_path, database)
        old_session, old = live_fleet.join(*arrival("a"))
        live_fleet.replace_sites(site_map(3))
        session, new = live_fleet.join(*arrival("b"))
        assert (old.site.fetchers, new.site.fetchers) == (1, 3)
        live_fleet.leave(old_session, old)
        assert live_fleet.session(session.endpoint) == (session, new)
        _, third = live_fleet.join(*arrival("c"))
        assert third is new


async def test_of_a_small_file_a_site_lacks_its_bytes_and_no_whole_piece(tmp_path: Path) -> None:
    with Database.create(tmp_path / "state.db") as database:
        live_fleet = fleet(tmp_path, database)
        session, live = live_fleet.join(*arrival("a"))
        live_fleet.serve(replace(PATCH, length_bytes=10_000))
        live.ledger.want(
            session.endpoint, TORRENT, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0
        )  # fmt: skip
        assert live.ledger.remaining_bytes(0.0) == live.ledger.unsent_bytes(0.0) == 10_000


async def test_who_calls_learns_that_the_database_could_not_be_read(tmp_path: Path) -> None:
    """Else what has just been withdrawn would be sent until the next publication."""
    with Database.create(tmp_path / "state.db") as database:
        live_fleet = fleet(tmp_path, database)
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        other.execute("ALTER TABLE payloads RENAME TO elsewhere")
        with pytest.raises(UserError):
            await live_fleet.repository_changed(2)
        assert live_fleet.timestamp_version == 1
        other.execute("ALTER TABLE elsewhere RENAME TO payloads")
        other.close()
        await live_fleet.repository_changed(2)
        assert live_fleet.timestamp_version == 2


async def test_who_is_told_another_address_by_a_new_map_connects_again(tmp_path: Path) -> None:
    entry = '[[site]]\nname = "branch"\nnetworks = [{}]\nnat = ["127.0.0.0/29"]\nline_mbit = {}\nfetchers = 1\n'
    first, both = '"10.1.0.0/16"', '"10.1.0.0/16", "172.16.0.0/24"'
    with Database.create(tmp_path / "state.db") as database:
        live_fleet = fleet(tmp_path, database)
        live_fleet.replace_sites(parse_site_map(entry.format(first, 1), source="sites.toml"))
        connection, hello = arrival("a")
        session, live = live_fleet.join(connection, replace(hello, addresses=["172.16.0.7"]))
        assert session.peer.address == "127.0.0.2"
        live_fleet.replace_sites(parse_site_map(entry.format(first, 2), source="sites.toml"))
        assert (session.ending.reason, live.rate.configured) == (None, 250_000), "another line is none of its business"
        live_fleet.replace_sites(parse_site_map(entry.format(both, 2), source="sites.toml"))
        assert session.ending.reason == "the site map has changed: connect again"


async def test_an_older_answer_of_the_database_does_not_undo_a_publication(tmp_path: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class SlowDatabase(Database):
        """Answers the first question late."""

        def payloads(self) -> list[ServedPayload]:
            rows = super().payloads()
            if not asked.is_set():
                asked.set()
                go_on.wait()
            return rows

    with SlowDatabase.create(tmp_path / "state.db") as database:
        live_fleet = fleet(tmp_path, database)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live_fleet.reload_patches)
            await trio.to_thread.run_sync(asked.wait)
            database.add_patch(PATCH)
            nursery.start_soon(live_fleet.reload_patches)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()
        assert list(live_fleet.patches) == [PATCH.torrent_hash]


@pytest.mark.parametrize("late", ["the database", "what former versions there are"])
async def test_what_is_found_damaged_during_a_reload_is_not_served_again(tmp_path: Path, late: str) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait(of: str) -> None:
        if of == late and not go_on.is_set():
            asked.set()
            go_on.wait()

    class SlowDatabase(Database):
        def payloads(self) -> list[ServedPayload]:
            rows = super().payloads()
            wait("the database")
            return rows

    class SlowForms(CodedForms):
        async def learn(self, published: Sequence[ServedPayload], served: Iterable[ServedPayload]) -> None:
            await super().learn(published, served)
            await trio.to_thread.run_sync(wait, "what former versions there are")

    with SlowDatabase.create(tmp_path / "state.db") as database:
        database.add_patch(PATCH)
        live_fleet = fleet(tmp_path, database)
        live_fleet.serve(PATCH)
        live_fleet._forms = SlowForms(None, PieceSource(ContentStore(tmp_path)), OutsideLog())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live_fleet.reload_patches)
            await trio.to_thread.run_sync(asked.wait)
            await live_fleet.damaged(TORRENT, "piece 0 is gone")
            go_on.set()
        assert live_fleet.patches[TORRENT].damaged
        assert live_fleet._parts.torrents.get(TORRENT) is None, "nobody is sent it"
        database.mark_damaged(TORRENT, "")
        await live_fleet.reload_patches()
        assert live_fleet._parts.torrents.get(TORRENT) is not None, "it is repaired"


async def test_every_payload_of_a_patch_is_served_and_damaged_by_itself(tmp_path: Path) -> None:
    japanese = replace(PATCH, number=1, torrent_hash="d" * 64, sha256="c" * 64, language="ja")
    with Database.create(tmp_path / "state.db") as database:
        database.add_patch(PATCH, japanese)
        live_fleet = fleet(tmp_path, database)
        await live_fleet.reload_patches()
        assert await live_fleet.find_patch(TorrentHash(PATCH.torrent_hash)) == PATCH
        assert await live_fleet.find_patch(TorrentHash(japanese.torrent_hash)) == japanese
        await live_fleet.damaged(TorrentHash(japanese.torrent_hash), "piece 0 is gone")
        await live_fleet.reload_patches()
        assert [bool(row.damaged) for row in live_fleet.patches.values()] == [False, True]
        assert [bool(row.damaged) for row in database.payloads()] == [False, True]
