"""The targets, and what the runs show for each. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from bench.lab import scenarios as names
from bench.lab.records import Record
from bench.lab.scenarios import OURS

MB = 1_000_000


class SummaryRow(msgspec.Struct, frozen=True):
    """One target."""

    metric: str
    target: str
    measured: str | None
    """In words; None: not run."""
    met: bool | None


@dataclass(frozen=True, slots=True)
class Target:
    """A number of one scenario of ours, and its bound."""

    metric: str
    scenario: str
    value: Callable[[Record], float | None]
    bound: float
    unit: str = ""
    at_least: bool = False

    def row(self, records: Sequence[Record]) -> SummaryRow:
        """Return what the runs show; a run that this machine limited shows nothing."""
        sign = "≥" if self.at_least else "≤"
        wanted = f"{sign} {self.bound:g}{self.unit}"
        record = find(records, self.scenario)
        if record is None:
            return SummaryRow(self.metric, wanted, None, None)
        if record.processor_was_the_limit:
            return SummaryRow(self.metric, wanted, "void: the processor was the limit", None)
        value = self.value(record)
        if value is None:
            return SummaryRow(self.metric, wanted, "never", met=False)
        met = value >= self.bound if self.at_least else value <= self.bound
        return SummaryRow(self.metric, wanted, f"{value:.3g}{self.unit}", met)


def find(records: Sequence[Record], scenario: str, method: str = OURS) -> Record | None:
    """Return the last run of a scenario by a method."""
    return next((each for each in reversed(records) if (each.scenario, each.method) == (scenario, method)), None)


# --- numbers of a run; None: there is no such number ---------------------------------------------


def wan_ratio(record: Record) -> float | None:
    """Return bytes over the line ÷ file, if all PCs got the file."""
    return record.wan_ratio if record.finished else None


def kept_percent(record: Record) -> float | None:
    """Return the part of its rate alone that a download keeps, in percent."""
    alone, beside = record.alone, record.beside
    if not (alone and beside and alone.download_mbit and beside.download_mbit is not None):
        return None
    return 100 * beside.download_mbit / alone.download_mbit


def call_added_ms(record: Record) -> float | None:
    """Return by how much a call's p95 delay grows."""
    if not (record.alone and record.beside and record.alone.call and record.beside.call):
        return None
    return record.beside.call.p95_ms - record.alone.call.p95_ms


def page_median_percent(record: Record) -> float | None:
    """Return by how much the median page takes longer."""
    if not (record.alone and record.beside and record.alone.pages and record.beside.pages):
        return None
    return _growth(record.alone.pages.median_ms, record.beside.pages.median_ms)


def page_p95_percent(record: Record) -> float | None:
    """Return by how much the slow pages take longer."""
    if not (record.alone and record.beside and record.alone.pages and record.beside.pages):
        return None
    return _growth(record.alone.pages.p95_ms, record.beside.pages.p95_ms)


def _growth(before: float, after: float) -> float | None:
    return 100 * (after / before - 1) if before and after else None


def _rss_sharing(record: Record) -> float | None:
    return record.footprint.rss_sharing_bytes / MB if record.footprint else None


def _rss_idle(record: Record) -> float | None:
    return record.footprint.rss_idle_bytes / MB if record.footprint else None


def _cpu_idle(record: Record) -> float | None:
    return 100 * record.footprint.cpu_idle_share if record.footprint else None


TARGETS = (
    Target("WAN bytes ÷ file, one branch", names.IDLE_LINE, wan_ratio, 1.02),
    Target("WAN bytes ÷ file, 20 endpoints", names.TWENTY, wan_ratio, 1.02),
    Target("WAN bytes ÷ file, an endpoint killed mid-way", names.KILLED, wan_ratio, 1.05),
    Target("WAN bytes ÷ file, the seed server restarted", names.RESTARTED, wan_ratio, 1.05),
    Target("last endpoint verified ÷ line limit, idle line", names.IDLE_LINE, lambda r: r.time_ratio, 1.12),
    Target("CUBIC download of an unmanaged PC keeps", names.BESIDE_CUBIC, kept_percent, 98, " %", at_least=True),
    Target("call: p95 added", names.BESIDE_CALL, call_added_ms, 8, " ms"),
    Target("web page: median longer by", names.BESIDE_WEB, page_median_percent, 5, " %"),
    Target("web page: p95 longer by", names.BESIDE_WEB, page_p95_percent, 10, " %"),
    Target("back to 90 % of the line after business", names.BESIDE_CUBIC, lambda r: r.regained_seconds, 5, " s"),
    Target("the same after a yield of 60 s", names.LONG_YIELD, lambda r: r.regained_seconds, 5, " s"),
    Target(
        "two branches, one uplink: apart by", names.TWO_BRANCHES,
        lambda r: 100 * r.branch_gap if r.finished else None, 5, " %",
    ),
    Target("two branches, one uplink: uplink used", names.TWO_BRANCHES,
           lambda r: 100 * r.uplink_use if r.uplink_use is not None else None, 90, " %", at_least=True),
    Target("line drops to 5 Mbit/s: queue above 50 ms", names.LINE_DROPS, lambda r: r.high_queue_seconds, 1, " s"),
    Target("LAN-limited: last endpoint ÷ (file ÷ rate)", names.LAN_LIMITED, lambda r: r.time_ratio, 1.35),
    Target("LAN-limited: WAN bytes ÷ file", names.LAN_LIMITED, wan_ratio, 1.02),
    Target("LAN-limited: business on one PC keeps", names.LAN_BUSINESS, kept_percent, 95, " %", at_least=True),
    Target("daemon idle: memory", names.LAN_LIMITED, _rss_idle, 90, " MB"),
    Target("daemon idle: processor", names.LAN_LIMITED, _cpu_idle, 0.3, " %"),
    Target("daemon sharing 100 Mbit/s: memory", names.LAN_LIMITED, _rss_sharing, 150, " MB"),
)  # fmt: skip

