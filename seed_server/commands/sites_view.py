"""What `seed-server sites` shows: how fast each site is sent to, what binds, for how long. Reads the database alone."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import RateChart
from bandwidth.profiles.values import rate_label
from p2pdist.shared.console import human_bytes, human_seconds
from p2pdist.shared.watching import is_live, show
from seed_server.service import is_serving
from seed_server.settings import ServerHome, load_settings
from seed_server.store.database import Database, ServedPayload, SiteLimitRow

CHARTS_SHOWN = 3  # more would not fit on a screen
REASONS_SHOWN = 4  # of a site, the longest ones; --json has all


@dataclass(frozen=True)
class SiteView:
    """One site: its limit, and what has gone there."""

    limit: SiteLimitRow
    wan_bytes: int
    file_bytes: int
    """Of the patches that anything of has been sent there."""

    @property
    def origin_ratio(self) -> float | None:
        """WAN bytes ÷ file."""
        return self.wan_bytes / self.file_bytes if self.file_bytes else None

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints; rates are bytes per second on the line, times seconds."""
        limit = self.limit
        return {
            "site": limit.site,
            "active": limit.active,
            "endpoints": limit.endpoints,
            "fetchers": limit.fetchers,
            "rate": limit.rate if limit.active else 0,
            "capacity": limit.capacity,
            "capacity_is": "configured" if limit.configured else "learned" if limit.capacity else "unknown",
            "state": limit.state,
            "reason": limit.reason,
            "seconds": limit.seconds,
            "yield_seconds": limit.yield_seconds,
            "sending_seconds": limit.sending_seconds,
            "wan_bytes": self.wan_bytes,
            "file_bytes": self.file_bytes,
            "origin_ratio": None if self.origin_ratio is None else round(self.origin_ratio, 4),
            "at": limit.at,
        }


def site_views(
    limits: list[SiteLimitRow], patches: list[ServedPayload], wan: dict[tuple[str, str], int]
) -> list[SiteView]:
    """Join what is known of each site; what is sent to comes first."""
    lengths = {patch.torrent_hash: patch.length_bytes for patch in patches}
    sent: dict[str, tuple[int, int]] = {}
    for (site, torrent), count in wan.items():
        if torrent in lengths:
            before = sent.get(site, (0, 0))
            sent[site] = (before[0] + count, before[1] + lengths[torrent])
    views = [SiteView(limit, *sent.get(limit.site, (0, 0))) for limit in limits]
    return sorted(views, key=lambda view: (not view.limit.active, view.limit.site))


def as_text(views: list[SiteView], *, serving: bool) -> RenderableType:
    """Return the table for people."""
    if not views:
        return Text("Nothing has been sent to any site yet.")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("site", no_wrap=True)
    for column in ("rate", "line"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("because", overflow="fold")
    for column in ("fetchers", "yielded", "÷ file"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("time under each reason", overflow="fold")
    for view in views:
        limit = view.limit
        active = limit.active and serving
        line = "not known" if limit.capacity is None else rate_label(BytesPerSecond(limit.capacity))
        table.add_row(
            limit.site,
            Text(rate_label(BytesPerSecond(limit.rate)), style="green") if active else Text("quiet", style="dim"),
            line if limit.configured or limit.capacity is None else f"{line}, learned",
            Text(limit.reason, style="" if active else "dim"),
            f"{limit.fetchers} of {limit.endpoints}",
            human_seconds(limit.yield_seconds),
            "–" if view.origin_ratio is None else f"{view.origin_ratio:.3f}",
            _times(limit),
        )
    total = sum(view.limit.rate for view in views if view.limit.active) if serving else 0
    sent = sum(view.wan_bytes for view in views)
    head = f"{rate_label(BytesPerSecond(total))} to all sites now, {human_bytes(sent)} of what is published so far"
    return Group(Text(head if serving else "The seed server is NOT serving."), table)


def _times(limit: SiteLimitRow) -> str:
    longest = sorted(limit.seconds.items(), key=lambda item: -item[1])
    parts = [f"{human_seconds(seconds)} {cause}" for cause, seconds in longest[:REASONS_SHOWN] if seconds >= 1]
    return ", ".join(parts)


class SiteCharts:
    """The rates of the sites that are sent to, while somebody watches."""

    def __init__(self) -> None:
        self._charts: dict[str, RateChart] = {}

    def of(self, views: list[SiteView]) -> list[RenderableType]:
        """Take one look, and return the charts of the busiest sites."""
        rates: dict[str, int] = {}
        for limit in (view.limit for view in views if view.limit.active or view.limit.site in self._charts):
            rate = rates[limit.site] = limit.rate if limit.active else 0  # else it is the last one there was
            line = None if limit.capacity is None else BytesPerSecond(limit.capacity)
            self._charts.setdefault(limit.site, RateChart(limit.site)).add(BytesPerSecond(rate), line)
        self._charts = {site: self._charts[site] for site in rates if not self._charts[site].is_flat}
        busiest = sorted(self._charts, key=lambda site: -rates[site])[:CHARTS_SHOWN]
        return [part for site in busiest for part in ("", self._charts[site])]


def show_sites(home: ServerHome, *, as_json: bool, watch: bool) -> None:
    """Print the sites once, or again and again until Ctrl-C. Raises `UserError`."""
    load_settings(home)
    charts = SiteCharts() if is_live(as_json=as_json, watch=watch) else None

    def ask() -> tuple[list[SiteView], bool]:
        with Database.open(home.database) as database:
            views = site_views(database.site_limits(), database.payloads(), database.wan_bytes())
        return views, is_serving(home)

    def document(answer: tuple[list[SiteView], bool]) -> dict[str, Any]:
        views, serving = answer
        return {"serving": serving, "sites": [view.as_json() for view in views]}

    def view(answer: tuple[list[SiteView], bool], _columns: int) -> RenderableType:
        views, serving = answer
        return Group(as_text(views, serving=serving), *(charts.of(views) if charts and serving else []))

    show(ask, document, view, as_json=as_json, watch=watch)
