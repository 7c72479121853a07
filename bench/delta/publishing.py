"""Publishes a pair on servers that nobody asks: how its files are stored, and how long publishing takes."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import msgspec

from bench.delta.files import KEPT
from bench.delta.pairs import Pair
from bench.delta.records import PairFacts
from bench.fleet import Fleet, open_fleet
from seed_server.settings.home import ServerHome

PATCH_ID = "bench"
FORMER, NEW = "1.0", "2.0"
REPACK = "--repack"
NETWORK = "127.0.97"  # nothing listens there


class Repacked(msgspec.Struct, frozen=True):
    """What became of a file that was to be unpacked."""

    left_alone: str | None = None


class Expected(msgspec.Struct, frozen=True):
    """What is expected to cross each site's line."""

    base: str | None
    likely_bytes: int


class Published(msgspec.Struct, frozen=True):
    """What is needed of `seed-server publish --json`."""

    sha256: str
    length_bytes: int
    repacked: list[Repacked] = []
    expected: list[Expected] = []


async def timed_publish(
    fleet: Fleet, file: Path, version: str, *options: str
) -> tuple[Published, float]:  # fmt: skip
    """Publish, and return what was stored and how many seconds the command took."""
    begun = perf_counter()
    printed = await fleet.publish(file, PATCH_ID, version, *options, "--json")
    return msgspec.json.decode(printed, type=Published), perf_counter() - begun


async def facts_of(pair: Pair, former: Path, new: Path, kept: Path = KEPT) -> PairFacts:
    """Publish both versions, in each way, and measure; keep what was stored, see `stored_file`. Raises `FleetError`."""
    with tempfile.TemporaryDirectory(prefix="bench-delta-", ignore_cleanup_errors=True) as name:
        as_stored = []
        async with _new_server(Path(name) / "unpacking") as fleet:
            stored_former, _ = await timed_publish(fleet, former, FORMER, REPACK)
            stored_new, publish_seconds = await timed_publish(fleet, new, NEW, REPACK)
            for stored in (stored_former, stored_new):
                file = stored_file(pair, stored.sha256, kept)
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ServerHome(fleet.server.home).content / stored.sha256, file)
                as_stored.append(file)
        async with _new_server(Path(name) / "plain") as fleet:
            _, plain_seconds = await timed_publish(fleet, new, NEW)
        async with _new_server(Path(name) / "stored") as fleet:
            _, stored_seconds = await timed_publish(fleet, as_stored[1], NEW)
        async with _new_server(Path(name) / "foretelling") as fleet:
            await timed_publish(fleet, as_stored[0], FORMER)
            _, foretold_seconds = await timed_publish(fleet, as_stored[1], NEW)
    return PairFacts(
        pair=pair.name,
        shipped_sha256=(pair.former.sha256, pair.new.sha256),
        stored_sha256=(stored_former.sha256, stored_new.sha256),
        shipped_bytes=(former.stat().st_size, new.stat().st_size),
        stored_bytes=(stored_former.length_bytes, stored_new.length_bytes),
        expected_bytes=next((one.likely_bytes for one in stored_new.expected if one.base), None),
        left_alone=next((one.left_alone for one in stored_new.repacked if one.left_alone), ""),
        publish_seconds=round(publish_seconds, 2),
        plain_seconds=round(plain_seconds, 2),
        stored_seconds=round(stored_seconds, 2),
        foretold_seconds=round(foretold_seconds, 2),
    )


def stored_file(pair: Pair, sha256: str, kept: Path = KEPT) -> Path:
    """Return where a file lies as the server stores it."""
    return kept / "stored" / f"{sha256}{pair.suffix}"


@asynccontextmanager
async def _new_server(directory: Path) -> AsyncIterator[Fleet]:
    """Yield a server's home in which nothing was published; nothing runs."""
    directory.mkdir()
    async with open_fleet(directory, network=NETWORK, endpoints=0) as fleet:
        await fleet.init_server()
        yield fleet
