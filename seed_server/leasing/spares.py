"""Whether a site can spare an endpoint's copy of a torrent. Pure."""

from collections.abc import Collection

from p2pdist.shared.identifiers import EndpointId
from seed_server.leasing.holdings import ServedTorrent, SiteHoldings

KEPT_COPIES = 2  # while somebody lacks it: a PC may be switched off at any time
KEPT_FOR_NEWCOMERS = 1  # while nobody does


class SparedCopies:
    """Who of one site has given up which torrents to make room: it lacks none of them."""

    def __init__(self) -> None:
        self._spared = SiteHoldings()

    def may_spare(
        self,
        endpoint: EndpointId,
        torrent: ServedTorrent,
        *,
        holders: Collection[EndpointId],
        lacking: Collection[EndpointId],
        others: int,
    ) -> bool:
        """Return whether ``endpoint`` may give its copy up; if so, it is noted.

        ``holders`` have all of it and are connected, ``lacking`` are connected and want it; ``others`` belong to the
        site, connected or not, besides ``endpoint``: those of whom nothing is known lack it.
        """
        holding = {other for other in holders if other != endpoint}
        done = {other for other in self._spared.of(torrent) if other != endpoint and other not in lacking}
        somebody_lacks = bool(set(lacking) - {endpoint}) or len(holding | done) < others
        keep = 0 if not others else KEPT_COPIES if somebody_lacks else KEPT_FOR_NEWCOMERS
        if len(holding) < keep:
            return False
        self._spared.add(endpoint, torrent)
        return True
