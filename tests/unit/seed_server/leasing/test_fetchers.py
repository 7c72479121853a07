"""`seed_server.leasing.fetchers`: few on a slow line, many where the server is as near as the neighbours."""

import pytest

from bandwidth.core.units import BytesPerSecond, line_share
from seed_server.leasing.fetchers import fetchers_for, unconfirmed_bytes_for
from seed_server.leasing.site_ledger import SiteLedger


@pytest.mark.parametrize(
    ("mbit", "rtt_seconds", "fetchers"),
    [
        (2, 0.04, 1),
        (20, 0.04, 1),
        (100, 0.04, 1),
        (500, 0.04, 2),
        (100, 0.001, 8),
        (1_000, 0.0002, 8),
        (20, 0.001, 1),
        (1_000, None, 2),
        (100, None, 1),
        (25, 0.56, 4),
        (0.8, 0.56, 1),
    ],
)
def test_number(mbit: float, rtt_seconds: float | None, fetchers: int) -> None:
    rate = line_share(mbit, 1.0)
    assert fetchers_for(rate, rtt_seconds, line_rate=rate) == fetchers


@pytest.mark.parametrize(("mbit", "size"), [(2, 2 << 20), (20, 2_500_000), (500, 62_500_000), (10_000, 64 << 20)])
def test_read_ahead_is_a_second_of_the_rate(mbit: float, size: int) -> None:
    assert unconfirmed_bytes_for(line_share(mbit, 1.0)) == size


def test_no_line_starves_between_two_pieces() -> None:
    # a piece is written while another is on its way and a third is checked, whatever its size
    for mbit in (2, 500):
        ledger = SiteLedger(fetchers=1, lease_seconds=30.0)
        ledger.resize(fetchers=2, unconfirmed_bytes=unconfirmed_bytes_for(line_share(mbit, 1.0)))
        assert ledger.fetchers == 2
        assert ledger._max_leases(4 << 20) >= 4
        assert ledger._max_leases(256 << 10) * (256 << 10) >= unconfirmed_bytes_for(line_share(mbit, 1.0)) * 0.9


def test_floor_of_a_stopped_site() -> None:
    assert fetchers_for(BytesPerSecond(0), 0.04, line_rate=None) == 1
    assert unconfirmed_bytes_for(BytesPerSecond(0)) == 2 << 20


def test_on_a_long_round_trip_several_begin_at_once_while_the_line_is_not_known() -> None:
    assert fetchers_for(BytesPerSecond(64_000), 0.56, line_rate=None) == 4
    assert fetchers_for(BytesPerSecond(64_000), 0.56, line_rate=BytesPerSecond(64_000)) == 1
    assert fetchers_for(BytesPerSecond(64_000), 0.06, line_rate=None) == 1
