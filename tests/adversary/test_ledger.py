"""One bad PC at a site with one fetcher: how long the honest ones wait for it, and what it costs the line.

The whole site is simulated in virtual time around the real ledger; `test_origin_port` plays it over real connections.
"""

import functools
import random

import pytest

from tests.helpers.ledger_site import LedgerSite, Malice, bad_pc, honest_pcs

PIECES = 600  # of 256 KiB over a line of 10 Mbit/s: two minutes
LONGEST = 1.5
WINDOW_SECONDS = 25.0  # until what does not come true is no longer believed

ATTACKS = {
    "confirms and forgets": Malice(forgets=True),
    "confirms, forgets, and says that its LAN is stalled": Malice(forgets=True, stalled=True),
    "confirms, forgets and reconnects": Malice(forgets=True, stalled=True, reconnects_every_seconds=4.0),
    "keeps what it gets to itself": Malice(keeps=True),
    "takes and never answers": Malice(silent=True),
    "takes, never answers and reconnects": Malice(silent=True, reconnects_every_seconds=4.0),
    "reads as slowly as it may": Malice(trickles=True),
    "says that it has everything": Malice(claims=True),
    "says that it sees everything": Malice(sees=True),
    "keeps what it gets, and says at times that it serves nobody": Malice(keeps=True, refuses_every_seconds=9.0),
    "shows its neighbours what it has not": Malice(shows=True),
    "shows everything and gives a piece now and then": Malice(shows=True, claims=True, gives_every_seconds=19.0),
}
# beside a single honest PC these look like a PC without a LAN, whose share of the line is a half
LOOK_ISOLATED = {
    "keeps what it gets to itself",
    "says that it sees everything",
    "shows its neighbours what it has not",
}


def played(honest: int, malice: Malice | None) -> LedgerSite:
    rng = random.Random(1)
    bad = [bad_pc(malice)] if malice else []
    site = LedgerSite(
        rng,
        pieces=PIECES,
        fetchers=1,
        lan_pieces_per_second=60.0,
        line_pieces_per_second=5.0,
        pcs=[*bad, *honest_pcs(honest, rng)],  # it always asks first
    )
    site.run()
    return site


@functools.cache
def seconds_without(honest: int) -> float:
    return played(honest, None).now


@pytest.mark.parametrize("honest", [1, 3])
@pytest.mark.parametrize("attack", ATTACKS)
def test_honest_pcs_finish_in_time(attack: str, honest: int) -> None:
    site = played(honest, ATTACKS[attack])
    alone = honest == 1 and attack in LOOK_ISOLATED
    longest = 2 * seconds_without(honest) + WINDOW_SECONDS if alone else LONGEST * seconds_without(honest)
    assert site.now <= longest, f"{site.now / seconds_without(honest):.2f} times as long"


@pytest.mark.parametrize(
    "attack", ["confirms and forgets", "confirms, forgets and reconnects", "takes and never answers"]
)
def test_the_line_is_not_used_up_afterwards(attack: str) -> None:
    site = played(3, ATTACKS[attack])
    for pc in site.honest:
        site.disconnect(pc)
    site.pcs = site.pcs[:1]
    site.run_for(1_800.0)
    (bad,) = site.pcs
    # its file and a twentieth, 64 pieces, and what it may have again in so short a time
    assert bad.got <= PIECES * 1.05 + 64 + PIECES * site.now / 86_400


@pytest.mark.parametrize("attack", ["confirms and forgets", "takes and never answers", "reads as slowly as it may"])
def test_another_torrent_does_not_make_it_forgotten(attack: str) -> None:
    site = played(3, ATTACKS[attack])
    (bad, *_), now = site.pcs, site.now
    assert site.standings.demoted(bad.id, now)
    assert not any(site.standings.demoted(pc.id, now) for pc in site.honest)


@pytest.mark.parametrize("attack", ["confirms and forgets", "keeps what it gets to itself"])
def test_the_operator_is_told_whom_to_look_at(attack: str) -> None:
    site = played(3, ATTACKS[attack])
    assert {endpoint for endpoint, _ in site.alarms()} == {site.pcs[0].id}


def test_what_one_bad_pc_says_makes_no_honest_one_fetch_for_itself() -> None:
    for attack, malice in ATTACKS.items():
        site = played(3, malice)
        for_honest = sum(pc.got for pc in site.honest)
        assert for_honest <= 1.05 * PIECES, f"{attack}: {for_honest} pieces for {PIECES}"
