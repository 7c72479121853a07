"""Who of a site has bytes of a former version, so that a torrent's pieces can be coded by them. Pure.

What they are sent takes a part of the line, and from them the others get it whole: so they fetch first, and alone. It
is believed for the time being: who cannot make a piece of it says so, and is no builder any more.
"""

from collections.abc import Collection, Iterable

from p2pdist.shared.identifiers import EndpointId, TorrentHash

BUILDS_AHEAD = 4  # times as many pieces may be sent to a builder and not confirmed: each takes a tenth of the line


class Builders:
    """Those of one site."""

    def __init__(self) -> None:
        self._builds: dict[EndpointId, frozenset[TorrentHash]] = {}
        self._of: dict[TorrentHash, set[EndpointId]] = {}

    def say(self, endpoint: EndpointId, torrents: Iterable[TorrentHash]) -> bool:
        """Let ``endpoint`` be a builder of exactly these; return whether that is news."""
        before, now = self._builds.get(endpoint, frozenset()), frozenset(torrents)
        for torrent in before - now:
            self._of[torrent].discard(endpoint)
        for torrent in now - before:
            self._of.setdefault(torrent, set()).add(endpoint)
        if now:
            self._builds[endpoint] = now
        else:
            self._builds.pop(endpoint, None)
        return now != before

    def of(self, torrent: TorrentHash) -> Collection[EndpointId]:
        """Return the builders of a torrent: a view, for as long as it is kept."""
        return self._of.setdefault(torrent, set())

    def any_of(self, endpoint: EndpointId) -> bool:
        """Whether an endpoint is a builder of anything."""
        return endpoint in self._builds
