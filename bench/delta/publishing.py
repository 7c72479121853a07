"""Publishes a pair on a server that nobody asks: how its files are stored, and how long publishing takes."""

import tempfile
from pathlib import Path
from time import perf_counter

import msgspec
import trio

from bench.delta.limits import Limits
from bench.delta.pairs import Pair
from bench.delta.records import PairFacts
from bench.fleet import Fleet, open_fleet
from seed_server.settings.home import ServerHome

PATCH_ID = "bench"
FORMER, NEW = "1.0", "2.0"
REPACK = "--repack"
NETWORK = "127.0.97"  # nothing listens there


class Stored(msgspec.Struct, frozen=True):
    """What `seed-server publish --json` says of the stored file; other keys are left out."""

    sha256: str
    length_bytes: int


async def timed_publish(
    fleet: Fleet, file: Path, patch_id: str, version: str, *options: str
) -> tuple[Stored, float]:  # fmt: skip
    """Publish, and return what was stored and how many seconds the command took."""
    begun = perf_counter()
    printed = await fleet.publish(file, patch_id, version, *options, "--json")
    return msgspec.json.decode(printed, type=Stored), perf_counter() - begun


async def facts_of(pair: Pair, former: Path, new: Path, limits: Limits) -> PairFacts:
    """Publish both versions, in each way, and measure. Raises `FleetError` and `CannotBeHadError`."""
    with tempfile.TemporaryDirectory(prefix="bench-delta-", ignore_cleanup_errors=True) as name:
        async with open_fleet(Path(name), network=NETWORK, endpoints=0) as fleet:
            await fleet.init_server()
            content = ServerHome(fleet.server.home).content
            stored_former, _ = await timed_publish(fleet, former, PATCH_ID, FORMER, REPACK)
            stored, publish_seconds = await timed_publish(fleet, new, PATCH_ID, NEW, REPACK)
            _, plain_seconds = await timed_publish(fleet, new, "plain", NEW)
            as_stored = Path(name) / f"stored{pair.suffix}"
            as_stored.hardlink_to(content / stored.sha256)
            _, stored_seconds = await timed_publish(fleet, as_stored, "stored", NEW)
            limit = await trio.to_thread.run_sync(limits.of, content / stored_former.sha256, content / stored.sha256)
    return PairFacts(
        pair=pair.name,
        shipped_sha256=(pair.former.sha256, pair.new.sha256),
        stored_sha256=(stored_former.sha256, stored.sha256),
        shipped_bytes=(former.stat().st_size, new.stat().st_size),
        stored_bytes=(stored_former.length_bytes, stored.length_bytes),
        limit_bytes=limit,
        publish_seconds=round(publish_seconds, 2),
        plain_seconds=round(plain_seconds, 2),
        stored_seconds=round(stored_seconds, 2),
    )
