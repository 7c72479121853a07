"""`seed_server.store.minute_rows`: what a line did in ten minutes, and several of them together."""

from bandwidth.core.states import Reason
from seed_server.store.minute_rows import MAX_SLOT_BYTES, LineSlot, cause_at, cause_in, code_of, joined, slot_of


def test_every_reason_has_a_number_of_its_own() -> None:
    """A reason that is added to the law is appended to the list here."""
    codes = [code_of(reason.value) for reason in Reason]
    assert 0 not in codes
    assert len(set(codes)) == len(codes)
    assert [cause_at(code) for code in codes] == [reason.value for reason in Reason]


def test_what_another_release_says_is_not_known() -> None:
    assert (code_of("tired"), cause_at(0), cause_at(99), cause_at(-1)) == (0, "", "", "")


def test_the_cause_is_read_out_of_a_reason_with_its_rule() -> None:
    assert cause_in("policy ceiling: office hours: weekdays") == Reason.CEILING.value
    assert cause_in(Reason.SHORTFALL.value) == Reason.SHORTFALL.value, "its own words have a colon"
    assert cause_in("policy ceilings") == ""


def test_rows_of_a_site_are_added_up() -> None:
    first = LineSlot("osaka", 12, active=60.0, sent=10, allowed=600.0, cause="a", cause_seconds=40.0, queue=0.01)
    second = LineSlot(
        "osaka", 13, active=30.0, sent=5, allowed=300.0, cause="b", cause_seconds=25.0, business=7,
        business_seconds=9.0, harm_seconds=2.0,
    )  # fmt: skip
    third = LineSlot("osaka", 14, active=30.0, cause="b", cause_seconds=20.0, queue=0.03)
    assert joined([first, second, third], 12, 6) == LineSlot(
        "osaka", 12, 6, active=120.0, sent=15, allowed=900.0, cause="b", cause_seconds=45.0, business=7,
        business_seconds=9.0, harm_seconds=2.0, queue=0.03,
    )  # fmt: skip


def test_bytes_stay_within_what_a_database_keeps() -> None:
    much = LineSlot("osaka", 1, sent=MAX_SLOT_BYTES, business=MAX_SLOT_BYTES)
    assert joined([much, much], 1, 1).sent == MAX_SLOT_BYTES


def test_ten_minutes_are_counted_from_1970() -> None:
    assert [slot_of(at) for at in (0.0, 599.9, 600.0)] == [0, 0, 1]


def test_a_row_of_nothing_is_none() -> None:
    assert not LineSlot("osaka", 1, queue=0.1).is_anything
    assert LineSlot("osaka", 1, sent=1).is_anything
