"""Which of the published payloads endpoints are sent now. Pure."""

from collections.abc import Iterable

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import Rollouts
from seed_server.signing.offers import next_sequence
from seed_server.store.rows import ServedPayload


def served_payloads(rows: Iterable[ServedPayload], rollouts: Rollouts | None) -> dict[TorrentHash, ServedPayload]:
    """Return what is served, by torrent: what ``rollouts`` offer, and what is newer than these (None: everything).

    A PC may hear of a publication before we do. Of patches with the same bytes, the most urgent stands for all.
    """
    offered = None if rollouts is None else {entry.ref for entry in rollouts.entries}
    following = 0 if rollouts is None else next_sequence(rollouts)
    served: dict[TorrentHash, ServedPayload] = {}
    for row in rows:
        if offered is not None and row.ref not in offered and row.sequence < following:
            continue
        known = served.get(TorrentHash(row.torrent_hash))
        if known is None or row.urgency < known.urgency:
            served[TorrentHash(row.torrent_hash)] = row
    return served
