import pytest

from bench.control.ahead import ahead_row, beside_rivals, harm_of
from bench.control.cells import OURS, OURS_HIDDEN, QUEUES, RIVALS, RTTS_MS


@pytest.fixture
def compared(cell, found):
    """Compare our figures in twenty cells with those of the first rival."""

    def compare(business, ours, theirs, sender=OURS):
        figures = {}
        for queue in QUEUES:
            for rtt in RTTS_MS:
                figures[cell(business, rtt, queue), sender] = found(**ours(rtt))
                figures[cell(business, rtt, queue), RIVALS[0]] = found(**theirs(rtt))
        return beside_rivals(figures)

    return compare


def test_harm_is_in_the_units_of_the_business(cell, found) -> None:
    assert harm_of(cell("cubic"), found(keeps=0.97)) == 0.03
    assert harm_of(cell("voip"), found(keeps=1.0, voip_added_p95_ms=4.0)) == 4.0
    assert harm_of(cell("web"), found(keeps=1.0, page_growth_p50=0.02)) == 0.02
    assert harm_of(cell("idle"), found()) is None
    assert harm_of(cell("cubic"), found()) is None


def test_the_mix_and_a_video_call_are_as_harmed_as_their_worst_part(cell, found) -> None:
    figures = {"keeps": 0.99, "voip_added_p95_ms": 2.0, "page_growth_p50": 0.06}
    assert harm_of(cell("mix"), found(**figures)) == 2.0
    assert harm_of(cell("mix"), found(**figures | {"keeps": 0.9})) == 5.0
    assert harm_of(cell("video call"), found(keeps=0.99, frame_added_p95_ms=15.0)) == 3.0


def test_less_harm_at_as_much_use_is_ahead(compared) -> None:
    found = compared("cubic", lambda rtt: {"keeps": 0.99 - rtt / 1e5}, lambda rtt: {"keeps": 0.7 - rtt / 1e5})
    assert {each.harm_verdict for each in found} == {"ahead"}
    assert [each.queue for each in found] == ["all", *QUEUES]
    assert found[0].cells == 20
    row = ahead_row(found)
    assert row.met is True
    assert row.measured is not None
    assert row.measured.facts == {"comparisons": 1, "more_harm": 0, "less_use": 0}


def test_more_harm_is_behind_in_every_cell_alike(compared) -> None:
    found = compared("voip", lambda _: {"voip_added_p95_ms": 3.0}, lambda rtt: {"voip_added_p95_ms": 2.5})
    assert found[0].harm_verdict == "behind"
    row = ahead_row(found)
    assert row.measured is not None
    assert row.met is False
    assert row.measured.worst_cells == (f"voip beside {RIVALS[0]}: more harm",)


def test_within_the_noise_is_the_same(compared) -> None:
    found = compared(
        "web",
        lambda rtt: {"page_growth_p50": 0.02 + (rtt % 40) / 1e3},
        lambda rtt: {"page_growth_p50": 0.02 + (-rtt % 50) / 1e3},
    )
    assert found[0].harm_verdict == "even"
    assert ahead_row(found).met is True


def test_less_than_95_percent_of_a_rivals_use_is_not_enough(compared) -> None:
    found = compared("cubic", lambda _: {"keeps": 1.0, "use": 0.94}, lambda _: {"keeps": 0.5, "use": 1.0})
    assert not found[0].use_is_enough
    row = ahead_row(found)
    assert row.measured is not None
    assert row.met is False
    assert row.measured.worst_cells == (f"cubic beside {RIVALS[0]}: less use",)


def test_hidden_business_is_told_beside_and_does_not_decide(compared) -> None:
    found = compared("cubic", lambda _: {"keeps": 0.4}, lambda _: {"keeps": 0.5}, sender=OURS_HIDDEN)
    row = ahead_row(found)
    assert row.met is None
    assert row.measured_hidden is not None
    assert row.measured_hidden.facts["more_harm"] == 1
