"""The LAN's limits as `p2pdist limiter` prints them, and the answer of `p2pdist why`."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import duration_text, rate_text
from p2pdist.local_api.delivery_answers import LimiterAnswer, WhyAnswer, WhyPatch
from p2pdist.shared.identifiers import PatchRef

MOST_REASONS = 6  # shown for each direction; `--json` has all


def lan_view(answer: LimiterAnswer) -> RenderableType:
    """Show the LAN's rates, what limits them, and the time under each reason."""
    parts: list[RenderableType] = [Text(problem, style="yellow") for problem in answer.problems]
    rates = Table(box=None, pad_edge=False, header_style="bold")
    rates.add_column("LAN")
    rates.add_column("limit", justify="right", no_wrap=True)
    rates.add_column("used", justify="right", no_wrap=True)
    rates.add_column("because")
    ways = (("upload", answer.upload), ("download", answer.download))
    for name, way in ways:
        rates.add_row(name, _limit(way.limit), rate_text(way.used), way.reason)
    parts += [rates, Text(_network_words(answer), style="dim")]
    for name, way in ways:
        spent = [f"{reason} {duration_text(s)}" for reason, s in list(way.seconds.items())[:MOST_REASONS]]
        if spent:
            parts.append(Text(f"{name}: {', '.join(spent)}"))
    parts.append(Text(f"yielded to others for {duration_text(answer.yield_seconds)} in all"))
    return Group(*parts)


def _limit(rate: int | None) -> str:
    return "unlimited" if rate is None else rate_text(rate)


def _network_words(answer: LimiterAnswer) -> str:
    words = [f"network {answer.network}"]
    if answer.interface:
        words[0] += f" ({answer.interface}, {rate_text(answer.speed) if answer.speed else 'rate not known'})"
    if answer.gateway:
        delay = answer.gateway_milliseconds
        words.append(f"gateway {answer.gateway}{'' if delay is None else f' {delay} ms'}")
    words.append(f"business {rate_text(answer.business_bytes_per_second)}")
    words.append(f"processor {answer.cpu_share:.0%}")
    if answer.battery_percent is not None:
        words.append(f"battery {answer.battery_percent:.0f} %{' on mains' if answer.on_mains else ''}")
    words.append(f"profile {answer.profile or 'none'}")
    return ", ".join(words)


def why_view(answer: WhyAnswer) -> RenderableType:
    """Show each patch's reason in words, one paragraph a patch."""
    parts: list[RenderableType] = []
    for row in answer.patches:
        name = f"{row.id} {row.version}".strip()
        detail = f" ({row.detail})" if row.detail else ""
        head = f"{name}: {row.reason}{detail}"
        if row.since_seconds >= 1.0:
            head += f", since {duration_text(row.since_seconds)}"
        parts.append(Text(head, style="green" if row.state == "verified" else ""))
        parts += [Text(f"  {duration_text(s):>10}  {reason}", style="dim") for reason, s in row.seconds.items()]
    return Group(*parts)


def asked_for(answer: WhyAnswer, patch: str, not_rolled_out: str) -> WhyAnswer:
    """Return the rows of ``patch``, an id or ID@VERSION; for one that is not rolled out, a row that says so."""
    rows = [row for row in answer.patches if PatchRef(row.id, row.version).matches(patch)]
    if rows:
        return WhyAnswer(rows)
    patch_id, version = PatchRef.of_relation(patch)
    missing = WhyPatch(
        id=patch_id,
        version=version,
        state="unknown",
        progress=0.0,
        reason=not_rolled_out,
        detail="",
        since_seconds=0.0,
        seconds={},
    )
    return WhyAnswer([missing])
