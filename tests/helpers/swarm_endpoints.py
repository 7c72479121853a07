"""Real torrent engines for tests: payloads, identities, and endpoints on 127.x addresses."""

import hashlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import libtorrent as lt
import trio

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.transfer.torrent_engine import (
    EngineEvent,
    SwarmIdentity,
    TorrentCompleted,
    TransferSnapshot,
)
from p2pdist.transfer.torrent_engine.engine import TorrentEngine
from p2pdist.transfer.torrent_engine.session import open_torrent_engine
from tests.helpers.pki import TestCA

PIECE_BYTES = 256 << 10
WITHIN_SECONDS = 30.0  # usually it takes milliseconds; longer than the engine's own time limits, so that it may retry

# ports differ from run to run anyway; addresses keep apart the engines of one test, and those of the processes that
# share the suite
_HOSTS = itertools.count(1)
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@dataclass(frozen=True)
class Payload:
    """A file, its torrent, and its pieces."""

    data: bytes
    torrent: bytes
    torrent_hash: TorrentHash
    name: str

    def piece(self, index: int) -> bytes:
        return self.data[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]

    @property
    def count(self) -> int:
        return -(-len(self.data) // PIECE_BYTES)

    def save(self, path: Path) -> None:
        path.write_bytes(self.data)
        path.with_suffix(".torrent").write_bytes(self.torrent)

    def write(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / self.name).write_bytes(self.data)
        return directory


@dataclass
class Endpoint:
    """An engine, where it listens, and its directory."""

    engine: TorrentEngine
    address: str
    directory: Path

    async def add(self, payload: Payload, *, complete: bool = False) -> None:
        if complete:
            payload.write(self.directory)
        await self.engine.add(
            payload.torrent,
            expected_hash=payload.torrent_hash,
            assume_complete=complete,
        )

    async def until(self, payload: Payload, condition: Callable[[TransferSnapshot], bool]) -> TransferSnapshot:
        """Refresh until a snapshot fulfils the condition."""
        with trio.fail_after(WITHIN_SECONDS):
            while True:
                await self.engine.refresh()
                snapshot = self.engine.snapshot(payload.torrent_hash)
                if condition(snapshot):
                    return snapshot
                await trio.sleep(0.02)

    async def checked(self, payload: Payload) -> TransferSnapshot:
        return await self.until(payload, lambda s: s.phase != "checking")

    async def event(self, kind: type[EngineEvent], **fields: object) -> EngineEvent:
        """Return the next event of this kind whose fields match; drops others."""
        with trio.fail_after(WITHIN_SECONDS):
            while True:
                with trio.move_on_after(0.1):
                    event = await self.engine.events.receive()
                    if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                        return event
                    continue
                await self.engine.refresh()  # only a refresh shows new connections

    async def completed(self, payload: Payload) -> None:
        await self.event(TorrentCompleted, torrent_hash=payload.torrent_hash)

    async def put(self, payload: Payload, pieces: list[int] | range) -> None:
        for piece in pieces:
            outcome = await self.engine.add_piece(payload.torrent_hash, PieceIndex(piece), payload.piece(piece))
            assert outcome in ("stored", "had_already")

    def connect(self, payload: Payload, other: "Endpoint") -> None:
        self.engine.connect_peer(payload.torrent_hash, other.address, other.engine.listen_port)

    def path(self, payload: Payload) -> Path:
        return self.directory / payload.name


def make_payload(size: int, directory: Path) -> Payload:
    return payload_with(os.urandom(size), directory)


def payload_with(data: bytes, directory: Path) -> Payload:
    name = hashlib.sha256(data).hexdigest()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)
    creator = lt.create_torrent(lt.list_files(str(directory / name)), PIECE_BYTES, lt.create_torrent.v2_only)
    creator.set_priv(True)
    lt.set_piece_hashes(creator, str(directory))
    torrent = lt.bencode(creator.generate())
    torrent_hash = TorrentHash(str(lt.load_torrent_buffer(torrent).info_hashes.v2))
    (directory / name).unlink()
    return Payload(data, torrent, torrent_hash, name)


def load_payload(path: Path) -> Payload:
    """Read what `Payload.save` wrote, in another process."""
    data, torrent = path.read_bytes(), path.with_suffix(".torrent").read_bytes()
    torrent_hash = TorrentHash(str(lt.load_torrent_buffer(torrent).info_hashes.v2))
    return Payload(data, torrent, torrent_hash, hashlib.sha256(data).hexdigest())


def make_identity(ca: TestCA) -> SwarmIdentity:
    leaf = ca.issue("*")
    return SwarmIdentity(ca_pem=ca.pem, certificate_pem=leaf.certificate, key_pem=leaf.key)


@asynccontextmanager
async def open_test_endpoint(directory: Path, identity: SwarmIdentity, *, port: int = 0) -> AsyncIterator[Endpoint]:
    """Open an engine on an address of its own."""
    host = next(_HOSTS)
    address = f"127.{1 + _WORKER}.{host // 250}.{1 + host % 250}"
    directory.mkdir(parents=True, exist_ok=True)
    async with open_torrent_engine(
        directory=directory, listen_address=address, listen_port=port, identity=identity
    ) as engine:
        yield Endpoint(engine, address, directory)
