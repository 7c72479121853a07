"""`seed_server.line.egress`: the server's own line, shared by all sites."""

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.decision import LEAST_RATE
from bandwidth.core.units import BytesPerSecond
from seed_server.line.egress import share_egress
from seed_server.line.site_rate import Line, SiteRate

rates = st.integers(min_value=0, max_value=1 << 40).map(BytesPerSecond)


@given(total=rates, wanted=st.dictionaries(st.integers(0, 50), rates, max_size=20))
def test_never_more_than_the_server_has_but_for_the_sensors(
    total: BytesPerSecond, wanted: dict[int, BytesPerSecond]
) -> None:
    ceilings = share_egress(total, wanted)
    assert ceilings.keys() == wanted.keys()
    assert sum(ceilings.values()) <= max(total, 0) + LEAST_RATE * len(wanted)
    assert all(ceiling >= LEAST_RATE for ceiling in ceilings.values())


def test_small_sites_get_what_they_want_and_the_others_equal_parts() -> None:
    mbit = 125_000
    wanted = {"small": 2 * mbit, "a": 500 * mbit, "b": 300 * mbit}
    ceilings = share_egress(BytesPerSecond(100 * mbit), {name: BytesPerSecond(rate) for name, rate in wanted.items()})
    assert ceilings == {"small": 2 * mbit, "a": 49 * mbit, "b": 49 * mbit}


def test_what_nobody_wants_is_room_to_grow() -> None:
    ceilings = share_egress(BytesPerSecond(1_000_000), {"a": BytesPerSecond(100_000), "b": BytesPerSecond(300_000)})
    assert ceilings == {"a": 400_000, "b": 600_000}


def test_a_site_says_what_it_would_use() -> None:
    site = SiteRate(Line(BytesPerSecond(1_000_000)), 0.0)
    assert site.wanted >= 64_000
