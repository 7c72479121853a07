"""Which former payloads the pieces of a served one may be coded by. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from p2pdist.shared.identifiers import Sha256Hex, TorrentHash
from seed_server.store.rows import ServedPayload

MAX_FORMER = 8  # of one payload: a PC that has none of the newest eight versions has been away for long


def former_payloads(
    published: Iterable[ServedPayload], served: Mapping[TorrentHash, ServedPayload], is_here: Callable[[str], bool]
) -> dict[TorrentHash, tuple[Sha256Hex, ...]]:
    """Return of each ``served`` payload the others of the same patch id, the best first; who has none is left out.

    The best is of the same platform, architecture and language, and the newest that is older; newer ones, on the way
    back to an older version, come last. ``is_here`` tells whether the server has the bytes of a SHA-256; what is known
    to be damaged is none.
    """
    of_patch: dict[str, list[ServedPayload]] = defaultdict(list)
    for row in published:
        if not row.damaged:
            of_patch[row.patch_id].append(row)
    found = {}
    for torrent, payload in served.items():
        others = [row for row in of_patch.get(payload.patch_id, ()) if row.sha256 != payload.sha256]
        others.sort(key=lambda row, of=payload: _order(of, row))  # type: ignore[misc]
        bases = list(islice(filter(is_here, dict.fromkeys(row.sha256 for row in others)), MAX_FORMER))
        if payload.patch_id and bases:
            found[torrent] = tuple(Sha256Hex(base) for base in bases)
    return found


def _order(payload: ServedPayload, other: ServedPayload) -> tuple[bool, bool, int]:
    same = (other.platform, other.arch, other.language) == (payload.platform, payload.arch, payload.language)
    return (not same, other.sequence > payload.sequence, abs(payload.sequence - other.sequence))
