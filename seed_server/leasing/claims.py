"""What the endpoints of a site have of one torrent, by what they say and by what others confirm. Pure.

What an endpoint says is believed at first: most are honest, and a piece that is at the site already must not cross
the line again. But it is looked at, over a window of time, whether it comes true:

* of the pieces that an endpoint has confirmed, some are to reach others that lack them;
* pieces that are at the site by somebody's word are to reach those that lack them.

An endpoint may say that it gives its neighbours nothing. What is with such ones alone is not at the site, whoever sees
it there: the others are given it anew, and nobody is blamed.

What does not come true is *doubted*: it counts as missing until it is delivered anew, or an endpoint in good
standing gets it from the LAN. Where an endpoint is alone, there is nobody to confirm anything, and it is believed.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet
from seed_server.leasing.help import Help
from seed_server.leasing.standing import Account, Fault, Standings
from seed_server.leasing.times import LedgerTimes

LOOKS = 4  # in one window: a window begins with each of them, so nothing is judged later than a fourth of it
JUDGED_PIECES = 16  # of one's pieces neighbours should have got by now: that it was none is no chance of a slow LAN
LEAST_LAN_SHARE = 0.05  # of the line's rate, for all who wait together: below it, the line is the better way …
BROUGHT_LAN_SHARE = 0.5  # … and sooner for pieces that never came over the line: that they are here is mere hearsay


@dataclass(slots=True)
class SiteMember:
    """One endpoint's view of the torrent."""

    account: Account
    have: PieceSet = 0
    lan_have: PieceSet = 0
    lan_stalled: bool = False
    missed: PieceSet = 0
    """Pieces that are at the site, it is said, and that do not reach it: it may get them over the line."""
    can_fetch: bool = False
    stored_at: dict[PieceIndex, float] = field(default_factory=dict)
    """Pieces that it has confirmed within the grace before its last view."""
    from_lan: int = 0
    """Pieces that it has got from its neighbours since it is here."""
    looks: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOOKS))
    """``from_lan``, and how many of its pieces others have, at the last looks."""

    @property
    def taken(self) -> int:
        """Pieces that it has got from its neighbours in the last window."""
        return self.from_lan - self.looks[0][0]

    @property
    def isolated(self) -> bool:
        """Whether its LAN brings it nothing of what is at the site, and others nothing from it."""
        return bool(self.missed & ~self.have) and not self.given

    @property
    def given(self) -> int:
        """Pieces that it brought to the site and that others got in the last window."""
        return self.account.shared - self.looks[0][1]


