"""What each scenario shall show, as issues and docs promise it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.lab import figures as of
from bench.lab import real_lines as real
from bench.lab import usual_lines as usual
from bench.lab.records import Record
from bench.lab.scenario import AWAY_SECONDS, CUT_SECONDS
from bench.summary_rows import SummaryRow

VOID = "void: the processor was the limit"


@dataclass(frozen=True, slots=True)
class Target:
    """A number of one scenario of ours, and its bound for the median of the runs."""

    metric: str
    scenario: str
    value: of.Value
    bound: float
    unit: str = ""
    at_least: bool = False
    each: bool = False
    """The bound is for every run."""
    against: str = ""
    """The number is divided by its median in this scenario."""

    def row(self, records: Sequence[Record]) -> SummaryRow:
        """Return what the runs show; a run that this machine limited shows nothing."""
        wanted = f"{'≥' if self.at_least else '≤'} {self.bound:g}{self.unit}" + (", each run" if self.each else "")
        runs = [run for run in of.runs_of(records, self.scenario) if not self._is_too_old(run)]
        counted = of.valid(runs)
        divisor = self._divisor(records)
        values = [self._divided(self.value(run), divisor) for run in counted]
        found = of.spread(values, at_least=self.at_least)
        if not runs or divisor is None:
            return SummaryRow(self.metric, wanted, None, None)
        if found is None:
            return SummaryRow(self.metric, wanted, VOID, None)
        void = len(runs) - len(counted)
        words = found.text(unit=self.unit) + (f"; {void} void" if void else "")
        return SummaryRow(self.metric, wanted, words, self._meets(found.worst if self.each else found.median))

    def _is_too_old(self, run: Record) -> bool:
        """Whether an older lab made the run, which did not measure this."""
        return not run.fingerprint and run.finished and self.value(run) is None

    def _divisor(self, records: Sequence[Record]) -> float | None:
        if not self.against:
            return 1.0
        found = of.spread([self.value(run) for run in of.valid(of.runs_of(records, self.against))])
        return found.median if found else None

    @staticmethod
    def _divided(value: float | None, divisor: float | None) -> float | None:
        return value / divisor if value is not None and divisor else None

    def _meets(self, value: float | None) -> bool:
        if value is None:
            return False
        return value >= self.bound if self.at_least else value <= self.bound


USUAL_TARGETS = (
    Target("WAN bytes ÷ file, one branch", usual.IDLE_LINE, of.wan_ratio, 1.02),
    Target("WAN bytes ÷ file, 20 endpoints", usual.TWENTY, of.wan_ratio, 1.02),
    Target("WAN bytes ÷ file, an endpoint killed mid-way", usual.KILLED, of.wan_ratio, 1.05),
    Target("WAN bytes ÷ file, the seed server restarted", usual.RESTARTED, of.wan_ratio, 1.05),
    Target("last endpoint verified ÷ line limit, idle line", usual.IDLE_LINE, of.time_ratio, 1.12),
    Target("CUBIC download of an unmanaged PC keeps", usual.BESIDE_CUBIC, of.kept_percent, 98, " %", at_least=True),
    Target("call: p95 added", usual.BESIDE_CALL, of.call_added_ms, 8, " ms"),
    Target("web page: median longer by", usual.BESIDE_WEB, of.page_median_percent, 5, " %"),
    Target("web page: p95 longer by", usual.BESIDE_WEB, of.page_p95_percent, 10, " %"),
    Target("back to 90 % of the line after business", usual.BESIDE_CUBIC, lambda r: r.regained_seconds, 5, " s"),
    Target("the same after a yield of 60 s", usual.LONG_YIELD, lambda r: r.regained_seconds, 5, " s"),
    Target(
        "two branches, one uplink: apart by", usual.TWO_BRANCHES,
        lambda r: 100 * r.branch_gap if r.finished else None, 5, " %",
    ),
    Target("two branches, one uplink: uplink used", usual.TWO_BRANCHES,
           lambda r: 100 * r.uplink_use if r.uplink_use is not None else None, 90, " %", at_least=True),
    Target("line drops to 5 Mbit/s: queue above 50 ms", usual.LINE_DROPS, lambda r: r.high_queue_seconds, 1, " s"),
    Target("LAN-limited: last endpoint ÷ (file ÷ rate)", usual.LAN_LIMITED, of.time_ratio, 1.35),
    Target("LAN-limited: WAN bytes ÷ file", usual.LAN_LIMITED, of.wan_ratio, 1.02),
    Target("LAN-limited: business on one PC keeps", usual.LAN_BUSINESS, of.kept_percent, 95, " %", at_least=True),
    # both processes of an endpoint, as in bench/footprint.py
    Target("endpoint idle: memory", usual.IDLE_LINE, of.memory_idle_mb, 120, " MB"),
    Target("endpoint idle: processor", usual.IDLE_LINE, of.cpu_idle_percent, 0.3, " %"),
    Target("endpoint sharing 100 Mbit/s: memory", usual.LAN_LIMITED, of.memory_sharing_mb, 180, " MB"),
    Target("publishing to the first byte on the line", usual.IDLE_LINE, of.first_byte_seconds, 1, " s"),
    Target("last byte to the last PC verified, beyond hashing", usual.IDLE_LINE, of.proving_seconds, 0.5, " s"),
)  # fmt: skip


def _time(scenario: str, bound: float) -> Target:
    return Target(f"{scenario}: last PC ÷ line limit", scenario, of.time_ratio, bound)


def _busy(mbit: int) -> tuple[Target, ...]:
    name = real.busy_site(mbit)
    return (
        Target(f"{name}: finishes, WAN bytes ÷ file", name, of.wan_ratio, 1.02, each=True),
        *(
            [Target(f"{name}: time ÷ without other programs", name, of.seconds, 1.5, against=real.slow_cards(mbit))]
            if mbit == real.LAN_MBIT[0]
            else []
        ),
    )


REAL_TARGETS = (
    _time(real.FIRST_TIME, 1.15),
    _time(real.SECOND_TIME, 1.10),
    _time(real.AFTER_RESTART, 1.10),
    _time(real.TWO_LINES, 1.18),
    _time(real.lossy(0.2), 1.25),
    _time(real.lossy(1), 1.4),
    _time(real.lossy(3), 2),
    _time(real.FAR_LINE, 1.5),
    Target(f"{real.SLOW_LINE}: median page longer by", real.SLOW_LINE, of.page_median_percent, 5, " %"),
    Target(f"{real.SLOW_LINE}: p95 of pages longer by", real.SLOW_LINE, of.page_p95_percent, 10, " %"),
    Target(f"{real.LATE_CUBIC}: it keeps", real.LATE_CUBIC, of.kept_percent, 98, " %", at_least=True),
    Target(f"{real.LATE_CUBIC}: longer than line limit + {real.LATE_CUBIC_SECONDS:g} s by", real.LATE_CUBIC,
           of.seconds_over_limit(real.LATE_CUBIC_SECONDS), 4, " s"),
    Target(f"{real.LINE_CUT}: longer than line limit + {CUT_SECONDS:g} s by", real.LINE_CUT,
           of.seconds_over_limit(CUT_SECONDS), 4, " s"),
    Target(f"{real.SERVER_AWAY}: longer than line limit + {AWAY_SECONDS:g} s by", real.SERVER_AWAY,
           of.seconds_over_limit(AWAY_SECONDS), 4, " s"),
    Target(f"{real.slow_cards(25)}: last PC ÷ (file ÷ rate)", real.slow_cards(25), of.time_ratio, 1.3, each=True),
    Target(f"{real.slow_cards(25)}: WAN bytes ÷ file", real.slow_cards(25), of.wan_ratio, 1.02, each=True),
    *(target for mbit in real.LAN_MBIT for target in _busy(mbit)),
    Target(f"{real.FIRST_TIME}: publishing to the first byte", real.FIRST_TIME, of.first_byte_seconds, 1, " s"),
    Target(f"{real.FIRST_TIME}: last byte to the last PC verified, beyond hashing", real.FIRST_TIME,
           of.proving_seconds, 0.5, " s"),
)  # fmt: skip
TARGETS = (*USUAL_TARGETS, *REAL_TARGETS)
