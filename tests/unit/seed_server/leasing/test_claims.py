"""`seed_server.leasing.claims`: what counts as being at a site, and what ceases to."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.wire.bitfield import all_pieces
from seed_server.leasing.claims import LOOKS, SiteClaims
from seed_server.leasing.help import Help
from seed_server.leasing.standing import Fault, Standings
from seed_server.leasing.times import STORED_GRACE_SECONDS, LedgerTimes

A, B, C, D = (EndpointId(letter * 26) for letter in "abcd")
PIECES = 100
ALL = all_pieces(PIECES)
FORTY = all_pieces(40)
LINE = 5.0
WINDOW = LAN_STALL_SECONDS
STEP = WINDOW / LOOKS


class Site:
    """What a site's endpoints say, as time goes on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.standings = Standings()
        self.help_of: dict[EndpointId, Help] = {}
        self.claims = SiteClaims(
            TorrentHash("11" * 32), ALL, self.standings, LedgerTimes(), piece_bytes=1 << 18, help_of=self.help_of
        )
        self.look()

    def want(self, endpoint: EndpointId, have: int = 0, **changes: Any) -> None:
        values: dict[str, Any] = {"lan_have": 0, "lan_stalled": False, "can_fetch": True, "leased": 0}
        self.claims.want(endpoint, have=have, now=self.now, **(values | changes))

    def holders(self, endpoint: EndpointId, among: Iterable[EndpointId] = (A, B, C, D)) -> list[EndpointId]:
        return self.claims.holders(endpoint, among, self.now)

    def helps(self, endpoint: EndpointId, how: Help) -> None:
        self.help_of[endpoint] = how
        self.claims.helps_otherwise(endpoint)

    def sent(self, endpoint: EndpointId, pieces: int) -> None:
        """Let ``endpoint`` confirm what was leased to it."""
        for piece in range(PIECES):
            if pieces >> piece & 1:
                self.claims.stored(endpoint, PieceIndex(piece), self.now, leased=True)

    def look(self) -> bool:
        return self.claims.look(self.now, LINE, lambda endpoint: not self.standings.demoted(endpoint, self.now))

    def wait(self, seconds: float = WINDOW + 2 * STEP) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP
            self.look()

    @property
    def on_site(self) -> int:
        return self.claims.on_site(self.now)

    def faults(self) -> set[tuple[EndpointId, Fault]]:
        return {(alarm.endpoint, alarm.fault) for alarm in self.standings.take_alarms()}


class TestAlone:
    def test_one_that_has_no_neighbours_is_believed_for_ever(self) -> None:
        site = Site()
        site.want(A)
        site.sent(A, FORTY)
        site.wait(3_600.0)
        assert site.on_site == FORTY
        assert site.faults() == set()

    def test_complete_neighbours_have_nothing_to_say(self) -> None:
        site = Site()
        site.want(A)
        site.want(B, ALL)
        site.sent(A, FORTY)
        site.wait(3_600.0)
        assert A not in {endpoint for endpoint, _ in site.faults()}


class TestHolders:
    def test_are_those_that_have_all_while_it_is_seen_nowhere(self) -> None:
        site = Site()
        site.want(A, ALL)
        site.want(B, FORTY)
        site.want(C)
        assert site.holders(C) == [A] == site.holders(B)
        assert site.holders(C, among=[B, EndpointId("y" * 26)]) == []
        site.want(C, lan_have=ALL)
        assert site.holders(C) == [], "it is connected to one"
        assert site.holders(A) == [] == site.holders(EndpointId("x" * 26))
        site.sent(B, ALL & ~FORTY)
        site.want(C, FORTY)
        assert site.holders(C) == [A, B]

    def test_are_none_that_serve_nobody_or_are_not_believed(self) -> None:
        site = Site()
        site.want(A, ALL)
        site.want(B)
        site.helps(A, Help.NONE)
        assert site.holders(B) == []
        site.helps(A, Help.LESS)
        assert site.holders(B) == [A]
        site.standings.fault(A, TorrentHash("11" * 32), Fault.TAKEN_BACK, site.now)
        assert site.standings.distrusted(A, site.now)
        assert site.holders(B) == []


