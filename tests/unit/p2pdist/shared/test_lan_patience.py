"""`p2pdist.shared.lan_patience`: a slow LAN that works is waited for, whatever the size of the pieces."""

import pytest

from p2pdist.shared.lan_patience import LAN_STALL_SECONDS, lan_patience_seconds
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES


def test_small_pieces_have_the_shortest_time() -> None:
    assert lan_patience_seconds(1) == lan_patience_seconds(512 << 10) == LAN_STALL_SECONDS


@pytest.mark.parametrize("piece_bytes", [1 << 20, MAX_PIECE_BYTES])
def test_four_large_pieces_at_a_megabit_fit(piece_bytes: int) -> None:
    assert lan_patience_seconds(piece_bytes) == pytest.approx(4 * 8 * piece_bytes / 1e6)
