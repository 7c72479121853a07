"""Whether a site can spare an endpoint's copy of a torrent. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.help import Help
from seed_server.leasing.holdings import ServedTorrent, SiteHoldings
from seed_server.leasing.standing import Standings

KEPT_COPIES = 2  # while somebody lacks it: a PC may be switched off at any time
KEPT_FOR_NEWCOMERS = 1  # while nobody does


@dataclass(frozen=True)
class CopiesBeside:
    """The copies of a torrent that there are without that of the endpoint that asks."""

    held: frozenset[EndpointId]
    """Who is connected and has all of it, by a word that is believed."""
    kept: int
    """How many of them neighbours can count on."""


def copies_beside(
    endpoint: EndpointId,
    holding: Collection[EndpointId],
    standings: Standings,
    help_of: Mapping[EndpointId, Help],
    now: float,
) -> CopiesBeside:
    """Return the copies of those that are ``holding`` it by their own word, without that of ``endpoint``.

    Whose pieces did not reach others has none. What is with one that serves nobody now is none for others either; but
    where ``endpoint`` serves nobody itself, its copy is no better.
    """
    held = frozenset(other for other in holding if other != endpoint and not standings.distrusted(other, now))
    serving = [other for other in held if help_of.get(other) is not Help.NONE]
    return CopiesBeside(held, len(held) if help_of.get(endpoint) is Help.NONE else len(serving))


class SparedCopies:
    """Who of one site has given up which torrents to make room: it lacks none of them."""

    def __init__(self) -> None:
        self._spared = SiteHoldings()

    def may_spare(
        self,
        endpoint: EndpointId,
        torrent: ServedTorrent,
        *,
        copies: CopiesBeside,
        lacking: Collection[EndpointId],
        others: int,
    ) -> bool:
        """Return whether ``endpoint`` may give its copy up; if so, it is noted.

        ``lacking`` are connected and want it; ``others`` belong to the site, connected or not, besides ``endpoint``:
        those of whom nothing is known lack it.
        """
        done = {other for other in self._spared.of(torrent) if other != endpoint and other not in lacking}
        somebody_lacks = bool(set(lacking) - {endpoint}) or len(copies.held | done) < others
        keep = 0 if not others else KEPT_COPIES if somebody_lacks else KEPT_FOR_NEWCOMERS
        if copies.kept < keep:
            return False
        self._spared.add(endpoint, torrent)
        return True
