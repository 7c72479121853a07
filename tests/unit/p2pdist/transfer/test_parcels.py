"""`p2pdist.transfer.parcels` and `unshared`, with a played engine and a played server; real files.

With real processes: `tests/swarm/test_many_patches.py`.
"""

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.wire.beginnings import beginning
from p2pdist.shared.wire.messages import FromEndpoint, Want
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, describe_news, make_torrent
from p2pdist.shared.wire.parcel import Parcel, Parcels, ParcelsWanted
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.parcels import ANSWER_SECONDS, PARCEL_TERMS, TAKES_PARCELS_SECONDS
from p2pdist.transfer.states import giving_up
from p2pdist.transfer.torrent_engine import EngineError, TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.unshared import BUSY_SHARE_SECONDS, SHARE_AGAIN_SECONDS, SHARE_QUIET_SECONDS, Unshared
from p2pdist.trust.catalogue import Catalogue, CataloguePatch
from tests.helpers.patch_views import transfer

MANY = 8
PART_BYTES = 50_000


def data_of(n: int) -> bytes:
    return bytes([n]) * PART_BYTES


def patch_of(n: int) -> CataloguePatch:
    patch = transfer(n).patch
    payload = replace(
        patch.payload,
        length_bytes=PART_BYTES,
        sha256=hashlib.sha256(data_of(n)).hexdigest(),
        torrent_hash=hashlib.sha256(b"torrent" + data_of(n)).hexdigest(),
    )
    return dataclasses.replace(patch, payload=payload)


def torrent_of(patch: CataloguePatch) -> TorrentHash:
    return TorrentHash(patch.payload.torrent_hash)


def parcel_of(patches: list[CataloguePatch]) -> tuple[Parcel, bytes]:
    data = b"".join(data_of(patch.entry.sequence) for patch in patches)
    members = b"".join(beginning(torrent_of(patch)) for patch in patches)
    return Parcel(describe_news(data), members, tuple(PART_BYTES for _ in patches)), data


@dataclass
class PlayedEngine:
    cache: Path
    snapshots: dict[TorrentHash, TransferSnapshot] = field(default_factory=dict)
    refused: set[TorrentHash] = field(default_factory=set)
    tried: list[TorrentHash] = field(default_factory=list)
    """Which of the refused ones were added again and again."""

    async def refresh(self) -> None:
        """Nothing comes by itself."""

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        return self.snapshots[torrent_hash]

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        assert delete_files
        self.snapshots.pop(torrent_hash, None)

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        if expected_hash in self.refused:
            self.tried.append(expected_hash)
            raise EngineError("it is refused")
        pieces = 2 if torrent else 1
        self.snapshots[expected_hash] = TransferSnapshot(
            torrent_hash=expected_hash, phase="complete" if assume_complete else "downloading", piece_count=pieces,
            have=1 if assume_complete else 0, lan_have=0, bytes_from_peers=0, bytes_to_peers=0, bytes_wasted=0,
            progress=0.0, peers=(), fault=None,
        )  # fmt: skip

    def change(self, torrent_hash: TorrentHash, **fields: Any) -> None:
        self.snapshots[torrent_hash] = dataclasses.replace(self.snapshots[torrent_hash], **fields)


