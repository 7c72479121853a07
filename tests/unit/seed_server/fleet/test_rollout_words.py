"""`seed_server.fleet.rollout_words`: a sentence for each reason, with the rule's numbers."""

from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import RolloutReason, RolloutWhy, failures_above
from seed_server.fleet.rollout_words import percent, why_sentence
from tests.helpers.rollout_plans import ring


def test_every_reason_has_a_sentence() -> None:
    for reason in RolloutReason:
        sentence = why_sentence(RolloutWhy(reason, 1_800_000_000.0, "first", words="see ticket 7."))
        assert "2027-01-15 08:00 UTC" in sentence
        assert sentence.endswith(".")


def test_a_halt_names_the_rule_with_its_numbers() -> None:
    rule = ring("first", failure_share=500)
    some = failures_above(rule, RingTally(installed=3, failed=3, waiting=10), 0.0)
    assert some is not None
    assert why_sentence(some) == (
        "It was halted at 1970-01-01 00:00 UTC: in ring first, 3 of 6 PCs that decided have failed, which proves "
        "22.1 %, and 5 % are allowed."
    )
    every = failures_above(rule, RingTally(installed=3, failed=3), 0.0)
    assert every is not None
    assert "which is 50 %, and 5 % are allowed." in why_sentence(every)


def test_percentages_are_short() -> None:
    assert [percent(share) for share in (0.0, 0.05, 0.123, 1.0)] == ["0 %", "5 %", "12.3 %", "100 %"]
