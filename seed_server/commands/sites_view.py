"""What `seed-server sites` shows: how fast each site is sent to, what binds, for how long."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.text import Text

from bandwidth.core.quantities import age_text, bytes_text, rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import RateChart
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.tables import SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from p2pdist.shared.watching import WATCH_SECONDS, is_live, show
from seed_server.answers.site_documents import sites_document
from seed_server.commands.texts import problem_lines
from seed_server.fleet.context import Context
from seed_server.fleet.problems import FleetProblem
from seed_server.fleet.sites import SitesStatus, SiteStatus, read_sites
from seed_server.store.rows import SiteLimitRow

CHARTS_SHOWN = 3  # more would not fit on a screen
DATED_SECONDS = 60.0  # what was learned of a line is dated from this age on
LARGE_PACKETS_NOTE = "full packets do not get through, and smaller ones are used"
LARGE_PACKETS_HINT = (
    "A link on the way has a smaller MTU, and what its router says about that is dropped: let ICMP 'fragmentation "
    "needed' through, or set the MTU."
)
PAUSED_NOTE = "no piece is leased for a while, because business suffered while we sent"
PAUSED_HINT = (
    "It goes on by itself. If it pauses again, set the line's rate in sites.toml, or a cap in the site's profile; "
    "a boost sends all the same."
)
SHARED_IDENTITIES_NOTE = "several PCs show one identity"
REASONS_SHOWN = 4  # of a site, the longest ones; --json has all
TABLE_COLUMNS = 80  # of a pipe, which has no width of its own: sentences of any length stand below the table


def site_tables(
    sites: Sequence[SiteStatus],
    now: float,
    *,
    serving: bool,
    problems: Sequence[FleetProblem] = (),
) -> RenderableType:
    """Return the table for people."""
    parts: list[RenderableType] = [*problem_lines(problems)]
    if not sites:
        return Group(*parts, Text(tr("Nothing has been sent to any site yet.")))
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS, folds=True)
    table.column(tr("rate"), right=True)
    table.column(tr("line"), tr("learned"), right=True)
    table.column(tr("fetchers"), tr("yielded"), tr("÷ file"), right=True)
    table.sentences(tr("because"), tr("time under each reason"))
    for site in sites:
        limit = site.limit
        active = limit.active and serving
        reason = Text(in_words(limit.reason))
        if not active:  # of then, and not what holds now
            reason = Text(tr("last: {reason}", reason=reason.plain), style="dim")
        spent = _times(limit)
        times = tr(" ({times})", times=spent) if spent else ""
        table.row(
            limit.site,
            Text(rate_text(limit.rate), style="green") if active else Text(tr("quiet"), style="dim"),
            tr("not known") if limit.capacity is None else rate_text(limit.capacity),
            _learned(limit, now),
            tr("{number} of {all}", number=limit.fetchers, all=limit.endpoints),
            span(limit.yield_seconds),
            "–" if site.origin_ratio is None else f"{site.origin_ratio:.3f}",
            sentences=(reason, spent),
            below=Text.assemble((f"{limit.site}: ", "bold" if active else "dim"), reason, (times, "dim")),
        )
    total = sum(site.limit.rate for site in sites if site.limit.active) if serving else 0
    sent = sum(site.wan_bytes for site in sites)
    head = tr(
        "{rate} to all sites now, {size} of what is published so far", rate=rate_text(total), size=bytes_text(sent)
    )
    head = head if serving else tr("The seed server is NOT serving.")
    return Group(*parts, Text(head), table, *_notes(sites, now))


def _notes(sites: Sequence[SiteStatus], now: float) -> Iterator[Text]:
    """Return what a person has to put right at the sites."""
    if paused := [site.limit.site for site in sites if site.limit.harm is not None and site.limit.harm.ends_at > now]:
        note = tr("{note}: {sites}. {hint}", note=tr(PAUSED_NOTE), sites=", ".join(paused), hint=tr(PAUSED_HINT))
        yield Text(note, style="yellow")
    if lost := [site.limit.site for site in sites if site.limit.large_packets_lost]:
        note = tr(
            "{note}: {sites}. {hint}", note=tr(LARGE_PACKETS_NOTE), sites=", ".join(lost), hint=tr(LARGE_PACKETS_HINT)
        )
        yield Text(note, style="yellow")
    if shared := [site.limit.site for site in sites if site.shared_identities]:
        note = tr(
            "{note}: {sites}; see seed-server endpoints", note=tr(SHARED_IDENTITIES_NOTE), sites=", ".join(shared)
        )
        yield Text(note, style="red")


def _learned(limit: SiteLimitRow, now: float) -> str:
    """Return when what the line carries was learned: in few cells, so that each site has one line of facts."""
    if limit.capacity is None:
        return "–"
    if limit.configured:
        return tr("configured")
    if limit.learned_at is None:  # recorded before that was kept
        return tr("undated")
    age = now - limit.learned_at
    return tr("just now") if age < DATED_SECONDS else tr("{duration} ago", duration=in_words(age_text(age)))


def _times(limit: SiteLimitRow) -> str:
    longest = sorted(limit.seconds.items(), key=lambda item: -item[1])
    parts = [
        tr("{duration} {reason}", duration=span(seconds), reason=in_words(cause))
        for cause, seconds in longest[:REASONS_SHOWN]
        if seconds >= 1
    ]
    return tr(", ").join(parts)


class SiteCharts:
    """Charts for `--watch`: the rates of the sites that are sent to."""

    def __init__(self) -> None:
        self._charts: dict[str, RateChart] = {}

    def of(self, sites: Sequence[SiteStatus]) -> list[RenderableType]:
        """Record the rates of now, and return the charts of the busiest sites."""
        rates: dict[str, int] = {}
        for limit in (site.limit for site in sites if site.limit.active or site.limit.site in self._charts):
            rate = rates[limit.site] = limit.rate if limit.active else 0  # an idle site keeps its last rate
            line = None if limit.capacity is None else BytesPerSecond(limit.capacity)
            self._charts.setdefault(limit.site, RateChart(limit.site, look_seconds=WATCH_SECONDS)).add(
                BytesPerSecond(rate), line
            )
        self._charts = {name: self._charts[name] for name in rates if not self._charts[name].is_flat}
        busiest = sorted(self._charts, key=lambda name: -rates[name])[:CHARTS_SHOWN]
        return [part for name in busiest for part in ("", self._charts[name])]


def show_sites(context: Context, *, as_json: bool, watch: bool) -> None:
    """Print the sites once, or repeatedly until Ctrl-C. Raises `UserError`."""
    charts = SiteCharts() if is_live(as_json=as_json, watch=watch) else None

    in_pipe = not wide_terminal().is_terminal

    def view(answer: SitesStatus, _columns: int) -> RenderableType:
        table = site_tables(answer.sites, context.clock.now(), serving=answer.serving, problems=answer.problems)
        if in_pipe:
            return Constrain(table, TABLE_COLUMNS)
        return Group(table, *(charts.of(answer.sites) if charts and answer.serving else []))

    show(
        lambda: read_sites(context),
        lambda answer: sites_document(
            answer.sites, context.clock.now(), serving=answer.serving, problems=answer.problems
        ),
        view,
        as_json=as_json,
        watch=watch,
    )
