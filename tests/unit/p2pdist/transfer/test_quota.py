"""`p2pdist.transfer.quota`: what fits begins at once, what does not waits while room may come, and nobody for ever."""

import pytest

from p2pdist.transfer.quota import ADMIT_ANYWAY_SECONDS, Quota, quota_bytes


def test_until_the_disk_was_looked_at_all_may_begin() -> None:
    assert Quota().admits(10**12, 10**12, 0.0)


def test_what_does_not_fit_waits_while_something_moves_and_then_no_longer() -> None:
    quota = Quota()
    quota.set(100, 20)
    quota.moves(0.0)
    assert quota.admits(30, 50, 1.0)
    assert not quota.admits(31, 50, 1.0)
    assert quota.take_lacking_bytes() == 1
    quota.moves(5.0)
    assert not quota.admits(31, 50, 5.0 + ADMIT_ANYWAY_SECONDS - 1)
    assert quota.admits(31, 50, 5.0 + ADMIT_ANYWAY_SECONDS)


def test_those_that_do_not_fit_begin_one_after_the_other() -> None:
    quota = Quota()
    quota.set(100, 0)
    quota.moves(0.0)
    assert not quota.admits(200, 100, 0.0)
    assert quota.admits(200, 100, ADMIT_ANYWAY_SECONDS)
    assert not quota.admits(200, 300, ADMIT_ANYWAY_SECONDS), "one has begun just now: that is movement"


@pytest.mark.parametrize(
    ("most", "percent", "used", "free", "quota"),
    [(100, 50.0, 0, 1_000, 100), (1_000, 25.0, 100, 300, 100), (1_000, 25.0, 400, 0, 100), (1_000, 100.0, 0, 0, 0)],
)
def test_the_lower_of_both_counts_and_what_others_put_on_the_disk_shrinks_it(
    most: int, percent: float, used: int, free: int, quota: int
) -> None:
    assert quota_bytes(most, percent, used, free) == quota
