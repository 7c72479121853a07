"""Kind: what everybody has had for months costs as much as what is under way. One server, years of patches."""

import gc
import tracemalloc

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.turns import FetcherRank

PATCHES = [TorrentHash(f"{number:064x}") for number in range(300)]
PCS = [EndpointId(f"{number:026}") for number in range(50)]
PIECES = 1_000
BYTES_PER_PC = 1_000  # 25,000 PCs: 25 MB. A ledger and what each PC has in it took 42,000 for each PC


def test_a_patch_that_every_pc_of_a_site_has_costs_a_bit_for_each_of_them() -> None:
    site = SiteLedger(fetchers=1, lease_seconds=30.0)
    for sequence, torrent in enumerate(PATCHES):
        site.add_torrent(torrent, sequence=sequence, piece_count=PIECES, piece_length_bytes=1 << 18)
    gc.collect()
    tracemalloc.start()
    try:
        for pc in PCS:
            site.data_connected(FetcherRank(pc, wired=True, on_mains=True, uptime_seconds=0))
            for torrent in PATCHES:
                have = all_pieces(PIECES)
                site.want(pc, torrent, have=have, lan_have=0, lan_stalled=False, can_fetch=False, now=0.0)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < BYTES_PER_PC * len(PCS)
