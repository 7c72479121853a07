"""`p2pdist.origin.large_packets`: what a stalled handshake means, and for how long."""

from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES
from p2pdist.origin.large_packets import BELIEVED_SECONDS, LargePackets


def stalled(*, missing: bool) -> LargePackets:
    packets = LargePackets()
    packets.welcomed("branch")
    packets.stalled(LARGEST_PACKET_BYTES, 0.0, missing=missing)
    return packets


def test_a_stall_of_unknown_cause_makes_one_attempt_small_and_says_nothing() -> None:
    packets = stalled(missing=False)
    assert (packets.most_bytes(1.0), packets.are_lost(1.0)) == (SAFE_PACKET_BYTES, False)
    packets.opened()
    assert packets.most_bytes(2.0) == LARGEST_PACKET_BYTES


def test_where_small_ones_stall_too_it_is_something_else() -> None:
    packets = stalled(missing=False)
    packets.stalled(SAFE_PACKET_BYTES, 20.0, missing=False)
    assert packets.most_bytes(20.0) == LARGEST_PACKET_BYTES


def test_small_packets_that_are_missing_too_say_nothing_of_full_ones() -> None:
    packets = stalled(missing=False)
    packets.stalled(SAFE_PACKET_BYTES, 20.0, missing=True)
    assert not packets.are_lost(20.0)


def test_what_the_kernel_has_seen_holds_for_a_day() -> None:
    packets = stalled(missing=True)
    packets.opened()
    late = BELIEVED_SECONDS - 1.0
    assert (packets.most_bytes(late), packets.are_lost(late)) == (SAFE_PACKET_BYTES, True)
    assert packets.most_bytes(BELIEVED_SECONDS) == LARGEST_PACKET_BYTES
    assert not packets.are_lost(BELIEVED_SECONDS)


def test_it_is_forgotten_at_another_site_and_kept_at_the_same() -> None:
    packets = stalled(missing=True)
    packets.welcomed("branch")
    assert packets.are_lost(1.0)
    packets.welcomed("home")
    assert (packets.most_bytes(2.0), packets.are_lost(2.0)) == (LARGEST_PACKET_BYTES, False)
    packets.welcomed("branch")
    assert not packets.are_lost(3.0)
