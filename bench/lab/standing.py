"""Ours beside the alternatives: each number from its own scenario on the usual lines, all from one run on random ones.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.lab import figures as of
from bench.lab import usual_lines as usual
from bench.lab.random_lines import AHEAD_ON, LINES, NAME
from bench.lab.records import Record
from bench.lab.scenario import OURS
from bench.summary_rows import SummaryRow

HARMLESS_KEPT_PERCENT, HARMLESS_CALL_MS = 98.0, 8.0
"""On a random line, harm below the targets of the usual lines counts as none: one run cannot tell less from chance."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The numbers of a method that are compared, medians; None: it has no such number, which is worse than any."""

    method: str
    wan_ratio: float | None
    time_ratio: float | None
    kept_percent: float | None
    call_added_ms: float | None
    page_percent: float | None = None


def standing(records: Sequence[Record], method: str) -> Standing:
    """Return a method's numbers from its runs on the usual lines."""

    def median(scenario: str, value: of.Value, *, at_least: bool = False) -> float | None:
        runs = of.valid(of.runs_of(records, scenario, method))
        found = of.spread([value(run) for run in runs], at_least=at_least)
        return found.median if found else None

    return Standing(
        method,
        median(usual.IDLE_LINE, of.wan_ratio),
        median(usual.IDLE_LINE, of.time_ratio),
        median(usual.BESIDE_CUBIC, of.kept_percent, at_least=True),
        median(usual.BESIDE_CALL, of.call_added_ms),
        median(usual.BESIDE_WEB, of.page_median_percent),
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
    return all(_is_less(own, other) for own, other in pairs)


def ahead_row(records: Sequence[Record], rivals: Sequence[str]) -> SummaryRow:
    """Return whether ours is ahead of every alternative that was run on the usual lines."""
    metric, target = "ahead of every alternative in WAN bytes, harm and time at once", "all"
    run = [rival for rival in rivals if of.runs_of(records, usual.IDLE_LINE, rival)]
    if not run or not of.runs_of(records, usual.IDLE_LINE):
        return SummaryRow(metric, target, None, None)
    ours = standing(records, OURS)
    behind = [rival for rival in run if not is_ahead(ours, standing(records, rival))]
    measured = f"{len(run) - len(behind)} of {len(rivals)}" + (f"; not of {', '.join(behind)}" if behind else "")
    return SummaryRow(metric, target, measured, met=not behind and len(run) == len(rivals))


# --- random lines --------------------------------------------------------------------------------


def random_names(records: Sequence[Record]) -> list[str]:
    """Return the random lines that were run, in their order."""
    return list(dict.fromkeys(record.scenario for record in records if record.scenario.startswith(NAME)))


def random_standing(records: Sequence[Record], line: str, method: str) -> Standing | None:
    """Return a method's numbers on a random line; None: not run, or void."""
    record = of.middle_run(records, line, method)
    if record is None or record.processor_was_the_limit:
        return None
    return Standing(
        method, of.wan_ratio(record), of.line_time_ratio(record), of.kept_percent(record), of.call_added_ms(record)
    )


def lost_to(ours: Standing, rival: Standing) -> list[str]:
    """Return in what a rival on a random line is better, or as good; of harm, in what it does less than ours."""
    lost = [
        words
        for words, own, other in (
            ("WAN bytes", ours.wan_ratio, rival.wan_ratio),
            ("time", ours.time_ratio, rival.time_ratio),
        )
        if not _is_less(own, other)
    ]
    if not _harms_no_more(_negative(ours.kept_percent), _negative(rival.kept_percent), -HARMLESS_KEPT_PERCENT):
        lost.append("CUBIC")
    if not _harms_no_more(ours.call_added_ms, rival.call_added_ms, HARMLESS_CALL_MS):
        lost.append("call")
    return lost


def line_verdict(records: Sequence[Record], line: str, rivals: Sequence[str]) -> str:
    """Return where a rival is better, in words; if none is, "ahead", or "void" where one was not run."""
    ours = random_standing(records, line, OURS)
    if ours is None:
        return "void"
    theirs = [random_standing(records, line, rival) for rival in rivals]
    lost = {rival.method: words for rival in theirs if rival and (words := lost_to(ours, rival))}
    if lost:
        return "; ".join(f"{method}: {', '.join(words)}" for method, words in lost.items())
    return "void" if None in theirs else "ahead"


def random_row(records: Sequence[Record], rivals: Sequence[str]) -> SummaryRow:
    """Return on how many random lines ours is ahead of every alternative at once."""
    metric, target = "ahead of every alternative at once on random lines", f"≥ {AHEAD_ON} of {LINES}"
    lines = random_names(records)
    if not lines:
        return SummaryRow(metric, target, None, None)
    verdicts = [line_verdict(records, line, rivals) for line in lines]
    ahead, void = verdicts.count("ahead"), verdicts.count("void")
    words = f"{ahead} of {len(lines)}" + (f", {void} void or without an alternative" if void else "")
    return SummaryRow(metric, target, words, met=ahead >= AHEAD_ON if len(lines) >= LINES else None)


def _harms_no_more(own: float | None, other: float | None, harmless: float) -> bool:
    if own is None:
        return False
    return own <= harmless or other is None or own <= other


def _is_less(own: float | None, other: float | None) -> bool:
    return own is not None and (other is None or own < other)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