STALL_SECONDS = 5.0
CALL_BESIDE_CUBIC_MS = 8.0


def other_line_row(words: str, records: Sequence[Record]) -> SummaryRow:
    """Return whether a line of another kind finishes without a stall, with the harm of the usual one."""
    metric, target = f"{words}: no stall, harm as above", "finishes, no stall; keeps ≥ 98 %, call ≤ 8 ms more"
    idle, beside = find(records, f"{words}: idle"), find(records, f"{words}: beside CUBIC and a call")
    if idle is None or beside is None:
        return SummaryRow(metric, target, None, None)
    if idle.processor_was_the_limit or beside.processor_was_the_limit:
        return SummaryRow(metric, target, "void: the processor was the limit", None)
    kept, added = kept_percent(beside), call_added_ms(beside)
    stall = max(idle.longest_stall_seconds, beside.longest_stall_seconds)
    finished = idle.finished and beside.finished
    words = f"{'finishes' if finished else 'does not finish'}, stall {stall:.1f} s, keeps {_text(kept)} %, "
    words += f"call {_text(added)} ms more"
    harmless = kept is not None and kept >= 98 and added is not None and added <= CALL_BESIDE_CUBIC_MS
    return SummaryRow(metric, target, words, met=finished and stall <= STALL_SECONDS and harmless)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The numbers of a method that are compared; None: it has no such number, which is worse than any."""

    method: str
    wan_ratio: float | None
    time_ratio: float | None
    kept_percent: float | None
    call_added_ms: float | None
    page_percent: float | None


def standing(records: Sequence[Record], method: str) -> Standing:
    """Return a method's numbers from its runs."""

    def of(scenario: str, value: Callable[[Record], float | None]) -> float | None:
        record = find(records, scenario, method)
        return value(record) if record is not None and not record.processor_was_the_limit else None

    return Standing(
        method,
        of(names.IDLE_LINE, wan_ratio),
        of(names.IDLE_LINE, lambda record: record.time_ratio),
        of(names.BESIDE_CUBIC, kept_percent),
        of(names.BESIDE_CALL, call_added_ms),
        of(names.BESIDE_WEB, page_median_percent),
    )


def is_ahead(ours: Standing, rival: Standing) -> bool:
    """Whether ours is better in WAN bytes, time and every harm at once."""
    pairs = [
        (ours.wan_ratio, rival.wan_ratio),
        (ours.time_ratio, rival.time_ratio),
        (_negative(ours.kept_percent), _negative(rival.kept_percent)),
        (ours.call_added_ms, rival.call_added_ms),
        (ours.page_percent, rival.page_percent),
    ]
    return all(own is not None and (other is None or own < other) for own, other in pairs)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def ahead_row(records: Sequence[Record], rivals: Sequence[str]) -> SummaryRow:
    """Return whether ours is ahead of every alternative that was run."""
    metric, target = "ahead of every alternative in WAN bytes, harm and time at once", "all"
    run = [rival for rival in rivals if find(records, names.IDLE_LINE, rival)]
    if not run or find(records, names.IDLE_LINE) is None:
        return SummaryRow(metric, target, None, None)
    ours = standing(records, OURS)
    behind = [rival for rival in run if not is_ahead(ours, standing(records, rival))]
    measured = f"{len(run) - len(behind)} of {len(rivals)}" + (f"; not of {', '.join(behind)}" if behind else "")
    return SummaryRow(metric, target, measured, met=not behind and len(run) == len(rivals))


def summary(records: Sequence[Record], rivals: Sequence[str]) -> list[SummaryRow]:
    """Return one row for each target."""
    rows = [target.row(records) for target in TARGETS]
    rows += [other_line_row(words, records) for words in names.OTHER_LINES]
    return [*rows, ahead_row(records, rivals)]