class SiteClaims:
    """What the endpoints of a site have of one torrent; ``now`` is any clock in seconds that only grows.

    Members are those that lack something, or did: of the others it is enough to know that they have all.
    """

    def __init__(
        self,
        torrent: TorrentHash,
        every: PieceSet,
        standings: Standings,
        times: LedgerTimes,
        *,
        piece_bytes: int,
        help_of: Mapping[EndpointId, Help],
        holding: Callable[[], Collection[EndpointId]] = tuple,
    ) -> None:
        """Make those of one torrent; ``holding`` returns who has all of it: these need not be members."""
        self._help_of = help_of
        self._holding = holding
        self._torrent = torrent
        self._all = every
        self._count = every.bit_count()
        self._standings = standings
        self._grace_seconds = times.stored_grace_seconds
        self._step_seconds = times.confirm_seconds(piece_bytes) / LOOKS
        self.members: dict[EndpointId, SiteMember] = {}
        self._unshared: set[EndpointId] = set()
        """Members with pieces that they have confirmed and nobody else has yet: few, whatever the site's size."""
        self._doubted: PieceSet = 0
        self._sent: PieceSet = 0
        """Pieces that have come over the line."""
        self._sent_again: PieceSet = 0
        """Those that came more than once: nobody knows who shared them."""
        self._moved: PieceSet = 0
        """Pieces that an endpoint in good standing has got from its neighbours: whoever lacks one has a LAN problem."""
        self._on_site: PieceSet | None = None if any(True for _ in holding()) else 0  # None: to be counted anew
        self._served: PieceSet = 0
        """Pieces that somebody has who serves its neighbours, by its own word."""
        self._withheld: PieceSet = 0
        """Pieces that only such have as serve nobody."""
        self._looks: deque[PieceSet] = deque(maxlen=LOOKS)
        self._look_at: float | None = None

    def on_site(self, now: float) -> PieceSet:
        """Return the pieces that need not come over the line."""
        if self._on_site is None:
            self._on_site = self._counted(now)
        return self._on_site

    def holders(self, endpoint: EndpointId, among: Iterable[EndpointId], now: float) -> list[EndpointId]:
        """Return who ``among`` these has all, and serves it; none while ``endpoint`` sees all that it lacks."""
        asking = self.members.get(endpoint)
        if asking is None or asking.have | asking.lan_have == self._all:
            return []
        holding = self._holding()
        return [
            other
            for other in among
            if (other in holding if (member := self.members.get(other)) is None else member.have == self._all)
            and self._serves(other)
            and not self._standings.distrusted(other, now)
        ]

    def said_by_all(self) -> Iterator[tuple[EndpointId, PieceSet, PieceSet]]:
        """Yield who has what, and sees what in its LAN: all members, and those that have all."""
        for endpoint, member in self.members.items():
            yield endpoint, member.have, member.lan_have
        for endpoint in self._holding():
            if endpoint not in self.members:
                yield endpoint, self._all, 0

    # --- what endpoints say -------------------------------------------------------------

    def want(
        self,
        endpoint: EndpointId,
        *,
        have: PieceSet,
        lan_have: PieceSet,
        lan_stalled: bool,
        can_fetch: bool,
        leased: PieceSet,
        now: float,
    ) -> SiteMember:
        """Record an endpoint's view; it replaces the previous one. ``leased``: pieces that are on their way to it."""
        member = self.members.get(endpoint)
        new = member is None
        if member is None:
            member = SiteMember(self._standings.account(endpoint, self._torrent, self._count, now))
            self.members[endpoint] = member
        member.stored_at = {p: at for p, at in member.stored_at.items() if now - at < self._grace_seconds}
        for piece in member.stored_at:
            have |= 1 << piece
        if have == self._all:
            have = self._all  # one object for all: thousands of patches, each complete on hundreds of PCs
        before, said_before = member.have, member.have | member.lan_have
        member.have, member.lan_have = have, lan_have
        member.lan_stalled, member.can_fetch = lan_stalled, can_fetch
        # one that cannot fetch may not be able to see its own disk
        if can_fetch and member.account.keep(have):
            self._fault(endpoint, Fault.TAKEN_BACK, now)
        self._confirmed(endpoint, member, have & leased & ~before)
        self._said(endpoint, said_before, from_lan=0 if new else have & ~before & ~leased, now=now)
        return member

    def _said(self, endpoint: EndpointId, said_before: PieceSet, *, from_lan: PieceSet, now: float) -> None:
        member = self.members[endpoint]
        said = member.have | member.lan_have
        member.from_lan += from_lan.bit_count()
        if from_lan:
            member.missed &= ~self._sent  # the LAN is slow, but it works
        trusted = not self._standings.distrusted(endpoint, now)
        if trusted:
            self._moved |= from_lan
            self._doubted &= ~from_lan
        self._shared(endpoint, member.have & ~member.account.delivered)
        if said_before & ~said or (said != said_before and not trusted):
            self._on_site = None
        elif trusted:
            self._is_here(endpoint, have=member.have, lan_have=member.lan_have)

    def stored(self, endpoint: EndpointId, piece: PieceIndex, now: float, *, leased: bool) -> None:
        """Record that ``endpoint`` has ``piece`` on its disk; ``leased``: it was sent to it."""
        member = self.members[endpoint]
        bit = 1 << piece
        member.have |= bit
        member.stored_at[piece] = now
        if leased:
            self._confirmed(endpoint, member, bit)
        elif self._standings.distrusted(endpoint, now):
            self._on_site = None
        else:
            self._is_here(endpoint, have=bit)

    def holds(self, endpoint: EndpointId, now: float) -> None:
        """Take into account that ``endpoint``, which is no member, is among those that have all."""
        self._shared(endpoint, self._all)
        if self._standings.distrusted(endpoint, now):
            self._on_site = None
        else:
            self._is_here(endpoint, have=self._all)

    def recount(self) -> None:
        """Take into account that others have all than before."""
        self._on_site = None

    def helps_otherwise(self, endpoint: EndpointId) -> None:
        """Count anew what is at the site: ``endpoint`` serves its neighbours from now on, or no longer."""
        self._on_site = None
        member = self.members.get(endpoint)
        if member is None:
            return
        member.looks.clear()  # what it does is judged by what it says: a whole window from now on
        if not self._serves(endpoint):
            member.account.write_off()
            self._unshared.discard(endpoint)

    def left(self, endpoint: EndpointId) -> None:
        """Forget an endpoint; its pieces no longer count."""
        self._unshared.discard(endpoint)
        self.members.pop(endpoint, None)
        self._on_site = None  # no member, it may have had all

    def _confirmed(self, endpoint: EndpointId, member: SiteMember, pieces: PieceSet) -> None:
        if pieces:
            member.account.confirm(pieces)
            self._sent_again |= pieces & self._sent
            self._sent |= pieces
            self._doubted &= ~pieces
            self._is_here(endpoint, have=pieces)
        if any(member.account.unshared):
            self._unshared.add(endpoint)

    def _is_here(self, endpoint: EndpointId, *, have: PieceSet, lan_have: PieceSet = 0) -> None:
        """Add what ``endpoint``, which is believed, has and sees to what is at the site."""
        if self._on_site is None:
            return
        if self._serves(endpoint):
            self._served |= have
            self._withheld &= ~have
        elif have & ~self._served & ~self._withheld:
            self._on_site = None  # others may have seen it there before
            return
        self._on_site |= (have | lan_have) & ~self._withheld & ~self._doubted

    def _serves(self, endpoint: EndpointId) -> bool:
        return self._help_of.get(endpoint) is not Help.NONE

    def _shared(self, taker: EndpointId, pieces: PieceSet) -> None:
        """Note that ``taker`` has ``pieces``: whoever brought them to the site has shared them."""
        for endpoint in self._unshared - {taker}:
            account = self.members[endpoint].account
            account.share(pieces & ~self._sent_again)
            if not any(account.unshared):
                self._unshared.discard(endpoint)

    # --- whether it comes true ----------------------------------------------------------

    def look_at(self, now: float) -> float:
        """Return when the next look is due."""
        if self._look_at is None:
            self._look_at = now + self._step_seconds
        return self._look_at

    def look(self, now: float, line_pieces_per_second: float, credible: Callable[[EndpointId], bool]) -> bool:
        """Judge what was said a window ago, if a look is due, and return whether more pieces are missing now.

        ``line_pieces_per_second`` is what the site may be sent now. Only who is ``credible`` speaks against others.
        """
        if now < self.look_at(now):
            return False
        self._look_at = now + self._step_seconds
        for member in self.members.values():
            member.missed = 0
        witnesses = {
            endpoint: member
            for endpoint, member in self.members.items()
            if len(member.looks) == LOOKS  # it has been here for the whole window
            and member.can_fetch
            and member.have != self._all
            and credible(endpoint)
        }
        window_pieces = line_pieces_per_second * LOOKS * self._step_seconds
        missed = self._judge_unshared(witnesses, now) | self._judge_undelivered(witnesses, now, window_pieces)
        self._doubted |= missed
        self._on_site = None
        self._looks.append(self.on_site(now))
        for member in self.members.values():
            member.looks.append((member.from_lan, member.account.shared))
        for endpoint in self._unshared:
            self.members[endpoint].account.grow_older(LOOKS)
        return bool(missed)

    def _judge_unshared(self, witnesses: dict[EndpointId, SiteMember], now: float) -> PieceSet:
        """Return what was confirmed a window ago by those from whom nobody has got anything since.

        Neighbours may be slow: that a piece is *seen* at an endpoint is easily forged, so one of all its pieces must
        have reached another endpoint that lacks them.
        """
        missed = 0
        taken = sum(witness.taken for witness in witnesses.values())
        of_all = sum(self.members[endpoint].account.any_unshared.bit_count() for endpoint in self._unshared)
        for endpoint in self._unshared:
            member = self.members[endpoint]
            unshared = member.account.unshared
            if len(unshared) <= LOOKS or len(member.looks) < LOOKS or member.given or not self._serves(endpoint):
                continue
            # who gets nothing from anybody cannot tell whose fault that is
            others = [witness for other, witness in witnesses.items() if other != endpoint and witness.taken]
            lacking = unshared[0] & ~self._sent_again & _union(~witness.have for witness in others)
            expected = taken * lacking.bit_count() / max(1, of_all)
            if expected >= (1 if self._standings.distrusted(endpoint, now) else JUDGED_PIECES):
                unshared[0] &= ~lacking
                missed |= lacking
                self._fault(endpoint, Fault.UNSHARED, now)
        return missed

    def _judge_undelivered(self, witnesses: dict[EndpointId, SiteMember], now: float, line_pieces: float) -> PieceSet:
        """Return the pieces that were at the site for a whole window and reached none of those that lack them.

        Who gets too little is served over the line, whatever others say: one of these may lie.
        """
        if len(self._looks) < LOOKS or not witnesses:
            return 0
        standing = self.on_site(now)
        for pieces in self._looks:
            standing &= pieces
        missed = 0
        for share, pieces in ((LEAST_LAN_SHARE, standing & self._sent), (BROUGHT_LAN_SHARE, standing & ~self._sent)):
            least = max(1.0, share * line_pieces / len(witnesses))
            fed = {e for e, member in witnesses.items() if member.taken >= least}
            starving = witnesses.keys() - fed
            for endpoint in starving:
                if witnesses[endpoint].taken < least / 2:  # clearly, and not by the chance of a slow LAN
                    witnesses[endpoint].missed |= pieces
            lacking = _union(~witnesses[e].have for e in starving) & ~_union(~witnesses[e].have for e in fed)
            if gone := pieces & lacking & ~self._moved:
                missed |= gone
                self._blame(gone, starving, now)
        return missed

    def _blame(self, missed: PieceSet, starving: AbstractSet[EndpointId], now: float) -> None:
        """Blame those at whom the starving see what they do not get, and those who alone say that it is there."""
        visible = once = twice = 0
        for endpoint, have, lan_have in self.said_by_all():
            said = have | lan_have
            twice |= once & said
            once |= said
            if endpoint in starving:
                visible |= lan_have & ~have
        for endpoint, have, lan_have in list(self.said_by_all()):
            alone = (have | lan_have) & ~twice
            if endpoint in starving or not self._serves(endpoint):
                continue
            if missed & (have & visible | alone):
                self._fault(endpoint, Fault.UNDELIVERED, now)

    def _fault(self, endpoint: EndpointId, fault: Fault, now: float) -> None:
        self._standings.fault(endpoint, self._torrent, fault, now)
        self._on_site = None

    def _counted(self, now: float) -> PieceSet:
        found = once = twice = refused = served = 0
        for endpoint, have, lan_have in self.said_by_all():
            said = have | lan_have
            serves = self._serves(endpoint)
            if serves:
                served |= have
            else:
                refused |= have
            if self._standings.distrusted(endpoint, now):
                # one alone is not believed, but for what it was sent and others have had no time to see
                member = self.members.get(endpoint)
                found |= member.account.any_unshared if serves and member else 0
                twice |= once & said
                once |= said
            else:
                found |= said
        self._served, self._withheld = served, refused & ~served
        return (found | twice) & ~self._withheld & ~self._doubted


def _union(sets: Iterable[PieceSet]) -> PieceSet:
    found = 0
    for pieces in sets:
        found |= pieces
    return found
