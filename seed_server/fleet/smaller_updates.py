"""How far the pieces of a patch are coded ahead, by former versions and alone. Blocking."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from p2pdist.shared.identifiers import PatchRef, TorrentHash
from seed_server.deltas.coded_cache import ALONE, pairs_kept
from seed_server.deltas.piece_coding import BEST_LEVEL
from seed_server.settings.home import ServerHome
from seed_server.store.rows import ServedPayload


@dataclass(frozen=True)
class SmallerUpdate:
    """Of one payload, by one former version."""

    base: PatchRef | None
    """The former version; None: compressed alone."""
    ready: float
    """The share of its pieces that are as small as they get, from 0 to 1."""


def smaller_updates(
    home: ServerHome, payloads: Sequence[ServedPayload], published: Iterable[ServedPayload]
) -> list[SmallerUpdate]:
    """Return what there is of these ``payloads`` of one patch, the newest base first, and then alone.

    What is not begun, or of a version that nobody has published, is left out; so is all where the disk cannot be read.
    """
    wanted = {payload.torrent_hash: payload for payload in payloads}
    version_of = {row.sha256: row for row in published}
    found: list[tuple[int, SmallerUpdate]] = []
    with contextlib.suppress(OSError):
        for pair, count in pairs_kept(home.coded, map(TorrentHash, wanted), BEST_LEVEL).items():
            ready = min(1.0, count / wanted[pair.torrent].piece_count)
            base = version_of.get(pair.base)
            if pair.base == ALONE and count:
                found.append((0, SmallerUpdate(None, ready)))
            elif base is not None:
                found.append((-base.sequence, SmallerUpdate(base.ref, ready)))
    found.sort(key=lambda one: (one[1].base is None, one[0]))
    return [one for _, one in found]
