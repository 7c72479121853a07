"""`seed_server.store.step_pace`: a flood of steps is cut off, and who takes as many as there are patches is not."""

from p2pdist.shared.manifest.documents import MAX_ROLLOUT_ENTRIES
from seed_server.store.step_pace import STEPS_A_DAY, STEPS_AT_ONCE, StepPace

DAY = 86_400
STEPS_OF_A_PATCH = 10  # of its file four, of its installation four, and two retries


def test_a_new_pc_has_all_patches_kept_and_then_an_honest_month_goes_on() -> None:
    pace = StepPace()
    assert all(pace.keeps(1, second // 100) for second in range(MAX_ROLLOUT_ENTRIES * STEPS_OF_A_PATCH))
    for day in range(1, 31):
        assert all(pace.keeps(1, day * DAY + step) for step in range(10 * STEPS_OF_A_PATCH))


def test_what_one_pc_has_kept_in_a_month_is_bounded_and_another_one_loses_nothing() -> None:
    pace = StepPace()
    kept = sum(pace.keeps(1, second) for second in range(0, 30 * DAY, 10) for _ in range(2))
    assert kept <= STEPS_AT_ONCE + 30 * STEPS_A_DAY
    assert pace.keeps(2, 30 * DAY)


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    pace = StepPace(at_once=2, a_day=1)
    assert [pace.keeps(1, 10 * DAY) for _ in range(3)] == [True, True, False]
    assert not pace.keeps(1, 9 * DAY)
    assert pace.keeps(1, 10 * DAY)
