"""The LAN's limits as `p2pdist limiter` prints them, and the answer of `p2pdist why`."""

from typing import Protocol

from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text, rate_text
from p2pdist.local_api.delivery_answers import LimiterAnswer, StatusPatch, WhyAnswer, WhyPatch
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import in_language, in_words, span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable

MOST_REASONS = 6  # shown for each direction; `--json` has all


def lan_view(answer: LimiterAnswer) -> RenderableType:
    """Show the LAN's rates, what limits them, and the time under each reason."""
    parts: list[RenderableType] = [Text(in_words(problem), style="yellow") for problem in answer.problems]
    rates = FactTable()
    rates.column("LAN")
    rates.column(tr("limit"), tr("used"), right=True)
    rates.sentences(tr("because"))
    ways = ((tr("upload"), answer.upload), (tr("download"), answer.download))
    for name, way in ways:
        rates.row(name, _limit(way.limit), rate_text(way.used), sentences=[in_words(way.reason)])
    parts += [rates, Text(_network_words(answer), style="dim")]
    for name, way in ways:
        spent = [f"{in_words(reason)} {span(s)}" for reason, s in list(way.seconds.items())[:MOST_REASONS]]
        if spent:
            parts.append(Text(f"{name}: {', '.join(spent)}"))
    parts.append(Text(tr("yielded to others for {duration} in all", duration=span(answer.yield_seconds))))
    return Group(*parts)


def _limit(rate: int | None) -> str:
    return tr("unlimited") if rate is None else rate_text(rate)


def _network_words(answer: LimiterAnswer) -> str:
    words = [tr("network {kind}", kind=in_words(answer.network))]
    if answer.interface:
        words[0] += f" ({answer.interface}, {rate_text(answer.speed) if answer.speed else tr('rate not known')})"
    if answer.gateway:
        delay = answer.gateway_milliseconds
        words.append(tr("gateway {address}", address=answer.gateway) + ("" if delay is None else f" {delay} ms"))
    words.append(tr("business {rate}", rate=rate_text(answer.business_bytes_per_second)))
    words.append(tr("processor {share}", share=f"{answer.cpu_share:.0%}"))
    if answer.battery_percent is not None:
        mains = f" {tr('on mains')}" if answer.on_mains else ""
        words.append(tr("battery {percent} %", percent=f"{answer.battery_percent:.0f}") + mains)
    words.append(tr("profile {name}", name=answer.profile or tr("none")))
    return ", ".join(words)


def why_view(answer: WhyAnswer) -> RenderableType:
    """Show each patch's reason in words, one paragraph a patch."""
    parts: list[RenderableType] = []
    for row in answer.patches:
        detail = f" ({in_words(row.detail)})" if row.detail else ""
        head = f"{titled(row)}: {in_words(row.reason)}{detail}"
        if row.since_seconds >= 1.0:
            head += tr(", for {duration}", duration=span(row.since_seconds))
        parts.append(Text(head, style="green" if row.state == "verified" else ""))
        if row.bytes_built:
            parts.append(Text(f"  {built_words(row)}", style="dim"))
        parts += [Text(f"  {span(s):>10}  {in_words(reason)}", style="dim") for reason, s in row.seconds.items()]
    return Group(*parts)


def built_words(row: StatusPatch | WhyPatch) -> str:
    """Return where the bytes of a file have come from, part of which was built here."""
    sizes = {
        "built": bytes_text(row.bytes_built),
        "peers": bytes_text(row.bytes_from_peers),
        "line": bytes_text(row.bytes_from_origin),
    }
    if not row.built_of:
        return tr("{built} were saved by compression, {peers} came from neighbours, {line} over the line", **sizes)
    version = printable(row.built_of)
    return tr(
        "{built} were built here of version {version} or unpacked, {peers} came from neighbours, {line} over the line",
        version=version,
        **sizes,
    )


class Titled(Protocol):
    """A row about a patch."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def titles(self) -> dict[str, str]: ...  # noqa: D102


def titled(row: Titled) -> str:
    """Return a patch's name with its title, where it has one: people know the one or the other."""
    name, title = f"{row.id} {row.version}".strip(), title_of(row)
    return f"{name} ({title})" if title else name


def title_of(row: Titled) -> str:
    """Return a patch's title in the language of the screens, as its publisher wrote it; empty: it has none."""
    return printable(in_language(row.title, row.titles))


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
