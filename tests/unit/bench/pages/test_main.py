import pytest

from bench.pages.__main__ import sizes_of
from bench.pages.records import FULL, QUICK


def test_sizes_by_their_names() -> None:
    assert sizes_of(False, []) == FULL
    assert sizes_of(True, []) == QUICK
    assert sizes_of(True, ["pcs=25_000", "looking_seconds=5"]).pcs == 25_000


def test_a_size_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="pages=3"):
        sizes_of(True, ["pages=3"])
