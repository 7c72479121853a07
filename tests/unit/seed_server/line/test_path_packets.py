"""`seed_server.line.path_packets`: when smaller packets are used, and when full ones are tried again."""

from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES, SMALLEST_PACKET_BYTES
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.path_packets import (
    AGAIN_WITHIN_SECONDS,
    MAX_FOUND,
    MAX_SUSPECTS,
    TRY_LARGER_SECONDS,
    PathPackets,
)

A, B, C = (EndpointId(letter * 26) for letter in "abc")


def found() -> PathPackets:
    path = PathPackets()
    assert [path.vanished(A, LARGEST_PACKET_BYTES, now) for now in (0.0, 2.0)] == [False, True]
    return path


def test_twice_in_a_row_is_enough_and_once_is_not() -> None:
    path = found()
    assert path.large_are_lost(A, 2.0)
    assert path.most_bytes(A, 2.0) == SAFE_PACKET_BYTES


def test_what_an_older_connection_still_shows_says_nothing_new() -> None:
    path = found()
    assert [path.vanished(A, LARGEST_PACKET_BYTES, now) for now in (3.0, 4.0)] == [False, False]
    assert path.most_bytes(A, 4.0) == SAFE_PACKET_BYTES


def test_where_safe_ones_vanish_too_the_smallest_are_used_and_none_below() -> None:
    path = found()
    assert [path.vanished(A, SAFE_PACKET_BYTES, now) for now in (4.0, 6.0)] == [False, True]
    assert path.most_bytes(A, 6.0) == SMALLEST_PACKET_BYTES
    assert [path.vanished(A, SMALLEST_PACKET_BYTES, now) for now in (8.0, 9.0)] == [False, False]


def test_a_piece_that_arrives_or_a_long_while_clears_the_suspicion() -> None:
    path = PathPackets()
    path.vanished(A, LARGEST_PACKET_BYTES, 0.0)
    path.arrived(A)
    assert not path.vanished(A, LARGEST_PACKET_BYTES, 1.0)
    assert not path.vanished(A, LARGEST_PACKET_BYTES, 1.0 + AGAIN_WITHIN_SECONDS)
    assert not path.large_are_lost(A, 1.0 + AGAIN_WITHIN_SECONDS)


def test_one_endpoint_s_pieces_do_not_clear_what_another_shows() -> None:
    path = PathPackets()
    path.vanished(A, LARGEST_PACKET_BYTES, 0.0)
    path.arrived(B)
    assert not path.vanished(B, LARGEST_PACKET_BYTES, 1.0)
    assert path.vanished(A, LARGEST_PACKET_BYTES, 2.0)


def test_full_ones_are_tried_again_after_a_day() -> None:
    path = found()
    assert path.large_are_lost(A, 2.0 + TRY_LARGER_SECONDS - 1.0)
    assert path.most_bytes(A, 2.0 + TRY_LARGER_SECONDS) == LARGEST_PACKET_BYTES


def test_an_endpoint_that_says_so_is_believed_once() -> None:
    path = PathPackets()
    assert [path.found_by_endpoint(A, now) for now in (1.0, 2.0)] == [True, False]
    assert path.most_bytes(A, 2.0) == SAFE_PACKET_BYTES


def test_suspects_are_bounded() -> None:
    path = PathPackets()
    for number in range(3 * MAX_SUSPECTS):
        path.vanished(EndpointId(f"{number:026}"), LARGEST_PACKET_BYTES, 0.0)
    assert len(path._suspects) == MAX_SUSPECTS


def test_one_endpoint_alone_changes_its_own_packets_and_a_second_one_the_site_s() -> None:
    path = found()
    assert path.most_bytes(B, 2.0) == LARGEST_PACKET_BYTES
    assert not path.large_are_lost(B, 2.0)
    path.found_by_endpoint(B, 3.0)
    assert path.most_bytes(C, 3.0) == SAFE_PACKET_BYTES


def test_the_smallest_packets_too_are_the_site_s_only_when_two_need_them() -> None:
    path = found()
    path.found_by_endpoint(B, 3.0)
    assert [path.vanished(A, SAFE_PACKET_BYTES, now) for now in (4.0, 6.0)] == [False, True]
    assert [path.most_bytes(one, 6.0) for one in (A, B, C)] == [SMALLEST_PACKET_BYTES, *[SAFE_PACKET_BYTES] * 2]
    assert [path.vanished(B, SAFE_PACKET_BYTES, now) for now in (7.0, 9.0)] == [False, True]
    assert path.most_bytes(C, 9.0) == SMALLEST_PACKET_BYTES


def test_what_is_a_day_old_confirms_nothing() -> None:
    path = found()
    path.found_by_endpoint(B, 2.0 + TRY_LARGER_SECONDS)
    assert [path.large_are_lost(one, 2.0 + TRY_LARGER_SECONDS) for one in (A, B, C)] == [False, True, False]


def test_a_site_of_one_pc_is_that_pc_and_a_larger_one_is_not() -> None:
    path = found()
    assert [path.lost_at_site(endpoints, 2.0) for endpoints in (1, 2, 200)] == [True, False, False]
    path.found_by_endpoint(B, 3.0)
    assert path.lost_at_site(200, 3.0)


def test_what_is_found_is_bounded_and_the_oldest_goes_first() -> None:
    path = PathPackets()
    endpoints = [EndpointId(f"{number:026}") for number in range(2 * MAX_FOUND)]
    for one in endpoints:  # at a site where two have found it, the others need not
        path._find(one, SAFE_PACKET_BYTES, 0.0)
    assert list(path._found) == endpoints[MAX_FOUND:]
