"""`p2pdist.shared.look_pace`."""

from p2pdist.shared.look_pace import look_pause_seconds


def test_few_patches_are_looked_at_at_once_and_hundreds_within_a_second_or_two() -> None:
    assert look_pause_seconds(1) < 0.01
    assert look_pause_seconds(500) == 1.0
