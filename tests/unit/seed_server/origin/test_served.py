"""`seed_server.origin.served`."""

from msgspec.structs import replace

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import RolloutEntry, Rollouts, Withdrawal
from seed_server.origin.served import served_payloads
from seed_server.store.database import ServedPayload

TORRENT = TorrentHash("b" * 64)
PATCH = ServedPayload(
    patch_id="office", version="1.0", title="", severity="low", cvss=None, file_name="a.bin", sha256="a" * 64,
    length_bytes=1, torrent_hash=TORRENT, piece_length_bytes=1 << 18, piece_count=1, sequence=1, published_at=0.0,
)  # fmt: skip


def test_what_is_offered_is_served_of_the_same_bytes_the_most_urgent() -> None:
    low, high, gone, replaced, newer = (
        replace(PATCH, patch_id=name, severity=severity, sequence=sequence, torrent_hash=torrent * 64)
        for name, severity, sequence, torrent in (
            ("low", "low", 1, "b"),
            ("high", "high", 2, "b"),
            ("gone", "critical", 3, "b"),
            ("replaced", "critical", 4, "b"),
            ("newer", "low", 7, "c"),
        )
    )
    rows = [low, high, gone, replaced, newer]
    entries = [RolloutEntry("low", "1.0", 1), RolloutEntry("high", "1.0", 2), RolloutEntry("replaced", "2.0", 5)]
    withdrawal = Withdrawal("gone", "1.0", sequence=6, reason="crashes", at=1)
    rollouts = Rollouts(format=1, entries=entries, withdrawn=(withdrawal,))
    heard_of_before_us = {TorrentHash("c" * 64): newer}
    assert served_payloads(rows, rollouts) == {TORRENT: high} | heard_of_before_us
    assert served_payloads(rows, Rollouts(format=1, entries=entries[2:], withdrawn=(withdrawal,))) == heard_of_before_us
    assert set(served_payloads(rows, None)) == {TORRENT, TorrentHash("c" * 64)}
