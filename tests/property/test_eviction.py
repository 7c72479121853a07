"""`p2pdist.transfer.eviction`: what leaves a PC is what may, in the documented order, and no more than has to."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.transfer.eviction import Evictable, FileUse, enough, in_turn

payloads = st.lists(
    st.builds(
        Evictable,
        torrent=st.integers(0, 99).map(lambda n: TorrentHash(f"{n:064x}")),
        use=st.sampled_from(FileUse),
        proven_at=st.floats(0, 2e9),
        frees_bytes=st.integers(0, 10),
    ),
    max_size=30,
    unique_by=lambda each: each.torrent,
)


@given(payloads, st.integers(-5, 200))
def test_what_is_needed_here_never_leaves_and_no_more_does_than_has_to(here: list[Evictable], excess: int) -> None:
    gone = enough(here, excess)
    assert all(each.use is not FileUse.NEEDED and each.frees_bytes > 0 for each in gone)
    if excess <= 0:
        assert gone == []
    assert sum(each.frees_bytes for each in gone[:-1]) < max(1, excess), "without the last one it was not enough"
    left = [each for each in here if each not in gone and each.use is not FileUse.NEEDED and each.frees_bytes > 0]
    assert sum(each.frees_bytes for each in gone) >= excess or not left


@given(payloads, st.integers(1, 200), st.integers(1, 40), st.dictionaries(st.integers(0, 99), st.floats(0, 100)))
def test_what_could_not_be_spared_comes_last_and_then_more_may_go_at_once(
    here: list[Evictable], excess: int, at_least: int, refused: dict[int, float]
) -> None:
    refused_at = {TorrentHash(f"{n:064x}"): at for n, at in refused.items()}
    gone, fewer = enough(here, excess, refused_at, at_least), enough(here, excess, refused_at)
    assert gone[: len(fewer)] == fewer
    assert len(gone) == max(len(fewer), min(at_least, len(list(in_turn(here)))))
    order = [refused_at.get(each.torrent, -1.0) for each in gone]
    assert order == sorted(order)
    assert enough(here, 0, refused_at, at_least) == []


@given(payloads)
def test_what_only_others_want_goes_first_then_what_is_installed_then_the_ways_back(here: list[Evictable]) -> None:
    order = [(each.use, each.proven_at) for each in in_turn(here)]
    assert order == sorted(order)
    assert [each.torrent for each in in_turn(here)] == [each.torrent for each in in_turn(reversed(here))]
