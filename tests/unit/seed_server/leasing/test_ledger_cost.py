"""`seed_server.leasing.site_ledger` with thousands of patches and hundreds of endpoints: what costs time."""

import gc
import sys
from collections.abc import Callable

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from seed_server.leasing.site_ledger import LeasedPiece, SiteLedger
from seed_server.leasing.turns import FetcherRank

PATCHES = [TorrentHash(f"{number:064x}") for number in range(2_000)]
ENDPOINTS = [EndpointId(f"{number:026}") for number in range(500)]
FEW = 100  # calls: far below the number of patches, and of endpoints


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions of Python and C ``work`` calls: its time, without a clock."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.collect()
    gc.disable()  # what is left of other tests is not finalised in between
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def add(site: SiteLedger, sequence: int) -> None:
    site.add_torrent(PATCHES[sequence], sequence=sequence, piece_count=1, piece_length_bytes=1 << 18)


def join(site: SiteLedger, endpoint: EndpointId) -> None:
    site.data_connected(FetcherRank(endpoint, wired=True, on_mains=True, uptime_seconds=0))


def want(site: SiteLedger, endpoint: EndpointId, torrent: TorrentHash, have: int) -> None:
    site.want(endpoint, torrent, have=have, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)


def test_patches_that_an_endpoint_has_cost_nothing() -> None:
    site = SiteLedger(fetchers=1, lease_seconds=30.0)
    join(site, ENDPOINTS[0])
    for sequence, torrent in enumerate(PATCHES):
        add(site, sequence)
        want(site, ENDPOINTS[0], torrent, have=1)
    want(site, ENDPOINTS[0], PATCHES[-1], have=0)
    leased: list[LeasedPiece | None] = []
    assert calls_of(lambda: leased.append(site.next_piece(ENDPOINTS[0], 1.0))) < FEW
    assert [lease.torrent for lease in leased if lease] == [PATCHES[-1]]
    assert calls_of(lambda: site.expire(2.0)) < FEW
    assert [lease.torrent for lease in site.expire(100.0)] == [PATCHES[-1]]


def test_a_patch_costs_the_same_however_many_there_are() -> None:
    site = SiteLedger(fetchers=1, lease_seconds=30.0)
    first = calls_of(lambda: add(site, 0))
    for sequence in range(1, 1_000):
        add(site, sequence)
    assert calls_of(lambda: add(site, 1_000)) == first


def test_an_endpoint_that_others_go_before_looks_at_few_of_them() -> None:
    site = SiteLedger(fetchers=2, lease_seconds=30.0)
    add(site, 0)
    for endpoint in ENDPOINTS:
        join(site, endpoint)
        want(site, endpoint, PATCHES[0], have=0)
    # the first two could have the slots, and do not ask
    assert calls_of(lambda: site.next_piece(ENDPOINTS[-1], 1.0)) < FEW
    assert site.next_piece(ENDPOINTS[1], 1.0) == LeasedPiece(PATCHES[0], PieceIndex(0))


def test_a_fetcher_in_its_turn_costs_the_same_however_many_wait() -> None:
    site = SiteLedger(fetchers=1, lease_seconds=30.0)
    site.add_torrent(PATCHES[0], sequence=0, piece_count=1_000, piece_length_bytes=1 << 18)
    for endpoint in ENDPOINTS:
        join(site, endpoint)
        want(site, endpoint, PATCHES[0], have=0)
    assert site.next_piece(ENDPOINTS[0], 1.0) is not None
    assert calls_of(lambda: site.next_piece(ENDPOINTS[0], 1.0)) < FEW
    assert calls_of(lambda: site.stored(ENDPOINTS[0], LeasedPiece(PATCHES[0], PieceIndex(0)), 1.0)) < FEW
    assert calls_of(lambda: want(site, ENDPOINTS[1], PATCHES[0], have=1)) < FEW
