"""`p2pdist.shared.manifest.publication_order`: numbers that only grow, and what they forbid."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.publication_order import (
    MAX_GONE,
    MAX_ORDER_BYTES,
    MAX_ORDERED_PATCHES,
    MAX_PUBLICATION_NUMBER,
    NOTHING_PUBLISHED,
    OrderRefusal,
    PublicationOrder,
    Publications,
    decode_order,
    encode_order,
    refused,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError

ACME = PatchId("acme")


def published(times: int, *, lowest: int | None = None) -> PublicationOrder:
    order = NOTHING_PUBLISHED
    for number in range(1, times + 1):
        order = order.with_publication(ACME, lowest=number if lowest is None else lowest)
    return order


def test_numbers_begin_with_one_grow_by_one_and_are_of_each_id() -> None:
    assert published(0).next_number(ACME) == 1
    assert published(3).next_number(ACME) == 4
    assert published(3).next_number(PatchId("other")) == 1
    assert published(3).patches == {"acme": Publications(newest=3, lowest=3)}


def test_what_is_below_the_lowest_is_refused_with_both_numbers() -> None:
    order = published(3, lowest=2)
    assert [order.refusal("acme", number) for number in (2, 3)] == ["", ""]
    assert order.refusal("acme", 1) == refused(OrderRefusal.SUPERSEDED, 1, 2)
    assert refused(OrderRefusal.SUPERSEDED, 1, 2).endswith("(it is publication 1, the lowest allowed is 2)")


def test_one_that_is_for_rings_goes_for_good_and_what_the_others_are_offered_stays() -> None:
    order = published(3, lowest=1).without("acme", up_to=3, stay=[1])
    assert order.patches["acme"] == Publications(newest=3, lowest=1, gone=(2, 3))
    assert [order.refusal("acme", number) for number in (1, 2, 3)] == ["", *[str(OrderRefusal.WITHDRAWN)] * 2]
    assert decode_order(encode_order(order)) == order
    again = order.with_publication(ACME, lowest=1)
    assert again.patches["acme"] == Publications(newest=4, lowest=1, gone=(2, 3)), "they stay gone"
    assert again.without("acme", up_to=4, stay=[2]).patches["acme"] == Publications(newest=4, lowest=5), "what is gone"
    assert again.without("acme").patches["acme"] == Publications(newest=4, lowest=5)
    assert order.with_publication(ACME, lowest=4).patches["acme"] == Publications(newest=4, lowest=4)
    many = published(MAX_GONE + 2, lowest=1)
    assert len(many.without("acme", up_to=MAX_GONE + 1, stay=[1]).patches["acme"].gone) == MAX_GONE
    last = many.without("acme", up_to=MAX_GONE + 2, stay=[1]).patches["acme"]
    assert last == Publications(newest=MAX_GONE + 2, lowest=MAX_GONE + 3), "too many between them: rather too few"


def test_an_order_in_which_nothing_is_gone_is_written_as_before() -> None:
    assert b"gone" not in encode_order(published(3, lowest=1))


@given(
    most=st.integers(1, 12), lowest=st.integers(1, 12), up_to=st.integers(1, 14),
    stay=st.sets(st.integers(1, 12)), more=st.integers(0, 2),
)  # fmt: skip
def test_what_goes_for_good_allows_nothing_that_was_not_and_only_what_shall_stay(
    most: int, lowest: int, up_to: int, stay: set[int], more: int
) -> None:
    before = published(most, lowest=min(lowest, most))
    after = before.without("acme", up_to=up_to, stay=stay)
    for _ in range(more):
        after = after.with_publication(ACME, lowest=min(after.patches[ACME].lowest, after.next_number(ACME)))
    allowed = {number for number in range(1, most + 1) if not after.refusal("acme", number)}
    were = {number for number in range(1, most + 1) if not before.refusal("acme", number)}
    assert allowed <= {number for number in were if number in stay or number > up_to}
    assert {number for number in were if number > up_to} <= allowed


@pytest.mark.parametrize(("patch_id", "number"), [("acme", 4), ("other", 1)])
def test_a_number_that_was_never_given_is_refused(patch_id: str, number: int) -> None:
    assert published(3).refusal(patch_id, number) == OrderRefusal.UNNUMBERED


@given(st.lists(st.sampled_from(["a", "b"]), max_size=20))
def test_only_the_newest_of_each_id_is_allowed_by_default(ids: list[str]) -> None:
    order, numbers = NOTHING_PUBLISHED, {"a": 0, "b": 0}
    for name in ids:
        number = order.next_number(PatchId(name))
        assert number == numbers[name] + 1, "never used again"
        numbers[name] = number
        order = order.with_publication(PatchId(name), lowest=number)
        allowed = [n for n in range(1, number + 2) if not order.refusal(name, n)]
        assert allowed == [number]


def test_of_a_withdrawn_id_only_later_publications_are_allowed() -> None:
    order = published(3).without(ACME)
    assert order.refusal("acme", 3) == refused(OrderRefusal.SUPERSEDED, 3, 4)
    assert order.without(ACME) == order
    assert order.with_publication(ACME, lowest=order.next_number(ACME)).refusal("acme", 4) == ""
    assert NOTHING_PUBLISHED.without(ACME) == NOTHING_PUBLISHED


def test_one_publication_is_withdrawn_and_a_later_one_stays_allowed() -> None:
    order = NOTHING_PUBLISHED
    for _ in range(3):
        order = order.with_publication(ACME, lowest=1)
    assert [n for n in range(1, 4) if not order.without(ACME, up_to=2).refusal("acme", n)] == [3]
    assert order.without(ACME, up_to=2).without(ACME, up_to=1) == order.without(ACME, up_to=2), "it never sinks"
    assert order.without(ACME, up_to=9) == order.without(ACME)


def test_what_is_superseded_in_numbers() -> None:
    order = published(3)
    assert order.replaced_by(("acme", "unknown"), {}) == {"acme": 3}
    listed = {PatchRef("acme", "2.0"): 2}
    assert order.replaced_by(("acme@2.0", "acme@1.0"), listed) == {"acme": 2}
    assert order.replaced_by(("acme@2.0", "acme"), listed) == {"acme": 3}


def test_the_document_comes_back_and_others_are_refused() -> None:
    order = published(2)
    assert decode_order(encode_order(order)) == order
    for wrong in (
        b"",
        codec.encode({"format": 2, "patches": {}}),
        codec.encode({"format": 1, "patches": {"../x": {"newest": 1, "lowest": 1}}}),
        codec.encode({"format": 1, "patches": {"x": {"newest": 0, "lowest": 1}}}),
        codec.encode({"format": 1, "patches": {"x": {"newest": 1, "lowest": MAX_PUBLICATION_NUMBER + 2}}}),
    ):
        with pytest.raises(DecodeError):
            decode_order(wrong)


def test_caps_hold_at_the_limit_and_one_over() -> None:
    longest = [f"{n:0>64}" for n in range(MAX_ORDERED_PATCHES)]
    most = Publications(newest=MAX_PUBLICATION_NUMBER, lowest=MAX_PUBLICATION_NUMBER + 1)
    full = PublicationOrder(format=1, patches=dict.fromkeys(longest, most))
    assert len(encode_order(full)) <= MAX_ORDER_BYTES
    assert decode_order(encode_order(full)) == full
    with pytest.raises(msgspec.ValidationError):
        full.with_publication(ACME, lowest=1)
    last = PublicationOrder(format=1, patches={"acme": most})
    with pytest.raises(msgspec.ValidationError):
        last.with_publication(ACME, lowest=1)
