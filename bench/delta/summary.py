"""What the runs show of the targets. Pure."""

from collections.abc import Callable, Sequence
from statistics import median

from bench.delta.cases import BESIDE_BUSINESS, DEEP, ONE_DECODES, ONE_DOES_NOT, PCS, Case, whole
from bench.delta.records import DeltaRun, PairFacts
from bench.lab.scenario import MB
from bench.summary_rows import SummaryRow

LEAST_PAIRS = 12
VOID = "void: the processor was the limit"


class Measured:
    """All pairs and runs, by their names and cases."""

    def __init__(self, pairs: Sequence[PairFacts], runs: Sequence[DeltaRun]) -> None:
        self.pairs = {facts.pair: facts for facts in pairs}
        self.runs = {run.case: run for run in runs if run.case.pair in self.pairs}

    def finished(self, case: Case) -> DeltaRun | None:
        """Return a case's run, in which all PCs got the file."""
        run = self.runs.get(case)
        return run if run is not None and run.seconds is not None else None

    def over_pairs(self, holders: int, value: Callable[[DeltaRun, PairFacts], float | None]) -> dict[str, float]:
        """Return a number of each pair's coded run with so many PCs that have the former version, if it has one."""
        found = {}
        for name, facts in self.pairs.items():
            run = self.finished(Case(name, holders))
            if run is not None and (ratio := value(run, facts)) is not None:
                found[name] = ratio
        return found


def against_limit(run: DeltaRun, facts: PairFacts) -> float | None:
    """Return the bytes over the line ÷ what the best patch of the pair needs; None: that is not known yet."""
    return run.line_bytes / facts.limit_bytes if facts.limit_bytes else None


def sent_against_limit(run: DeltaRun, facts: PairFacts) -> float | None:
    """Return the same with the pieces alone, as the server counts them."""
    return run.sent_bytes / facts.limit_bytes if facts.limit_bytes else None


def against_shipped(run: DeltaRun, facts: PairFacts) -> float:
    """Return the bytes over the line ÷ the file as it is shipped, compressed."""
    return run.line_bytes / facts.shipped_bytes[1]


def summary(pairs: Sequence[PairFacts], runs: Sequence[DeltaRun]) -> list[SummaryRow]:
    """Return a row for each target."""
    measured = Measured(pairs, runs)
    return [
        *_bytes_rows(measured),
        _spread_row(measured),
        _time_row(measured),
        *_pc_rows(measured),
        SummaryRow("chunk map ÷ file", "≤ 0.2 %", "0: there is none", True),
        *_publish_rows(measured),
        *_harm_rows(measured),
    ]


def _bytes_rows(measured: Measured) -> list[SummaryRow]:
    limit = measured.over_pairs(1, against_limit)
    sent = measured.over_pairs(1, sent_against_limit)
    shipped, alone = measured.over_pairs(1, against_shipped), measured.over_pairs(0, against_shipped)
    best = "bytes over the line ÷ zstd -19 --patch-from of the stored pair"
    count = f"{len(limit)} pairs"
    rows = [
        _bound_row(f"{best}, median", 1.5, _middle(limit), f"; pieces alone {_middle(sent) or 0:.3g}; {count}"),
        _bound_row(f"{best}, worst", 3, max(limit.values(), default=None), f": {_worst(measured, limit, sent)}"),
        _bound_row("bytes over the line ÷ shipped, compressed file, median", 0.35, _middle(shipped),
                   f"; {len(shipped)} pairs"),
        _bound_row("the same without a former version, median", 1.0, _middle(alone), _most(alone)),
    ]  # fmt: skip
    if 0 < len(limit) < LEAST_PAIRS:  # fewer say too little
        rows[0] = SummaryRow(rows[0].metric, rows[0].target, rows[0].measured, None)
    return rows


def _worst(measured: Measured, limit: dict[str, float], sent: dict[str, float]) -> str:
    if not limit:
        return ""
    name = max(limit, key=lambda one: limit[one])
    run, facts = measured.runs[Case(name)], measured.pairs[name]
    others = max((ratio for other, ratio in limit.items() if other != name), default=None)
    rest = "" if others is None else f"; the worst of the others {others:.3g}"
    return (
        f"{name}, {run.line_bytes / 1e3:,.0f} kB of {facts.stored_bytes[1] / MB:.1f} MB, where "
        f"{(facts.limit_bytes or 0) / 1e3:,.0f} kB are the least; pieces alone {sent[name]:.3g}{rest}"
    )


def _spread_row(measured: Measured) -> SummaryRow:
    ratios = {}
    for name in DEEP:
        one, every = measured.finished(Case(name, 1)), measured.finished(Case(name, PCS))
        if one and every:
            ratios[name] = one.line_bytes / every.line_bytes
    metric = f"bytes with one of {PCS} PCs having the former version ÷ with all, worst"
    return _bound_row(metric, 1.1, max(ratios.values(), default=None), f" ({_each(ratios)})")