@dataclass
class Running:
    transfers: Transfers
    engine: PlayedEngine
    home: EndpointHome
    patches: list[CataloguePatch]
    sent: list[FromEndpoint]

    def states(self) -> list[str]:
        return [each.state for each in self.transfers.everything()]

    def singly(self) -> list[TorrentHash]:
        """Return the patches' torrents that the engine has."""
        return [torrent_of(patch) for patch in self.patches if torrent_of(patch) in self.engine.snapshots]

    def wants(self, torrent: TorrentHash) -> list[Want]:
        return [message for message in self.sent if isinstance(message, Want) and message.torrent == torrent]

    @property
    def asked(self) -> list[ParcelsWanted]:
        return [message for message in self.sent if isinstance(message, ParcelsWanted)]

    async def step(self) -> None:
        await self.transfers.step()
        await trio.testing.wait_all_tasks_blocked()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Step until ``reached``; files are written in threads."""
        for _ in range(2_000):
            if reached():
                return
            await self.transfers.step()
            await trio.testing.wait_all_tasks_blocked(0.001)
        pytest.fail(f"it is not reached: {self.states()}")

    async def tell(self, *parcels: Parcel, more: bool = False) -> None:
        await self.until(lambda: bool(self.asked))
        self.transfers.parcels.told(Parcels(parcels=list(parcels), more=more))
        await self.step()

    def come(self, data: bytes) -> None:
        """Let a parcel be complete on the disk."""
        made = make_torrent(describe_news(data))
        (self.home.cache / made.name).write_bytes(data)
        self.engine.change(made.torrent_hash, phase="complete", have=0b11)
        self.transfers.made.wake()

    async def withdraw(self, *kept: CataloguePatch) -> None:
        await self.transfers.reconcile(Catalogue(2, patches=kept, refused=(), stale=""))

    def one(self, patch: CataloguePatch) -> Transfer:
        (found,) = (each for each in self.transfers.everything() if each.ref == patch.ref)
        return found


@asynccontextmanager
async def running(
    root: Path, count: int = MANY, *, has_parcels: bool | None = True, can_fetch: bool = True
) -> AsyncIterator[Running]:
    home = EndpointHome(root)
    for directory in (home.cache, home.patches):
        directory.mkdir(parents=True, exist_ok=True)
    engine, patches = PlayedEngine(home.cache), [patch_of(n) for n in range(1, count + 1)]
    async with trio.open_nursery() as nursery:
        sent: list[FromEndpoint] = []

        async def send(message: FromEndpoint) -> None:
            sent.append(message)

        transfers = Transfers(home, cast("Any", engine), nursery, send, SystemClock(), can_fetch=lambda: can_fetch)
        if has_parcels is not None:
            transfers.parcels.welcomed(has_parcels=has_parcels)
        nursery.start_soon(transfers.made.run, lambda _: None)
        run = Running(transfers, engine, home, patches, sent)
        await transfers.load()
        await transfers.reconcile(Catalogue(1, patches=tuple(patches), refused=(), stale=""))
        await trio.testing.wait_all_tasks_blocked()
        yield run
        nursery.cancel_scope.cancel()


async def test_what_comes_in_a_parcel_is_proven_without_a_torrent_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        assert run.states() == MANY * ["waiting"], "until the server has answered"
        await run.tell(parcel)
        assert run.asked[0].torrents == b"".join(sorted(beginning(torrent_of(patch)) for patch in run.patches))
        assert run.states() == MANY * ["fetching"]
        torrent = make_torrent(parcel.torrent).torrent_hash
        first = NEWS_PIECE_BYTES
        run.transfers.parcels.piece_arrived(torrent, PieceIndex(0), first, "stored")
        run.come(data)
        await run.until(lambda: run.states() == MANY * ["verified"])
        assert not run.singly()
        assert not [message for message in run.sent if isinstance(message, Want) and message.torrent != torrent]
        records = [each.record for each in run.transfers.everything()]
        assert sum(record.bytes_from_origin for record in records) == first, "each byte is of one patch"
        assert sum(record.bytes_from_peers for record in records) == len(data) - first
        for patch, record in zip(run.patches, records, strict=True):
            (place,) = record.places
            path = run.home.patches / place.patch_id / place.version / place.file_name
            assert path.read_bytes() == data_of(patch.entry.sequence)
        await run.transfers.save()
    async with running(tmp_path) as run:
        await run.until(lambda: run.states() == MANY * ["verified"])
        assert not run.asked, "what was proven is proven after a restart"


async def test_a_coded_piece_of_a_parcel_is_counted_by_what_crossed_the_line(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        await run.tell(parcel)
        torrent = make_torrent(parcel.torrent).torrent_hash
        crossed = NEWS_PIECE_BYTES // 4
        run.transfers.parcels.piece_arrived(torrent, PieceIndex(0), crossed, "stored", NEWS_PIECE_BYTES - crossed)
        run.come(data)
        await run.until(lambda: run.states() == MANY * ["verified"])
        records = [each.record for each in run.transfers.everything()]
        first = min(NEWS_PIECE_BYTES, len(data))
        assert sum(record.bytes_from_origin + record.bytes_built for record in records) == first
        assert crossed <= sum(record.bytes_from_origin for record in records) <= crossed + MANY, "rounded up for each"
        assert sum(record.bytes_from_peers for record in records) == len(data) - first
        assert sum(record.bytes_wasted for record in records) == 0


async def test_what_came_is_shared_by_itself_when_all_is_quiet(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        await run.tell(parcel)
        run.come(data)
        await run.until(lambda: run.states() == MANY * ["verified"])
        await run.step()
        assert not run.singly()
        assert run.transfers.step_seconds <= SHARE_QUIET_SECONDS
        mock_clock.jump(SHARE_QUIET_SECONDS - 1)
        await run.step()
        assert not run.singly()
        mock_clock.jump(1)
        await run.step()
        assert len(run.singly()) == MANY
        assert run.transfers.everything()[0].in_engine


@pytest.mark.parametrize("wrong", ["a byte", "the signed length"])
async def test_what_is_not_the_payload_is_fetched_by_itself(tmp_path: Path, wrong: str) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        if wrong == "a byte":
            data = b"\xff" + data[1:]
            parcel = replace(parcel, torrent=describe_news(data))
            await run.tell(parcel)
            run.come(data)
            await run.until(lambda: run.states().count("verified") == MANY - 1)
            await run.until(lambda: run.singly() == [torrent_of(run.patches[0])])
            assert not (run.home.cache / run.patches[0].payload.sha256).exists()
        else:
            lengths = (PART_BYTES - 1, PART_BYTES + 1, *parcel.lengths[2:])
            await run.tell(replace(parcel, lengths=lengths))
            await run.until(lambda: len(run.singly()) == MANY)


async def test_what_is_in_no_parcel_is_fetched_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches[:5])
        await run.tell(parcel)
        await run.until(lambda: len(run.singly()) == 3)
        await run.step()
        assert run.singly() == [torrent_of(patch) for patch in run.patches[5:]]


async def test_a_parcel_that_does_not_come_is_given_up_and_each_is_fetched_by_itself(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches)
        torrent = make_torrent(parcel.torrent).torrent_hash
        await run.tell(parcel)
        mock_clock.jump(PARCEL_TERMS.patience_seconds - 1)
        await run.step()
        assert not run.singly()
        mock_clock.jump(2)
        await run.until(lambda: len(run.singly()) == MANY)
        assert giving_up(torrent) in run.sent
        assert torrent not in run.engine.snapshots
        assert len(run.singly()) == MANY
        assert len(run.asked) == 1, "it is not tried again"


async def test_a_server_that_has_forgotten_the_parcel_lets_them_be_fetched_by_themselves(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches)
        await run.tell(parcel)
        run.transfers.made.origin_unavailable(make_torrent(parcel.torrent).torrent_hash, "not sent any more")
        await run.until(lambda: len(run.singly()) == MANY)


async def test_a_parcel_that_is_sent_no_more_is_waited_for_while_neighbours_have_what_is_missing(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches)
        torrent = make_torrent(parcel.torrent).torrent_hash
        await run.tell(parcel)
        run.engine.change(torrent, have=0b01, lan_have=0b10)
        run.transfers.made.origin_unavailable(torrent, "not sent any more")
        await run.step()
        assert not run.singly()
        run.engine.change(torrent, lan_have=0b01)
        run.transfers.made.wake()
        await run.until(lambda: len(run.singly()) == MANY)


async def test_who_may_not_fetch_does_not_wait_for_ever_for_what_is_sent_no_more(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path, can_fetch=False) as run:
        parcel, _ = parcel_of(run.patches)
        torrent = make_torrent(parcel.torrent).torrent_hash
        await run.tell(parcel)
        run.engine.change(torrent, lan_have=0b11)
        mock_clock.jump(2 * PARCEL_TERMS.patience_seconds)
        await run.step()
        assert not run.singly(), "it may come later"
        run.transfers.made.origin_unavailable(torrent, "not sent any more")
        await run.step()
        mock_clock.jump(PARCEL_TERMS.patience_seconds + 1)
        run.transfers.made.wake()
        await run.until(lambda: len(run.singly()) == MANY)


async def test_what_becomes_an_emergency_leaves_its_parcel(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.tell(parcel_of(run.patches)[0])
        first, *others = run.patches
        urgent = dataclasses.replace(first, manifest=replace(first.manifest, schedule=ScheduleRules(emergency=True)))
        await run.withdraw(urgent, *others)
        await run.until(lambda: run.singly() == [torrent_of(first)])


async def test_what_becomes_known_between_question_and_answer_is_asked_for_too(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.until(lambda: len(run.asked) == 1)
        later = [patch_of(MANY + n) for n in range(1, 5)]
        await run.withdraw(*run.patches, *later)
        await run.step()
        await run.tell(parcel_of(run.patches)[0])
        await run.until(lambda: len(run.asked) == 2)
        assert run.asked[1].torrents == b"".join(sorted(beginning(torrent_of(patch)) for patch in later))
        assert not any(torrent_of(patch) in run.engine.snapshots for patch in later)


async def test_behind_many_parcels_the_rest_waits_for_the_next_answer(tmp_path: Path) -> None:
    async with running(tmp_path, 6 * 4) as run:
        parcels = [parcel_of(run.patches[at : at + 4]) for at in range(0, 5 * 4, 4)]
        await run.tell(*(parcel for parcel, _ in parcels), more=True)
        await run.step()
        assert not run.singly()
        assert len(run.asked) == 1, "more would only wait here"
        run.come(parcels[0][1])
        await run.until(lambda: len(run.asked) == 2)
        assert not run.singly()


async def test_where_no_parcel_can_be_begun_the_next_answer_is_not_waited_for(tmp_path: Path) -> None:
    """As on a full disk: the server would be asked without end, and nothing fetched, nor said why."""
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches[:4])
        run.engine.refused = {make_torrent(parcel.torrent).torrent_hash}
        await run.tell(parcel, more=True)
        for _ in range(3):
            await run.step()
        assert len(run.asked) == 1
        assert len(run.singly()) == MANY


async def test_what_is_withdrawn_while_its_parcel_comes_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        await run.tell(parcel)
        gone, *kept = run.patches
        await run.withdraw(*kept)
        run.come(data)
        await run.until(lambda: run.states() == (MANY - 1) * ["verified"])
        assert not (run.home.cache / gone.payload.sha256).exists()
        assert sorted(path.name for path in run.home.patches.iterdir()) == sorted(p.ref.patch_id for p in kept)


async def test_bytes_that_are_damaged_later_are_fetched_by_themselves(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        await run.tell(parcel)
        run.come(data)
        await run.until(lambda: run.states() == MANY * ["verified"])
        await run.transfers.damaged(torrent_of(run.patches[0]))
        await run.until(lambda: run.singly() == [torrent_of(run.patches[0])])


@pytest.mark.parametrize(("has_parcels", "count"), [(False, MANY), (True, 3)])
async def test_without_a_server_that_has_parcels_or_with_few_nothing_is_waited_for(
    tmp_path: Path, has_parcels: bool, count: int
) -> None:
    async with running(tmp_path, count, has_parcels=has_parcels) as run:
        await run.step()
        assert len(run.singly()) == count
        assert not run.asked


@pytest.mark.parametrize(("has_parcels", "seconds"), [(None, TAKES_PARCELS_SECONDS), (True, ANSWER_SECONDS)])
async def test_who_hears_nothing_waits_for_seconds(
    tmp_path: Path, mock_clock: trio.testing.MockClock, has_parcels: bool | None, seconds: float
) -> None:
    async with running(tmp_path, has_parcels=has_parcels) as run:
        mock_clock.jump(seconds - 0.5)
        await run.step()
        assert not run.singly()
        assert run.transfers.step_seconds <= 2.0
        mock_clock.jump(1.0)
        await run.step()
        assert len(run.singly()) == MANY
        run.transfers.parcels.told(Parcels(parcels=[parcel_of(run.patches)[0]]))
        await run.step()
        assert run.states() == MANY * ["fetching"], "too late: they are on their way"
        assert make_torrent(parcel_of(run.patches)[0].torrent).torrent_hash not in run.engine.snapshots


async def test_an_emergency_waits_for_no_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        first, *others = run.patches
        manifest = replace(first.manifest, schedule=ScheduleRules(emergency=True))
        urgent = dataclasses.replace(patch_of(MANY + 1), manifest=replace(manifest, patch_id="urgent"))
        await run.withdraw(*others, urgent)
        await run.step()
        assert run.one(urgent).in_engine
        assert not run.singly(), "the others are asked for"


async def test_while_one_parcel_comes_the_next_is_waited_for(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as run:
        first, second = (parcel for parcel, _ in (parcel_of(run.patches[:4]), parcel_of(run.patches[4:])))
        await run.tell(first, second)
        for have in (0b01, 0b11):
            mock_clock.jump(PARCEL_TERMS.patience_seconds - 1)
            run.engine.change(make_torrent(first.torrent).torrent_hash, have=have)
            run.transfers.made.wake()
            await run.step()
        assert make_torrent(second.torrent).torrent_hash in run.engine.snapshots
        assert not run.singly()


async def test_connections_that_come_and_go_make_the_wait_no_longer(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as run:
        for _ in range(3):
            mock_clock.jump(ANSWER_SECONDS / 2)
            run.transfers.parcels.welcomed(has_parcels=True)
            await run.step()
        assert len(run.singly()) == MANY


async def test_one_that_the_engine_refuses_keeps_no_other_from_being_shared(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        await run.tell(parcel)
        run.come(data)
        await run.until(lambda: run.states() == MANY * ["verified"])
        await run.step()
        refused = torrent_of(run.patches[0])
        run.engine.refused = {refused}
        mock_clock.jump(SHARE_QUIET_SECONDS)
        for _ in range(3):
            await run.step()
        assert run.singly() == [torrent_of(patch) for patch in run.patches[1:]]
        assert run.engine.tried == [refused], "not at each step"
        run.engine.refused.clear()
        mock_clock.jump(SHARE_AGAIN_SECONDS)
        await run.step()
        mock_clock.jump(SHARE_QUIET_SECONDS)
        await run.step()
        assert refused in run.singly()


async def test_all_is_shared_before_its_parcels_are_gone_though_something_else_moves(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    many = [transfer(n) for n in range(1, 1_001)]
    engine = PlayedEngine(tmp_path)
    for each in many:
        each.state, each.in_engine = "verified", False
    unshared = Unshared(cast("Any", engine))
    begun = trio.current_time()
    await unshared.share_some(many, begun, busy=True)
    while unshared.pause_seconds < 1_000:
        mock_clock.jump(max(0.5, unshared.pause_seconds))
        await unshared.share_some(many, trio.current_time(), busy=True)
    assert all(each.in_engine for each in many)
    assert trio.current_time() - begun <= SHARE_QUIET_SECONDS + BUSY_SHARE_SECONDS < PARCEL_TERMS.shared_seconds


async def test_many_that_are_here_at_once_are_cut_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = 0, 0
    cut = Cache.cut

    async def counted(*arguments: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await trio.sleep(0.01)
        proofs = await cut(*arguments)
        at_once -= 1
        return proofs

    monkeypatch.setattr(Cache, "cut", counted)
    async with running(tmp_path, 16) as run:
        parcels = [parcel_of(run.patches[at : at + 4]) for at in range(0, 16, 4)]
        await run.tell(*(parcel for parcel, _ in parcels))
        for _, data in parcels:
            run.come(data)
        await run.until(lambda: run.states() == 16 * ["verified"])
        assert most == 1


@pytest.mark.parametrize("here", [False, True])
async def test_a_server_that_has_started_anew_is_told_what_is_in_a_parcel_and_then_of_its_pieces(
    tmp_path: Path, here: bool
) -> None:
    async with running(tmp_path) as run:
        parcel, data = parcel_of(run.patches)
        torrent = make_torrent(parcel.torrent).torrent_hash
        await run.tell(parcel)
        run.engine.change(torrent, have=0b01)
        if here:
            run.come(data)
            await run.until(lambda: run.states() == MANY * ["verified"])
        await run.step()
        run.sent.clear()
        run.transfers.made.forget_wants(takes_holdings=True)
        run.transfers.parcels.welcomed(has_parcels=True)
        run.transfers.made.wake()
        await run.step()
        assert run.asked == [ParcelsWanted(torrents=b"", held=(parcel.members,))]
        assert not run.wants(torrent), "it does not know it yet"
        run.transfers.parcels.told(Parcels(parcels=[]))
        await run.step()
        assert [want.have for want in run.wants(torrent)] == [b"\xc0" if here else b"\x80"]
        assert not run.singly()
        run.transfers.parcels.welcomed(has_parcels=True)
        await run.step()
        assert len(run.asked) == 2, "on each connection once"


async def test_what_goes_alone_meanwhile_does_not_keep_a_new_server_from_hearing_of_the_pieces(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches)
        torrent = make_torrent(parcel.torrent).torrent_hash
        await run.tell(parcel)
        run.sent.clear()
        run.transfers.made.forget_wants(takes_holdings=True)
        run.transfers.parcels.welcomed(has_parcels=True)
        await run.step()
        few = patch_of(MANY + 1)
        await run.withdraw(*run.patches, few)
        await run.step()
        assert run.one(few).in_engine, "too few to ask for"
        run.transfers.parcels.told(Parcels(parcels=[]))
        await run.step()
        assert run.wants(torrent)


async def test_a_server_without_parcels_lets_what_is_in_one_be_fetched_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        parcel, _ = parcel_of(run.patches)
        await run.tell(parcel)
        run.transfers.made.forget_wants(takes_holdings=False)
        run.transfers.parcels.welcomed(has_parcels=False)
        await run.step()
        torrent = make_torrent(parcel.torrent).torrent_hash
        assert run.wants(torrent)
        run.transfers.made.origin_unavailable(torrent, "not published here")
        await run.until(lambda: len(run.singly()) == MANY)


async def test_after_a_new_connection_it_is_asked_again(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        await run.until(lambda: len(run.asked) == 1)
        run.transfers.parcels.welcomed(has_parcels=True)
        await run.until(lambda: len(run.asked) == 2)
        assert run.asked[0] == run.asked[1]


async def test_more_parcels_than_a_message_has_are_asked_for_when_few_are_left(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        first, data = parcel_of(run.patches[:4])
        await run.tell(first, more=True)
        await run.until(lambda: len(run.asked) == 2)
        assert not run.singly(), "the rest waits for its parcel"
        second, more = parcel_of(run.patches[4:])
        run.transfers.parcels.told(Parcels(parcels=[second]))
        await run.step()
        run.come(data)
        run.come(more)
        await run.until(lambda: run.states() == MANY * ["verified"])
        assert not run.singly()


async def test_a_file_that_lies_here_already_is_checked_and_not_parcelled(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(parents=True)
    patch = patch_of(1)
    home = EndpointHome(tmp_path)
    home.cache.mkdir(parents=True, exist_ok=True)
    (home.cache / patch.payload.sha256).write_bytes(data_of(1))
    async with running(tmp_path) as run:
        await run.until(lambda: bool(run.asked))
        assert beginning(torrent_of(patch)) not in run.asked[0].torrents
        assert run.singly() == [torrent_of(patch)]
