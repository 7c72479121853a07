"""`seed_server.fleet.harm_share`: when pauses at sites pause a rollout."""

import pytest

from seed_server.fleet.harm_share import HarmShare, harm_share
from seed_server.line.harm_evidence import HarmReason
from seed_server.store.rows import HarmPauseRow

PAUSE = HarmPauseRow(HarmReason.SLOWED.value, 1.0, 901.0, 1, 1)


def sites(paused: int, active: int) -> dict[str, HarmPauseRow | None]:
    return {f"site-{number:04}": PAUSE if number < paused else None for number in range(active)}


@pytest.mark.parametrize(
    ("paused", "active", "too_much"),
    [
        (0, 0, False), (0, 500, False), (1, 1, False), (1, 10, False), (2, 10, True),
        (2, 39, True), (2, 40, False), (25, 500, False), (26, 500, True), (500, 500, True),
    ],
)  # fmt: skip
def test_more_than_a_twentieth_of_the_active_sites_is_too_much_but_not_one_alone(
    paused: int, active: int, too_much: bool
) -> None:
    assert harm_share(sites(paused, active)).is_too_much is too_much


def test_only_sites_where_the_patch_is_still_lacking_count() -> None:
    at_work = sites(3, 10)
    assert harm_share(at_work, {"site-0002", "site-0009", "a site at which nothing is sent"}) == HarmShare(
        2, ("site-0002",)
    )


def test_the_words_say_how_many_and_where() -> None:
    assert harm_share(sites(2, 20)).words == (
        "business suffered at 2 of 20 active sites while we sent (site-0000, site-0001)"
    )
    assert harm_share(sites(9, 20)).words.endswith("(site-0000, site-0001, site-0002, …)")
