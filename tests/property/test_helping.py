"""Whatever PCs refuse and when: every piece reaches every PC soon, and none crosses the line needlessly."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.leasing.help import Help
from tests.helpers.ledger_site import LEASE_SECONDS, STALLED_SECONDS, LedgerSite, honest_pcs

PCS = 4
PIECES = 40
LINE_PIECES, LAN_PIECES = 5.0, 20.0  # a second
LONGEST_SECONDS = 2 * PIECES / LINE_PIECES + LEASE_SECONDS + 2 * STALLED_SECONDS

acts = st.tuples(
    st.integers(0, PCS - 1),
    st.sampled_from([*Help, "may fetch", "may not fetch", "dies or comes back", "loses its data connection"]),
    st.integers(0, 40),
)


def site_of(seed: int, fetchers: int) -> LedgerSite:
    rng = random.Random(seed)
    site = LedgerSite(
        rng,
        pieces=PIECES,
        fetchers=fetchers,
        lan_pieces_per_second=LAN_PIECES,
        line_pieces_per_second=LINE_PIECES,
        pcs=honest_pcs(PCS, rng),
    )
    for pc in site.pcs:
        site.connect(pc)
    return site


def act(site: LedgerSite, number: int, what: Help | str) -> None:
    pc = site.pcs[number]
    if isinstance(what, Help):
        pc.help = what
    elif what in ("may fetch", "may not fetch"):
        pc.can_fetch = what == "may fetch"
    elif what == "dies or comes back":
        (site.disconnect if pc.up else site.connect)(pc)
    elif pc.up:
        pc.receiving = None
        site.ledger.data_lost(pc.id)
        site.connect(pc)


def run(site: LedgerSite, steps: int) -> None:
    up = [pc.up for pc in site.pcs]
    for _ in range(steps):
        site.step(kills=True)
        assert [pc.up for pc in site.pcs] == up
        assert site.needless == 0, "it was sent although one that serves had it"


@settings(deadline=None, max_examples=150)
@given(
    before=st.lists(acts, max_size=12),
    after=st.lists(acts, max_size=12),
    path=st.integers(0, PCS - 1),
    how=st.sampled_from([Help.FULL, Help.LESS]),
    fetchers=st.sampled_from([1, 2, 8]),
    seed=st.integers(0, 3),
)
def test_as_long_as_one_path_lives_every_piece_reaches_every_pc_soon_and_none_crosses_the_line_needlessly(
    before: list[tuple[int, Help | str, int]],
    after: list[tuple[int, Help | str, int]],
    path: int,
    how: Help,
    fetchers: int,
    seed: int,
) -> None:
    """``path``: from some time on this PC lives, may fetch, and serves; the others go on refusing as they like."""
    site = site_of(seed, fetchers)
    for number, what, steps in before:
        act(site, number, what)
        run(site, steps)
    living = site.pcs[path]
    living.help, living.can_fetch = how, True
    if not living.up:
        site.connect(living)
    began_at = site.now
    for number, what, steps in after:
        if number != path:
            act(site, number, what)
        run(site, steps)
    while any(pc.have != all_pieces(PIECES) for pc in site.pcs if pc.up):
        run(site, 1)
        assert site.now - began_at <= LONGEST_SECONDS, [f"{pc.help} {pc.can_fetch} {pc.have:b}" for pc in site.pcs]


def test_a_site_where_all_are_busy_gets_the_file_in_at_most_half_as_long_again() -> None:
    seconds = []
    for how in (Help.FULL, Help.LESS):
        site = site_of(0, fetchers=2)
        for pc in site.pcs:
            pc.help = how
        site.run()
        assert site.sent == PIECES
        seconds.append(site.now)
    assert seconds[1] <= 1.5 * seconds[0]


@pytest.mark.parametrize("how", [Help.LESS, Help.NONE])
def test_while_one_helps_in_full_the_others_fetch_nothing_and_get_all(how: Help) -> None:
    site = site_of(0, fetchers=8)
    idle, *others = site.pcs
    for pc in others:
        pc.help = how
        site.ledger.helps(pc.id, pc.help)
    site.run()
    assert (idle.got, [pc.got for pc in others]) == (PIECES, [0, 0, 0])


def test_one_that_comes_back_helps_in_full_until_it_says_otherwise() -> None:
    site = site_of(0, fetchers=1)
    holder = site.pcs[0]
    holder.have = all_pieces(PIECES)
    site.ledger.helps(holder.id, Help.NONE)
    site.disconnect(holder)
    site.connect(holder)
    site.step(kills=True)  # it says what it has before the others are sent anything
    site.run()
    assert site.sent == 0


def test_what_one_holds_that_refuses_from_now_on_is_leased_to_another_at_once() -> None:
    site = site_of(0, fetchers=1)
    holder = site.pcs[0]
    for pc in site.pcs:
        pc.help = Help.NONE
    while holder.have != all_pieces(PIECES):
        for pc in site.pcs:
            pc.can_fetch = pc is holder
        site.step(kills=True)
    assert site.sent == PIECES
    for pc in site.pcs:
        pc.help, pc.can_fetch = (Help.NONE, False) if pc is holder else (Help.FULL, True)
    refused_at = site.now
    while site.sent == PIECES:
        site.step(kills=True)
    assert site.now - refused_at <= 1.5, "with its next message"
    site.run()
    assert site.sent == 2 * PIECES
    assert site.needless == 0
