"""`seed_server.deltas.estimate`: drawn pieces say what the whole comes to, and how sure that is."""

import random

from hypothesis import given
from hypothesis import strategies as st

from seed_server.deltas.estimate import drawn_pieces, expected_bytes


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 64))
def test_pieces_are_drawn_by_their_weight_and_spread_however_early_it_stops(weights: list[int], most: int) -> None:
    drawn = list(drawn_pieces(weights, most))
    assert len(drawn) == min(len(weights), most)
    assert set(drawn) <= set(range(len(weights)))
    if len(drawn) > 8:
        middle = sum(weights) / 2
        first = [sum(weights[:piece]) + weights[piece] / 2 for piece in drawn[:4]]
        assert min(first) <= middle <= max(first) or max(weights) > middle / 4


def test_a_heavy_piece_comes_more_than_once() -> None:
    assert sorted(drawn_pieces([1, 1, 6], 3)) == [1, 2, 2]


def test_what_is_alike_is_sure_and_what_is_not_says_how_far() -> None:
    alike = expected_bytes([(piece, 250) for piece in range(8)], [1] * 100, 100_000)
    assert (alike.likely, alike.least, alike.most) == (25_000, 20_000, 31_250)
    apart = expected_bytes([(piece, 0 if piece % 2 else 500) for piece in range(8)], [1] * 100, 100_000)
    assert apart.likely == 25_000
    assert apart.least < 16_000
    assert apart.most > 38_000


def test_it_is_a_byte_at_least_and_one_piece_alone_is_not_sure() -> None:
    nothing = expected_bytes([(0, 0), (1, 0)], [1, 1], 100)
    assert (nothing.likely, nothing.least, nothing.most) == (1, 1, 1)
    alone = expected_bytes([(0, 10)], [1, 1], 100)
    assert (alone.likely, alone.least, alone.most) == (20, 8, 53)


def test_no_more_than_the_file_is_expected() -> None:
    assert expected_bytes([(0, 90), (1, 120)], [1, 1], 200).most == 200


def test_what_was_not_looked_at_is_taken_to_be_like_the_rest() -> None:
    drawn = [(0, 10), (1, 10)]
    assert expected_bytes(drawn, [1, 1], 1_000, looked_at=0.5).likely == 2 * expected_bytes(drawn, [1, 1], 1_000).likely


def test_nine_of_ten_wholes_are_within_it_where_few_pieces_cost_most() -> None:
    chance, within, tries = random.Random(21), 0, 400
    for _ in range(tries):
        weights = [1 if chance.random() < 0.8 else chance.randint(100, 300) for _ in range(400)]
        costs = [100 if weight == 1 else round(weight * chance.uniform(50, 250)) for weight in weights]
        found = expected_bytes([(piece, costs[piece]) for piece in drawn_pieces(weights, 24)], weights, 1 << 40)
        within += found.least <= sum(costs) <= found.most
    assert within >= 0.85 * tries