class TestTakenBack:
    def test_is_a_fault_and_what_it_says_needs_a_second_one(self) -> None:
        site = Site()
        site.want(A)
        site.sent(A, 0b11)
        site.now += STORED_GRACE_SECONDS
        site.want(A, 0b01)
        assert site.faults() == {(A, Fault.TAKEN_BACK)}
        site.want(A, 0b111)
        assert site.on_site == 0b01, "what it was sent and still has; of the rest, it alone says so"
        site.want(B, 0, lan_have=0b100)
        assert site.on_site == 0b101

    def test_after_reconnecting_it_is_one_too(self) -> None:
        site = Site()
        site.want(A)
        site.sent(A, 0b11)
        site.claims.left(A)
        site.want(A, 0)
        assert site.faults() == {(A, Fault.TAKEN_BACK)}

    def test_one_that_cannot_fetch_may_not_see_its_disk(self) -> None:
        site = Site()
        site.want(A)
        site.sent(A, 0b11)
        site.now += STORED_GRACE_SECONDS
        site.want(A, 0, can_fetch=False)
        site.want(A, 0b11)
        assert site.faults() == set()


class TestUnshared:
    def site(self, *, b_gets: int, shown: int = 0) -> Site:
        """A was sent forty pieces, C others; B and D get ``b_gets`` and what C has, step by step."""
        site = Site()
        for endpoint in (A, B, C, D):
            site.want(endpoint)
        site.sent(A, FORTY)
        site.sent(C, FORTY << 50)
        got = 0
        for at in range(3 * LOOKS):
            got |= 0b111 << (50 + 3 * at)
            site.want(B, got | b_gets, lan_have=shown)
            site.want(D, got, lan_have=shown)
            site.wait(STEP)
        return site

    def test_what_reaches_nobody_is_a_fault_and_missing(self) -> None:
        site = self.site(b_gets=0)
        assert (A, Fault.UNSHARED) in site.faults()
        assert site.on_site & FORTY == 0

    def test_that_it_is_seen_is_not_enough(self) -> None:
        site = self.site(b_gets=0, shown=FORTY)
        assert (A, Fault.UNSHARED) in site.faults()

    def test_slow_sharing_is_sharing(self) -> None:
        site = Site()
        for endpoint in (A, B, D):
            site.want(endpoint)
        site.sent(A, FORTY)
        for at in range(3 * LOOKS):
            site.want(B, all_pieces(2 * at))
            site.want(D, all_pieces(2 * at))
            site.wait(STEP)
        assert site.faults() == set()
        assert site.on_site == FORTY

    def test_one_that_gets_nothing_from_anybody_cannot_blame_another(self) -> None:
        site = Site()
        site.want(A)
        site.want(B)
        site.sent(A, FORTY)
        site.wait()
        assert (A, Fault.UNSHARED) not in site.faults()


