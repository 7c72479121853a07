"""What is known of every site's line: kept while the server runs, and begun with what an earlier run has left."""

from collections import OrderedDict
from collections.abc import Iterable

from bandwidth.core.states import Reason
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import SiteName
from seed_server.line.site_map import Site
from seed_server.line.site_rate import SiteRate
from seed_server.line.site_times import SiteTimes
from seed_server.origin.limit_rows import remembered_harm, remembered_line
from seed_server.store.rows import SiteLimitRow

MAX_KNOWN_LINES = 20_000  # sites of the map and automatic ones; a line that is forgotten is learned anew
_CAUSES = frozenset(reason.value for reason in Reason)


class KnownLines:
    """The `SiteRate` of each site; ``now`` is trio's clock."""

    def __init__(self, clock: Clock) -> None:
        """``clock``: tells how old a memory is, whatever the time between two runs."""
        self._clock = clock
        self._rates: OrderedDict[SiteName, SiteRate] = OrderedDict()
        self._remembered: dict[str, SiteLimitRow] = {}

    def remember(self, rows: Iterable[SiteLimitRow]) -> None:
        """Begin with what an earlier run has recorded of each site; call it first."""
        newest = sorted(rows, key=lambda row: -row.at)[:MAX_KNOWN_LINES]
        self._remembered = {row.site: row for row in newest}

    def rate(self, site: Site, now: float) -> SiteRate:
        """Return what is known of a site's line, also from when the site last had endpoints."""
        rate = self._rates.get(site.name)
        if rate is None:
            rate = self._rates[site.name] = self._begun(site, now)
        rate.set_line(site.line)
        self._rates.move_to_end(site.name)
        while len(self._rates) > MAX_KNOWN_LINES:
            self._rates.popitem(last=False)
        return rate

    def known(self, site: SiteName) -> SiteRate | None:
        """Return what is known of a site's line; None: it has had no endpoint since the start."""
        return self._rates.get(site)

    def _begun(self, site: Site, now: float) -> SiteRate:
        row = self._remembered.pop(site.name, None)
        if row is None:
            return SiteRate(site.line, now)
        wall_clock = self._clock.now()
        # endpoints are told these, and know so many reasons as there are now: an older server may have had others
        seconds = {cause: spent for cause, spent in row.seconds.items() if cause in _CAUSES}
        times = SiteTimes(seconds, row.yield_seconds)
        rate = SiteRate(site.line, now, memory=remembered_line(row, wall_clock), times=times)
        rate.harm.bound = remembered_harm(row, now, wall_clock)
        return rate
