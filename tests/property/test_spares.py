"""`seed_server.leasing.spares`: however PCs ask, come and go, the last copies stay on their site."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from seed_server.leasing.help import Help
from seed_server.leasing.holdings import ServedTorrent
from seed_server.leasing.spares import KEPT_COPIES, KEPT_FOR_NEWCOMERS, CopiesBeside, SparedCopies, copies_beside
from seed_server.leasing.standing import Fault, Standings

TORRENT = ServedTorrent(number=3, urgency=1, sequence=1, piece_count=1, piece_bytes=1)
PCS = [EndpointId(letter * 26) for letter in "abcdef"]


def without(pc: EndpointId, holders: Iterable[EndpointId]) -> CopiesBeside:
    return copies_beside(pc, list(holders), Standings(), {}, 0.0)


pcs = st.sets(st.sampled_from(PCS))


@settings(max_examples=300)
@given(st.sampled_from(range(1, len(PCS) + 1)), pcs, pcs, st.lists(st.sampled_from(PCS)))
def test_the_last_copies_stay_whoever_asks_in_whichever_order(
    size: int, holding: set[EndpointId], lacking: set[EndpointId], asking: list[EndpointId]
) -> None:
    site = PCS[:size]
    holders = {pc for pc in holding if pc in site}
    lacks = {pc for pc in lacking if pc in site} - holders
    before = len(holders)
    spared = SparedCopies()
    for pc in asking:
        if pc in holders and spared.may_spare(pc, TORRENT, copies=without(pc, holders), lacking=lacks, others=size - 1):
            holders.remove(pc)
    keep = 0 if size == 1 else KEPT_COPIES if lacks else KEPT_FOR_NEWCOMERS
    assert len(holders) >= min(before, keep)


@given(st.sampled_from(range(2, len(PCS) + 1)), st.integers(0, 3))
def test_where_all_have_it_one_copy_stays_and_with_pcs_that_are_off_two(size: int, off: int) -> None:
    holders, spared = set(PCS[:size]), SparedCopies()
    for pc in PCS[:size]:
        if spared.may_spare(pc, TORRENT, copies=without(pc, holders), lacking=(), others=size - 1 + off):
            holders.remove(pc)
    assert len(holders) == min(size, KEPT_COPIES if off else KEPT_FOR_NEWCOMERS)


def test_a_pc_that_is_alone_at_its_site_keeps_nothing_for_others() -> None:
    assert SparedCopies().may_spare(PCS[0], TORRENT, copies=without(PCS[0], PCS[:1]), lacking=(), others=0)


def test_one_that_has_given_it_up_and_wants_it_again_lacks_it() -> None:
    spared = SparedCopies()
    assert spared.may_spare(PCS[0], TORRENT, copies=without(PCS[0], PCS[:3]), lacking=(), others=2)
    assert not spared.may_spare(PCS[1], TORRENT, copies=without(PCS[1], PCS[1:3]), lacking={PCS[0]}, others=2)


@given(pcs, pcs, pcs)
def test_while_one_that_serves_leaves_another_one_that_serves_and_is_believed_stays(
    holding: set[EndpointId], idle: set[EndpointId], liars: set[EndpointId]
) -> None:
    standings, help_of = Standings(), dict.fromkeys(idle, Help.NONE)
    for pc in liars:
        standings.fault(pc, TorrentHash("f" * 64), Fault.UNDELIVERED, 0.0)
    good, spared = holding - idle - liars, SparedCopies()
    for pc in sorted(holding):
        copies = copies_beside(pc, holding, standings, help_of, 1.0)
        if spared.may_spare(pc, TORRENT, copies=copies, lacking=(), others=len(PCS)):
            holding.remove(pc)
    assert len(holding & good) >= min(len(good), KEPT_COPIES)