class TestUndelivered:
    @pytest.mark.parametrize("how", ["have", "lan_have"])
    def test_what_somebody_says_and_nobody_gets_is_missing_after_the_window(self, how: str) -> None:
        site = Site()
        site.want(A, 0)
        site.want(B, **{"have": 0} | {how: ALL}, can_fetch=False)
        assert site.on_site == ALL
        site.wait(WINDOW - STEP)
        assert site.on_site == ALL
        site.wait()
        assert site.on_site == 0
        assert (B, Fault.UNDELIVERED) in site.faults()

    def test_it_counts_again_when_it_is_sent_or_comes_by_the_lan(self) -> None:
        site = Site()
        site.want(A, 0)
        site.want(B, ALL)
        site.wait()
        site.sent(A, 0b1)
        assert site.on_site == 0b1
        site.want(A, 0b11)
        assert site.on_site == 0b11

    def test_a_trickle_is_not_enough_for_what_never_came_over_the_line(self) -> None:
        site = Site()
        site.want(A, 0)
        site.want(B, ALL, can_fetch=False)
        for at in range(2 * LOOKS):
            site.want(A, all_pieces(at // 2))
            site.wait(STEP)
        member = site.claims.members[A]
        lacking = ALL & ~member.have
        assert lacking
        assert lacking & site.on_site & ~member.missed == 0, "it may get all of that over the line"

    def test_one_whose_neighbours_get_on_is_served_and_blames_nobody(self) -> None:
        """The LAN of C does not work: that says nothing of A."""
        site = Site()
        for endpoint in (A, B, C):
            site.want(endpoint)
        site.sent(A, ALL)
        for at in range(2 * LOOKS):
            site.want(B, all_pieces(10 * (at + 1)))
            site.wait(STEP)
        site.want(B, ALL)
        site.wait()
        assert site.faults() == set()
        assert site.on_site == ALL
        assert site.claims.members[C].missed == ALL

    def test_newcomers_are_given_time(self) -> None:
        site = Site()
        site.want(B, ALL)
        site.wait(3_600.0)
        site.want(A, 0)
        site.wait(WINDOW - STEP)
        assert site.on_site == ALL


class TestOneThatServesNobody:
    """Its word is taken at once, and costs it no reputation."""

    def test_what_it_alone_has_is_needed_whoever_sees_it_there(self) -> None:
        site = Site()
        site.want(A, FORTY)
        site.want(B, lan_have=FORTY)
        assert site.on_site == FORTY
        site.helps(A, Help.NONE)
        assert site.on_site == 0
        site.want(C, lan_have=FORTY)
        assert site.on_site == 0
        site.helps(A, Help.FULL)
        assert site.on_site == FORTY, "it serves again: nothing need cross the line any more"

    @pytest.mark.parametrize("seen_first", [False, True])
    def test_what_it_gets_later_does_not_count_either(self, seen_first: bool) -> None:
        site = Site()
        site.helps(A, Help.NONE)
        site.want(A)
        if seen_first:
            site.want(B, lan_have=0b11)
        site.sent(A, 0b1)
        site.want(A, 0b11, leased=0b10)
        if not seen_first:
            site.want(B, lan_have=0b11)
        assert site.on_site == 0

    def test_what_another_has_too_is_here(self) -> None:
        site = Site()
        site.helps(A, Help.NONE)
        site.want(A, FORTY)
        site.want(B, 0b1)
        assert site.on_site == 0b1
        site.sent(B, 0b10)
        assert site.on_site == 0b11
        site.claims.left(B)
        assert site.on_site == 0

    def test_what_is_seen_at_neighbours_that_the_server_does_not_know_is_here(self) -> None:
        site = Site()
        site.helps(A, Help.NONE)
        site.want(A, 0b1)
        site.want(B, lan_have=FORTY)
        assert site.on_site == FORTY & ~1

    def test_helping_less_changes_nothing_of_what_is_here(self) -> None:
        site = Site()
        site.want(A, FORTY)
        site.helps(A, Help.LESS)
        assert site.on_site == FORTY

    def test_nobody_is_blamed_for_what_it_does_not_give(self) -> None:
        site = Site()
        site.want(A)
        site.want(B)
        site.want(C)
        site.sent(A, FORTY)
        site.helps(A, Help.NONE)
        for n in range(30):  # others get pieces from each other, and see those of A
            site.want(B, all_pieces(n) << 50, lan_have=FORTY)
            site.want(C, lan_have=FORTY)
            site.wait(STEP)
        assert site.faults() == set()
        assert site.on_site & FORTY == 0

    def test_one_that_serves_again_is_judged_after_a_whole_window(self) -> None:
        site = Site()
        for endpoint in (A, B, C):
            site.want(endpoint)
        site.sent(A, FORTY)
        site.wait(WINDOW)
        site.helps(A, Help.NONE)
        site.helps(A, Help.FULL)
        site.want(B, all_pieces(30) << 50)
        site.wait(WINDOW - STEP)
        assert site.faults() == set()

    def test_what_it_was_sent_and_shares_with_nobody_is_its_debt(self) -> None:
        site = Site()
        site.want(A)
        site.want(B, 0b1)
        site.sent(A, FORTY)
        site.want(B, 0b11)
        account = site.claims.members[A].account
        site.helps(A, Help.NONE)
        assert account.debt == 38, "two of them have come to B"
        site.helps(A, Help.FULL)
        site.helps(A, Help.NONE)
        assert account.debt == 38, "each piece once"
        site.sent(A, all_pieces(30) << 50)
        assert account.debt == 8


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.sampled_from(["wants", "stored", "full", "less", "none", "left", "lies", "waits"]),
            st.integers(0, 63),
            st.integers(0, 63),
        ),
        max_size=40,
    )
)
def test_what_is_added_step_by_step_is_what_a_count_finds(
    events: list[tuple[str, str, int, int]],
) -> None:
    site = Site()
    for name, event, have, lan in events:
        endpoint = EndpointId(name * 26)
        known = endpoint in site.claims.members
        if event == "wants":
            site.want(endpoint, have, lan_have=lan, leased=have & lan)
        elif event == "stored" and known:
            site.claims.stored(endpoint, PieceIndex(have % 6), site.now, leased=bool(lan & 1))
        elif event in ("full", "less", "none"):
            site.helps(endpoint, Help(event))
        elif event == "left":
            site.claims.left(endpoint)
        elif event == "lies" and known:
            site.claims._fault(endpoint, Fault.UNSHARED, site.now)
        elif event == "waits":
            site.wait(STEP)
        assert site.on_site == site.claims._counted(site.now)
        refused = 0
        for member in site.claims.members:
            refused |= site.claims.members[member].have if site.help_of.get(member) is Help.NONE else 0
        for member in site.claims.members:
            refused &= ~site.claims.members[member].have if site.help_of.get(member) is not Help.NONE else -1
        assert not site.on_site & refused
