"""The targets, and what the runs show for each. Pure."""

from collections.abc import Sequence

from bench.lab import figures as of
from bench.lab import usual_lines as usual
from bench.lab.records import Record
from bench.lab.standing import ahead_row, random_row
from bench.lab.targets import TARGETS, VOID
from bench.summary_rows import SummaryRow

STALL_SECONDS = 5.0
KEPT_PERCENT, CALL_BESIDE_CUBIC_MS = 98.0, 8.0


def other_line_row(words: str, records: Sequence[Record]) -> SummaryRow:
    """Return whether a line of another kind finishes without a stall, with the harm of the usual one; by medians."""
    metric, target = f"{words}: no stall, harm as above", "finishes, no stall; keeps ≥ 98 %, call ≤ 8 ms more"
    idle, beside = (of.runs_of(records, f"{words}: {each}") for each in ("idle", "beside CUBIC and a call"))
    if not idle or not beside:
        return SummaryRow(metric, target, None, None)
    idle, beside = of.valid(idle), of.valid(beside)
    stalls = [of.spread([run.longest_stall_seconds for run in runs]) for runs in (idle, beside)]
    kept = of.spread([of.kept_percent(run) for run in beside], at_least=True)
    added = of.spread([of.call_added_ms(run) for run in beside])
    if kept is None or added is None or None in stalls:
        return SummaryRow(metric, target, VOID, None)
    stall = max(each.median or 0.0 for each in stalls if each)
    finished = all(run.finished for run in (*idle, *beside))
    measured = (
        f"{'finishes' if finished else 'does not finish'}, stall {stall:.1f} s, "
        f"keeps {kept.text('{:.1f}'.format, ' %')}, call {added.text('{:.1f}'.format, ' ms')} more"
    )
    harmless = kept.median is not None and kept.median >= KEPT_PERCENT
    quiet = added.median is not None and added.median <= CALL_BESIDE_CUBIC_MS
    return SummaryRow(metric, target, measured, met=finished and stall <= STALL_SECONDS and harmless and quiet)


def pauses_row(records: Sequence[Record]) -> SummaryRow:
    """Return in how many runs leasing paused because business suffered; a run that this machine limited counts too."""
    metric, target = "leasing paused for harm to business, all runs", "0"
    counted = [record for record in records if record.harm_pauses is not None]
    if not counted:
        return SummaryRow(metric, target, None, None)
    pauses = sum(record.harm_pauses or 0 for record in counted)
    where = sorted({record.scenario for record in counted if record.harm_pauses})
    words = f"{pauses} in {len(counted)} runs" + (f": {', '.join(where)}" if where else "")
    return SummaryRow(metric, target, words, met=not pauses)


def summary(records: Sequence[Record], rivals: Sequence[str]) -> list[SummaryRow]:
    """Return one row for each target."""
    rows = [target.row(records) for target in TARGETS]
    rows += [other_line_row(words, records) for words in usual.OTHER_LINES]
    return [*rows, pauses_row(records), ahead_row(records, rivals), random_row(records, rivals)]
