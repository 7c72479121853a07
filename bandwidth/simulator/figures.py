"""What a run comes to, in words for tables and pictures."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from bandwidth.core.controller import Decision
from bandwidth.core.reason_seconds import ReasonSeconds
from bandwidth.core.states import Reason, State
from bandwidth.core.units import MBIT
from bandwidth.simulator.meters import percentile
from bandwidth.simulator.scenario import Metrics, Result

NOTHING, NEVER = "–", "never"


COMPARED = (
    "sender",
    "kept",
    "calls\np95 ms",
    "calls\np99 ms",
    "pages\np50",
    "pages\np95",
    "queue\np95 ms",
    "idle\nused",
    "spare\nused",
    "yield\nms",
    "regain\ns",
)
"""The columns of `compared`."""
COMPARED_EXPLAINED = (
    "kept: of business's bytes; calls, pages: what is added to them\n"
    "queue: everybody's; idle, spare: used of the idle line, of what business leaves\n"
    "yield, regain: the slowest when a download begins or ends; +: some not at all"
)


def compared(name: str, result: Result) -> list[str]:
    """Return the row of ``result`` in a table of several."""
    together = result.together
    calls, pages = has_calls(result), has_pages(result)
    return [
        name,
        f"{result.business_keeps:.1%}",
        added_ms(result.voip_added_p95) if calls else NOTHING,
        added_ms(result.voip_added_p99) if calls else NOTHING,
        f"{result.page_growth(0.50):+z.0%}" if pages else NOTHING,
        f"{result.page_growth(0.95):+z.0%}" if pages else NOTHING,
        ms(together.queue_p95),
        f"{together.idle_use:.0%}",
        f"{result.spare_captured:.0%}" if has_spare(result) else NOTHING,
        _worst(together.yield_seconds, 1_000, 0, missed="+"),
        _worst(together.regain_seconds, 1, 1, missed="+"),
    ]


def in_a_line(result: Result) -> str:
    """Return the figures of ``result`` as a line of words."""
    together = result.together
    parts = [f"business keeps {result.business_keeps:.1%}"]
    if has_calls(result):
        parts.append(f"calls {added_ms(result.voip_added_p95)} / {added_ms(result.voip_added_p99)} ms")
    if has_pages(result):
        parts.append(f"pages {result.page_growth(0.5):+z.0%} / {result.page_growth(0.95):+z.0%}")
    parts.append(f"idle use {together.idle_use:.0%}")
    if together.yield_seconds:
        worst = _worst(together.yield_seconds, 1_000, 0, missed="+")
        parts.append("never yields" if worst == NEVER else f"yield {worst} ms")
    if together.regain_seconds:
        worst = _worst(together.regain_seconds, 1, 1, missed="+")
        parts.append("never regains" if worst == NEVER else f"regain {worst} s")
    return ", ".join(parts)


HARM_HEADING = ("", "business alone", "with patches", "difference")


def harm(result: Result) -> list[tuple[str, str, str, str]]:
    """Return rows of what business gets alone and with patches, only for the kinds that there were."""
    alone, together = result.alone, result.together
    rows = []
    if alone.business_bytes:
        rows.append(
            (
                "business, MB",
                f"{alone.business_bytes / 1e6:.1f}",
                f"{together.business_bytes / 1e6:.1f}",
                f"{result.business_keeps - 1:+z.1%}",
            )
        )
    if has_calls(result):
        for point, before, after in (
            (50, alone.voip_p50, together.voip_p50),
            (95, alone.voip_p95, together.voip_p95),
            (99, alone.voip_p99, together.voip_p99),
        ):
            rows.append((f"call delay p{point}, ms", ms(before), ms(after), added_ms(after - before)))
        lost = alone.voip_lost_share, together.voip_lost_share
        rows.append(("call packets lost", f"{lost[0]:.2%}", f"{lost[1]:.2%}", f"{lost[1] - lost[0]:+z.2%}"))
    if has_pages(result):
        for name, share in (("web page median, s", 0.5), ("web page p95, s", 0.95)):
            before, after = (percentile(list(run.page_seconds), share) for run in (alone, together))
            rows.append((name, f"{before:.2f}", f"{after:.2f}", f"{result.page_growth(share):+z.0%}"))
    if alone.video_mbit:
        change = together.video_mbit / alone.video_mbit - 1
        rows.append(
            ("video quality, Mbit/s", f"{alone.video_mbit:.2f}", f"{together.video_mbit:.2f}", f"{change:+z.0%}")
        )
    rows.append(
        ("queue p95, ms", ms(alone.queue_p95), ms(together.queue_p95), added_ms(together.queue_p95 - alone.queue_p95))
    )
    return rows


def use(result: Result) -> list[tuple[str, str]]:
    """Return what patches got of the line, and how fast they gave it back, as names and words."""
    together = result.together
    rows = [("idle line used", f"{together.idle_use:.1%}")]
    if has_spare(result):
        rows.append(("used of what business left", f"{result.spare_captured:.1%}"))
    if together.yield_seconds:
        rows.append(("slowest yield to a download", _in_words(together.yield_seconds, 1_000, 0, "ms")))
    if together.regain_seconds:
        rows.append(("slowest regain after it", _in_words(together.regain_seconds, 1, 1, "s")))
    return rows


def reason_seconds(metrics: Metrics, duration_seconds: float) -> dict[Reason, float]:
    """Return how long our limiter acted for each reason, the longest first; empty for a rival."""
    spent = ReasonSeconds[Reason]()
    for start, end, decision in held(metrics, duration_seconds):
        spent.note(decision.reason, start)
        spent.note(decision.reason, end)
    return spent.seconds()


def held(metrics: Metrics, duration_seconds: float) -> Iterator[tuple[float, float, Decision]]:
    """Yield (from, until, decision) of each decision of our limiter."""
    starts = [at for at, _ in metrics.decisions]
    for (start, decision), end in zip(metrics.decisions, [*starts[1:], duration_seconds], strict=True):
        yield start, max(start, end), decision


def during(metrics: Metrics, start: float, end: float) -> tuple[float, State, Reason] | None:
    """Return the mean allowance from ``start`` to ``end``, and its longest state and reason; None: no law."""
    found = [decision for at, decision in metrics.decisions if start - 1e-6 <= at < end - 1e-6]
    if not found:
        return None
    (state, reason), _ = Counter((decision.state, decision.reason) for decision in found).most_common(1)[0]
    return sum(decision.allowance for decision in found) / len(found), state, reason


def has_calls(result: Result) -> bool:
    """Whether anybody telephones."""
    return result.alone.voip_p50 > 0


def has_pages(result: Result) -> bool:
    """Whether anybody opens web pages."""
    return bool(result.alone.page_seconds)


def has_spare(result: Result) -> bool:
    """Whether business leaves enough of the line that a share of it means something."""
    return result.alone.business_bytes < 0.95 * result.alone.line_bytes


def ms(seconds: float) -> str:
    """Return ``seconds`` in milliseconds, to three or four digits."""
    return f"{seconds * 1_000:.1f}" if abs(seconds) < 0.1 else f"{seconds * 1_000:.0f}"


def added_ms(seconds: float) -> str:
    """Like `ms`, with a sign."""
    # adding 0.0 makes -0.0 a plain zero
    return f"{round(seconds * 1_000, 1) + 0.0:+.1f}" if abs(seconds) < 0.1 else f"{seconds * 1_000:+.0f}"


def mbit(rate: float) -> str:
    """Return bytes per second in Mbit/s."""
    return f"{rate / MBIT:.2f}"


def longest(seconds: Sequence[float]) -> float | None:
    """Return the longest of those that happened; None: none did."""
    return max((value for value in seconds if not math.isinf(value)), default=None)


def _worst(seconds: Sequence[float], factor: float, digits: int, *, missed: str) -> str:
    """Return the longest of those that happened, followed by ``missed`` if some did not."""
    happened = [value for value in seconds if not math.isinf(value)]
    if not happened:
        return NEVER if seconds else NOTHING
    return f"{max(happened) * factor:.{digits}f}{missed if len(happened) < len(seconds) else ''}"


def _in_words(seconds: Sequence[float], factor: float, digits: int, unit: str) -> str:
    words = _worst(seconds, factor, digits, missed="")
    missed = sum(map(math.isinf, seconds))
    return words if words == NEVER else f"{words} {unit}{f' ({missed} of {len(seconds)} not at all)' if missed else ''}"
