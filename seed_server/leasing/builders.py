"""Who of a site has bytes of a former version, so that a torrent's pieces can be coded by them. Pure.

What they are sent takes a part of the line, and from them the others get it whole: so they fetch first, and alone. It
is believed for the time being: who cannot make a piece of it says so, and is no builder any more.
"""

from collections.abc import Callable, Iterable

from p2pdist.shared.identifiers import EndpointId, TorrentHash

BUILDS_AHEAD = 4  # times as many pieces may be sent to a builder and not confirmed: each takes a tenth of the line

NO_BUILDERS = frozenset[EndpointId]()
AWAITED_SECONDS = 1.5  # PCs hear of a publication within a second, and say first what they have of a former version


class Builders:
    """Those of one site."""

    def __init__(self) -> None:
        self.are_awaited: Callable[[TorrentHash], bool] = lambda _: False
        """Returns whether somebody may build it: there is a former version. Then its first pieces wait for a moment."""
        self._builds: dict[EndpointId, frozenset[TorrentHash]] = {}
        self.of_torrent: dict[TorrentHash, set[EndpointId]] = {}
        """The builders of each torrent that has any; others only read it."""

    def say(self, endpoint: EndpointId, torrents: Iterable[TorrentHash]) -> bool:
        """Let ``endpoint`` be a builder of exactly these; return whether that is news."""
        before, now = self._builds.get(endpoint, frozenset()), frozenset(torrents)
        for torrent in before - now:
            self.of_torrent[torrent].discard(endpoint)
            if not self.of_torrent[torrent]:
                del self.of_torrent[torrent]
        for torrent in now - before:
            self.of_torrent.setdefault(torrent, set()).add(endpoint)
        if now:
            self._builds[endpoint] = now
        else:
            self._builds.pop(endpoint, None)
        return now != before

    def any_of(self, endpoint: EndpointId) -> bool:
        """Whether an endpoint is a builder of anything."""
        return endpoint in self._builds