def _time_row(measured: Measured) -> SummaryRow:
    ratios, busy, void = {}, 0, 0
    for name in measured.pairs:
        coded, before = measured.finished(Case(name, 1)), measured.finished(whole(name))
        if not coded or not before or coded.seconds is None or before.seconds is None:
            continue
        if before.processor.was_the_limit:  # then it would be quicker elsewhere; where ours was, it only looks slow
            void += 1
            continue
        ratios[name] = coded.seconds / before.seconds
        busy += coded.processor.was_the_limit
    metric = "time from publishing to the last PC ÷ the shipped file whole, 20 Mbit/s, median"
    if void and not ratios:
        return SummaryRow(metric, "≤ 0.5", VOID, None)
    words = _most(ratios) + (f"; the processor was the limit of {busy} of them" if busy else "")
    return _bound_row(metric, 0.5, _middle(ratios), words + (f"; {void} void" if void else ""))


def _pc_rows(measured: Measured) -> list[SummaryRow]:
    processor, memory = (
        "processor time of a PC for 100 MB of old bytes, above one that gets as many bytes whole",
        "memory of a PC that decodes, above one that gets as many bytes whole",
    )
    coded, plain = measured.finished(ONE_DECODES), measured.finished(ONE_DOES_NOT)
    if not coded or not plain:
        return [SummaryRow(processor, "≤ 3 s", None, None), SummaryRow(memory, "≤ 30 MB", None, None)]
    per_100_mb = 100 * MB / coded.former_bytes
    of_coded, of_plain = coded.pcs[0], plain.pcs[0]
    more = per_100_mb * (of_coded.cpu_seconds - of_plain.cpu_seconds)
    grown = (of_coded.memory_peak_bytes - of_plain.memory_peak_bytes) / MB
    all_of_it = (
        f" (in all {of_coded.cpu_seconds:.1f} and {of_plain.cpu_seconds:.1f} s for {coded.payload_bytes / MB:.0f} MB)"
    )
    peaks = f" (at most {of_coded.memory_peak_bytes / MB:.0f} and {of_plain.memory_peak_bytes / MB:.0f} MB)"
    return [_bound_row(processor, 3, more, all_of_it, " s"), _bound_row(memory, 30, grown, peaks, " MB")]


def _publish_rows(measured: Measured) -> list[SummaryRow]:
    every = measured.pairs.values()
    ways = (
        ("publishing with a former version ÷ without, as it is stored, median",
         {facts.pair: facts.foretold_seconds / facts.stored_seconds for facts in every}),
        ("publish --repack with a former version ÷ the shipped file as before, median",
         {facts.pair: facts.publish_seconds / facts.plain_seconds for facts in every}),
    )  # fmt: skip
    return [_bound_row(metric, 2, _middle(ratios), _most(ratios)) for metric, ratios in ways]


def _harm_rows(measured: Measured) -> list[SummaryRow]:
    beside = f"beside {BESIDE_BUSINESS.pair}"
    bounds = ((f"{beside}: call, p95 added", 8.0, " ms"), (f"{beside}: median web page longer by", 5.0, " %"))
    run = measured.finished(BESIDE_BUSINESS)
    if run is None or not run.alone or not run.beside:
        return [SummaryRow(metric, f"≤ {bound:g}{unit}", None, None) for metric, bound, unit in bounds]
    values: list[float | None] = [None, None]
    if run.alone.call and run.beside.call:
        values[0] = run.beside.call.p95_ms - run.alone.call.p95_ms
    if run.alone.pages and run.beside.pages:
        values[1] = 100 * (run.beside.pages.median_ms / run.alone.pages.median_ms - 1)
    words = f" in {run.beside.seconds:.0f} s"
    rows = []
    for (metric, bound, unit), value in zip(bounds, values, strict=True):
        if run.processor.was_the_limit:
            shown = None if value is None else f"{value:.3g}{unit}; {VOID}"
            rows.append(SummaryRow(metric, f"≤ {bound:g}{unit}", shown, None))
        else:
            rows.append(_bound_row(metric, bound, value, words, unit))
    return rows


def _bound_row(metric: str, bound: float, value: float | None, words: str = "", unit: str = "") -> SummaryRow:
    """Return a row; ``words`` follow the number."""
    target = f"≤ {bound:g}{unit}"
    if value is None:
        return SummaryRow(metric, target, None, None)
    return SummaryRow(metric, target, f"{value:.3g}{unit}{words}", value <= bound)


def _middle(values: dict[str, float]) -> float | None:
    return median(values.values()) if values else None


def _most(values: dict[str, float]) -> str:
    if not values:
        return ""
    name = max(values, key=lambda one: values[one])
    return f"; at most {values[name]:.3g}, {name}; {len(values)} pairs"


def _each(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())
