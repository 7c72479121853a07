"""The numbers of a run that are compared, and the same number over a scenario's runs. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from bench.lab.measures import excess_seconds, line_limit_seconds
from bench.lab.records import Record
from bench.lab.scenario import MB, OURS

Value = Callable[[Record], float | None]
"""None: the run has no such number, which is worse than any."""


# --- numbers of a run ------------------------------------------------------------------------------


def wan_ratio(record: Record) -> float | None:
    """Return bytes over the line ÷ file, if all PCs got the file."""
    return record.wan_ratio if record.finished else None


def time_ratio(record: Record) -> float | None:
    """Return the time until the last PC had the file ÷ what the line needs for it."""
    return record.time_ratio


def seconds(record: Record) -> float | None:
    """Return the time until the last PC had the file."""
    return record.seconds


def line_time_ratio(record: Record) -> float | None:
    """Return the line's time that a file took ÷ what the line needs; see `Record.line_seconds`."""
    taken = record.line_seconds
    return taken / line_limit_seconds(record.file_bytes, record.rate_mbit) if taken is not None else None


def seconds_over_limit(excused_seconds: float) -> Value:
    """Return a value: the seconds beyond those that the line needs and those that are excused."""

    def value(record: Record) -> float | None:
        if record.seconds is None:
            return None
        return excess_seconds(record.seconds, record.file_bytes, record.rate_mbit, excused_seconds)

    return value


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


def first_byte_seconds(record: Record) -> float | None:
    """Return the time from publishing to the file's first byte on the line."""
    return record.first_byte_seconds


def proving_seconds(record: Record) -> float | None:
    """Return the time from the last byte on the line to the last PC's proof, without what hashing takes."""
    if record.after_last_byte_seconds is None or record.hashing_seconds is None:
        return None
    return record.after_last_byte_seconds - record.hashing_seconds


def memory_sharing_mb(record: Record) -> float | None:
    """Return the most memory of a daemon and its network part while the file came, in MB."""
    return _in_mb(record.footprint.both_sharing_bytes if record.footprint else None)


def memory_idle_mb(record: Record) -> float | None:
    """Return their memory after it, in MB."""
    return _in_mb(record.footprint.both_idle_bytes if record.footprint else None)


def cpu_idle_percent(record: Record) -> float | None:
    """Return their processor time after it, in percent of one processor."""
    share = record.footprint.both_idle_cpu_share if record.footprint else None
    return 100 * share if share is not None else None


def _in_mb(count: int | None) -> float | None:
    return count / MB if count is not None else None


# --- over a scenario's runs ------------------------------------------------------------------------


def runs_of(records: Sequence[Record], scenario: str, method: str = OURS) -> list[Record]:
    """Return the runs of a scenario by a method, void ones too; of each repeat, the last."""
    latest = {each.repeat: each for each in records if (each.scenario, each.method) == (scenario, method)}
    return [latest[repeat] for repeat in sorted(latest)]


def valid(runs: Sequence[Record]) -> list[Record]:
    """Return the runs that this machine did not limit."""
    return [run for run in runs if not run.processor_was_the_limit]


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over several runs; None: never, which is the worst there is."""

    median: float | None
    """Of two, the worse one."""
    best: float | None
    worst: float | None
    runs: int

    def text(self, show: Callable[[float], str] = "{:.3g}".format, unit: str = "") -> str:
        """Return the median, and from where to where it goes where there are more runs than one."""
        words = [("never" if each is None else show(each)) for each in (self.median, self.best, self.worst)]
        median = words[0] if self.median is None else words[0] + unit
        if self.runs < 2:
            return median
        least, most = sorted(words[1:], key=lambda word: inf if word == "never" else float(word))
        return f"{median} ({least}–{most}, {self.runs} runs)" if least != most else f"{median} ({self.runs} runs)"


def spread(values: Sequence[float | None], *, at_least: bool = False) -> Spread | None:
    """Return the middle and the ends of a number over runs, more being better if ``at_least``; None of no runs."""
    if not values:
        return None

    def badness(value: float | None) -> float:
        if value is None:
            return inf
        return -value if at_least else value

    ordered = sorted(values, key=badness)
    return Spread(ordered[len(ordered) // 2], ordered[0], ordered[-1], len(ordered))


def middle_run(records: Sequence[Record], scenario: str, method: str = OURS) -> Record | None:
    """Return the run in the middle by time, of those that count; any, if all are void; None where there is none."""
    runs = runs_of(records, scenario, method)
    ordered = sorted(valid(runs) or runs, key=lambda run: inf if run.seconds is None else run.seconds)
    return ordered[len(ordered) // 2] if ordered else None
