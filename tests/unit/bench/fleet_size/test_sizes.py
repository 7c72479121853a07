import pytest

from bench.fleet_size.sizes import FULL, QUICK, changed


def test_sizes_are_arguments() -> None:
    assert changed(FULL, ()) == FULL
    sizes = changed(QUICK, ("connections=2_000", "idle_seconds=1.5"))
    assert (sizes.connections, sizes.idle_seconds, sizes.pcs) == (2_000, 1.5, QUICK.pcs)


@pytest.mark.parametrize("word", ["connection=3", "connections", "connections=-1", "connections=many"])
def test_what_is_no_size_is_refused_in_words(word: str) -> None:
    with pytest.raises(ValueError, match="connections"):
        changed(FULL, (word,))
