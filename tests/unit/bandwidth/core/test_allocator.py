"""`bandwidth.core.allocator`: max-min fairness, by hand and by its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.allocator import share_max_min
from bandwidth.core.units import BytesPerSecond


def share(total: int, **demands: int | None) -> dict[str, int]:
    return {
        taker: int(part)
        for taker, part in share_max_min(
            BytesPerSecond(total), {t: None if d is None else BytesPerSecond(d) for t, d in demands.items()}
        ).items()
    }


def test_by_hand() -> None:
    assert share(10, a=2, b=3, c=8) == {"a": 2, "b": 3, "c": 5}
    assert share(9, a=None, b=2, c=None) == {"a": 4, "b": 2, "c": 3}
    assert share(100, a=1, b=2) == {"a": 1, "b": 2}
    assert share(2, a=None, b=None, c=None) == {"a": 1, "b": 1, "c": 0}
    assert share(5) == {}
    assert share(0, a=None, b=3) == {"a": 0, "b": 0}


@pytest.mark.parametrize(("total", "demand"), [(-1, 1), (1, -1)])
def test_negative_numbers_are_refused(total: int, demand: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        share(total, a=demand)


@pytest.mark.no_cover
@given(
    total=st.integers(0, 10**9),
    demands=st.dictionaries(st.text(max_size=3), st.none() | st.integers(0, 10**9), max_size=12),
)
def test_definition(total: int, demands: dict[str, int | None]) -> None:
    parts = share(total, **{f"t{n}": d for n, d in enumerate(demands.values())})
    wanted = {f"t{n}": d for n, d in enumerate(demands.values())}
    unlimited = any(d is None for d in wanted.values())
    everything = sum(d for d in wanted.values() if d is not None)
    assert sum(parts.values()) == (total if unlimited else min(total, everything)) or not wanted
    for taker, part in parts.items():
        demand = wanted[taker]
        assert 0 <= part <= (total if demand is None else demand)
        if demand is None or part < demand:
            # whoever wants more has as much as anybody, but for the byte that does not divide
            assert all(part >= other - 1 for other in parts.values())
