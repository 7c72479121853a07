"""Runs as tables and pictures."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from bandwidth.commands.console import plain_table
from bandwidth.commands.json_answers import Passing, RunFigures, SimulatedSecond
from bandwidth.core.quantities import bytes_text
from bandwidth.core.states import Reason, State
from bandwidth.core.units import MBIT
from bandwidth.pictures.plot import Pen, PlotLine
from bandwidth.pictures.run_charts import Band, Figures, Panel, Row, ShadedStretch, comparison_svg, time_series_svg
from bandwidth.profiles.resolve import EffectiveLimit
from bandwidth.simulator import figures
from bandwidth.simulator.scenario import Metrics, Result, Scenario

TABLE_ROWS = 24  # of seconds, at most: with the figures below, a run fits a screen
BAND_BUCKETS = 440  # stretches of the band of reasons: two dots each
STATE_FROM_WIDTH = 96  # columns of a terminal in which the limiter's state has room, too

_FILLS = {  # blue: sending; yellow to red: out of the way; grey: not ours to decide
    Reason.AT_CAPACITY: "#0b5cad",
    Reason.RAMPING: "#56b4e9",
    Reason.LEARNING: "#b8dcf3",
    Reason.APPLICATION_LIMITED: "#e4e7eb",
    Reason.BUSINESS_LOAD: "#f7d070",
    Reason.QUEUE: "#e69f00",
    Reason.PERSISTENT_QUEUE: "#b3402a",
    Reason.BUSINESS_BULK: "#d55e00",
    Reason.LOSS: "#7a5c00",
    Reason.HARM: "#cc79a7",
    Reason.PAUSE: "#009e73",
    Reason.NO_SIGNALS: "#1f2933",
    Reason.CEILING: "#7b8794",
    Reason.BLACKOUT: "url(#stopped)",
}
_OTHER_FILL = "#c9b3e6"  # of a reason that has no colour of its own yet
PATCHES, BUSINESS = Pen("patches", "#0b5cad"), Pen("business", "#d55e00")
ALLOWED = Pen("allowed by the limiter", "#52606d", "5 3")
CEILING = Pen("profile's ceiling", "#009e73", "1.5 2.5")
WITH_PATCHES, ALONE = Pen("with patches", "#0b5cad"), Pen("business alone", "#52606d", "5 3")


# --- one run ---------------------------------------------------------------------------------


def seconds_table(result: Result, limits: Sequence[EffectiveLimit], every: int, width: int) -> Table:
    """Return the run in stretches of ``every`` seconds: mean rates, the longest queue, and why."""
    wide = width >= STATE_FROM_WIDTH
    table = plain_table("from\ns", "patches\nMbit/s", "business\nMbit/s", "allowed\nMbit/s", "queue\np95 ms")
    table.columns[0].justify = "right"
    for column in ("state", "why") if wide else ("why",):
        table.add_column(column, no_wrap=True)
    together = result.together
    for start in range(0, len(together.scavenger_rate), every):
        end = min(start + every, len(together.scavenger_rate))
        decided = figures.during(together, start, end)
        allowed, state, why = ("", "", "") if decided is None else _told(decided)
        cells = [
            str(start),
            figures.mbit(_mean(together.scavenger_rate[start:end])),
            figures.mbit(_mean(together.business_rate[start:end])),
            allowed,
            figures.ms(max(together.queue_seconds[start:end])),
        ]
        stopped = any(limit.blackout for limit in limits[start:end])
        table.add_row(*cells, *((state,) if wide else ()), Text(why, style="red" if stopped else ""))
    return table


def _told(decided: tuple[float, State, Reason]) -> tuple[str, str, str]:
    allowance, state, reason = decided
    return figures.mbit(allowance), state.value, reason.value


def harm_table(result: Result) -> Table:
    """Return what business gets alone and with patches."""
    table = plain_table(*figures.HARM_HEADING)
    for row in figures.harm(result):
        table.add_row(*row)
    return table


def use_table(result: Result) -> Table:
    """Return what patches got, and for how much of the time the limiter acted for which reason."""
    table = plain_table("", "")
    table.show_header = False
    for row in figures.use(result):
        table.add_row(*row)
    for reason, seconds in figures.reason_seconds(result.together, result.scenario.duration_seconds).items():
        table.add_row(f"time for: {reason.value}", f"{seconds:.1f} s")
    return table


def passing_words(passing: Passing) -> str:
    """Return how much passes in a night, and when a file is there."""
    night = f"{_clock(passing.night_begins)} to {_clock(passing.night_ends)}"
    there = passing.file_there_at
    when = "is not there within a week" if there is None else f"is there at {_clock(there)}"
    return (
        "By the profile and the line alone, if nobody else used it:\n"
        f"  {bytes_text(passing.night_bytes)} in the night from {night}\n"
        f"  a file of {bytes_text(passing.file_bytes)} {when}"
    )


def _clock(text: str) -> str:
    return f"{datetime.fromisoformat(text):%a %Y-%m-%d %H:%M}"


def rows_every(seconds: int) -> int:
    """Return a round number of seconds for a row of the table."""
    return next(every for every in (1, 2, 5, 10, 20, 30, 60, 120, seconds) if seconds <= every * TABLE_ROWS)


def run_figures(result: Result) -> RunFigures:
    """Return the figures of ``result`` for `--json`."""
    together = result.together
    calls, pages = figures.has_calls(result), figures.has_pages(result)
    return RunFigures(
        business_keeps=round(result.business_keeps, 4),
        voip_added_p95_seconds=round(result.voip_added_p95, 5) if calls else None,
        voip_added_p99_seconds=round(result.voip_added_p99, 5) if calls else None,
        page_growth_p50=round(result.page_growth(0.5), 4) if pages else None,
        page_growth_p95=round(result.page_growth(0.95), 4) if pages else None,
        queue_p95_seconds=round(together.queue_p95, 5),
        queue_alone_p95_seconds=round(result.alone.queue_p95, 5),
        idle_use=round(together.idle_use, 4),
        spare_captured=round(result.spare_captured, 4) if figures.has_spare(result) else None,
        yield_seconds=figures.longest(together.yield_seconds),
        yields_missed=sum(map(math.isinf, together.yield_seconds)),
        regain_seconds=figures.longest(together.regain_seconds),
        regains_missed=sum(map(math.isinf, together.regain_seconds)),
    )


def simulated_seconds(result: Result, limits: Sequence[EffectiveLimit]) -> Iterator[SimulatedSecond]:
    """Yield each second of a run, for `--json`."""
    together = result.together
    for second, rate in enumerate(together.scavenger_rate):
        decided = figures.during(together, second, second + 1)
        limit = limits[second] if second < len(limits) else None
        yield SimulatedSecond(
            second=second,
            patches=round(rate),
            business=round(together.business_rate[second]),
            business_alone=round(result.alone.business_rate[second]),
            allowed=None if decided is None else round(decided[0]),
            ceiling=None if limit is None else limit.rate,
            queue_p95_seconds=round(together.queue_seconds[second], 5),
            queue_alone_p95_seconds=round(result.alone.queue_seconds[second], 5),
            state=None if decided is None else decided[1],
            reason=None if decided is None else decided[2],
        )


def run_svg(title: str, subtitle: str, result: Result, limits: Sequence[EffectiveLimit]) -> str:
    """Return the run as a picture: rates, queue, reasons, figures."""
    together = result.together
    seconds = range(len(together.scavenger_rate))
    decided = [(second, figures.during(together, second, second + 1)) for second in seconds]
    allowed = [(second + 0.5, found[0] / MBIT) for second, found in decided if found is not None]
    ceilings = [
        (second + 0.5, limit.rate / MBIT)
        for second, limit in zip(seconds, limits, strict=False)  # the profile is asked for the last moment, too
        if limit.rate is not None
    ]
    rates = [*_rates(together), PlotLine(ALLOWED, allowed)]
    if ceilings:
        rates.append(PlotLine(CEILING, ceilings))
    heading = tuple(figures.HARM_HEADING)
    rows = [*figures.harm(result), *((name, "", words, "") for name, words in figures.use(result))]
    return time_series_svg(
        title,
        [
            Panel("rate, Mbit/s", rates, highest=result.scenario.line_mbit),
            Panel("queue delay, ms (p95 of each second)", _queues(result)),
        ],
        subtitle=subtitle,
        band=_band(together, result.scenario),
        figures=Figures(heading, rows),
    )


def _band(metrics: Metrics, scenario: Scenario) -> Band | None:
    spent = figures.reason_seconds(metrics, scenario.duration_seconds)
    if not spent:
        return None
    stretches: list[ShadedStretch] = []
    size = scenario.duration_seconds / BAND_BUCKETS
    buckets: list[Counter[Reason]] = [Counter() for _ in range(BAND_BUCKETS)]
    for start, _, decision in figures.held(metrics, scenario.duration_seconds):
        buckets[min(BAND_BUCKETS - 1, int(start / size))][decision.reason] += 1
    for index, bucket in enumerate(buckets):
        name = bucket.most_common(1)[0][0].value if bucket else stretches[-1].name if stretches else ""
        if stretches and stretches[-1].name == name:
            stretches[-1] = ShadedStretch(stretches[-1].start, (index + 1) * size, name)
        elif name:
            stretches.append(ShadedStretch(index * size, (index + 1) * size, name))
    legend = [
        (reason.value, _FILLS.get(reason, _OTHER_FILL), f"{reason.value}, {seconds:.1f} s")
        for reason, seconds in spent.items()
    ]
    return Band("why", stretches, legend)


# --- several runs ----------------------------------------------------------------------------


def comparison_table(results: Sequence[tuple[str, Result]]) -> Table:
    """Return a row for each run."""
    table = plain_table(*figures.COMPARED, gap=1)
    for name, result in results:
        table.add_row(*figures.compared(name, result), style="bold" if name == "ours" else "")
    return table


def comparison_picture(title: str, subtitle: str, results: Sequence[tuple[str, Result]]) -> str:
    """Return small multiples: a row for each run, rates beside the queue."""
    rows = []
    for name, result in results:
        rate = Panel("rate, Mbit/s", _rates(result.together), highest=result.scenario.line_mbit)
        queue = Panel("queue delay, ms", _queues(result))
        rows.append(Row(name, figures.in_a_line(result), [rate, queue]))
    return comparison_svg(title, subtitle, rows)


def _rates(metrics: Metrics) -> list[PlotLine]:
    return [
        PlotLine(PATCHES, _each(metrics.scavenger_rate, 1 / MBIT)),
        PlotLine(BUSINESS, _each(metrics.business_rate, 1 / MBIT)),
    ]


def _queues(result: Result) -> list[PlotLine]:
    return [
        PlotLine(WITH_PATCHES, _each(result.together.queue_seconds, 1_000)),
        PlotLine(ALONE, _each(result.alone.queue_seconds, 1_000)),
    ]


def _each(values: Sequence[float], factor: float) -> list[tuple[float, float]]:
    """Return a point for each second, at its middle."""
    return [(second + 0.5, value * factor) for second, value in enumerate(values)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
