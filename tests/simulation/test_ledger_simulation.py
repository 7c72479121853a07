"""Whole sites in virtual time around the real ledger: random kills, slow LANs, few fetchers. Replayed by a seed."""

import random

import pytest

from seed_server.leasing.standing import Fault
from tests.helpers.ledger_site import LedgerSite, Pc, honest_pcs

LINE_PIECES = 5.0  # a second
PIECES = 200


def simulate(
    seed: int, *, endpoints: int, kill_chance: float = 0.0, lan: float = 60.0, fetchers: int = 1, without_lan: int = 0
) -> LedgerSite:
    rng = random.Random(seed)
    pcs = honest_pcs(endpoints - without_lan, rng)
    pcs += [Pc(pc.id, pc.wired, has_lan=False) for pc in honest_pcs(endpoints, rng)[endpoints - without_lan :]]
    site = LedgerSite(
        rng,
        pieces=PIECES,
        fetchers=fetchers,
        lan_pieces_per_second=lan,
        line_pieces_per_second=LINE_PIECES,
        kill_chance_per_second=kill_chance,
        pcs=pcs,
    )
    try:
        site.run(until_kills_stop=120.0 if kill_chance else 0.0)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return site


@pytest.mark.parametrize("fetchers", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_without_kills_every_piece_crosses_the_line_once(seed: int, fetchers: int) -> None:
    site = simulate(seed, endpoints=8, fetchers=fetchers)
    assert site.sent == site.pieces, f"seed {seed}: {site.sent} pieces sent for {site.pieces}"
    assert site.alarms() == []


def test_a_lone_pc_gets_its_whole_file_each_piece_once() -> None:
    site = simulate(0, endpoints=1)
    assert site.sent == site.pieces
    site.run_for(600.0)
    assert site.alarms() == []


def test_neighbours_that_come_later_cost_the_line_nothing() -> None:
    site = simulate(0, endpoints=1)
    site.run_for(600.0)
    newcomers = honest_pcs(4, site.rng)[1:]
    site.pcs += newcomers
    site.run()
    assert site.sent == site.pieces
    assert site.alarms() == []


@pytest.mark.parametrize("without_lan", [1, 2])
def test_a_pc_without_a_lan_gets_its_file_and_the_others_share_theirs(without_lan: int) -> None:
    site = simulate(0, endpoints=6, without_lan=without_lan)
    assert site.sent == site.pieces * (1 + without_lan)
    assert {endpoint for endpoint, _ in site.alarms()} <= {pc.id for pc in site.pcs if not pc.has_lan}


def test_pcs_that_do_not_see_each_other_each_get_the_file_once() -> None:
    site = simulate(0, endpoints=3, without_lan=3)
    assert [pc.got for pc in site.pcs] == [site.pieces] * 3
    # nobody can tell whose fault it is, but that one has what does not reach the others
    assert {fault for _, fault in site.alarms()} <= {Fault.UNDELIVERED}


@pytest.mark.parametrize("seed", range(8))
def test_kills_cost_little_more_than_what_they_destroy(seed: int) -> None:
    # one in fifty PCs dies or comes back each second: 8 PCs, two minutes, about 19 events
    site = simulate(seed, endpoints=8, kill_chance=0.02, fetchers=2)
    assert site.sent / site.pieces <= 1.10, f"seed {seed}: ratio {site.sent / site.pieces:.2f}"


@pytest.mark.parametrize("lan", [4.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_slow_lan_only_delays(seed: int, lan: float) -> None:
    # the LAN is slower than the line: the site falls behind the fetcher, and nothing may be sent twice for it
    site = simulate(seed, endpoints=4, lan=lan)
    assert site.sent / site.pieces <= 1.02, f"seed {seed}: ratio {site.sent / site.pieces:.2f}"
    assert site.alarms() == []


def test_a_fetcher_s_turn_ends_but_the_line_is_never_idle() -> None:
    site = simulate(0, endpoints=4)
    assert site.now == pytest.approx(PIECES / LINE_PIECES, rel=0.05)
    assert min(pc.got for pc in site.pcs) >= PIECES / 8, "each had its turn"
