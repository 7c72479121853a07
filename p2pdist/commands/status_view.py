"""What `p2pdist status` and `p2pdist peers` show."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.commands.views import titled
from p2pdist.local_api.delivery_answers import NetworkPartStatus, PeersAnswer, StatusAnswer, StatusPatch
from p2pdist.shared.console import WIDE_COLUMNS
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.state_words import STATE_STYLES, state_word


def status_view(status: StatusAnswer, columns: int) -> RenderableType:
    """Show this PC, what is wrong with it, and each patch: how far it is, and where its bytes came from."""
    head = Text.assemble(
        (tr("endpoint"), "dim"), f" {status.endpoint_id}",
        (f"  {tr('site')} ", "dim"), status.site or tr("not known yet"),
        (f"  {tr('server')} ", "dim"), f"{status.server}: {in_words(status.server_connection)}",
    )  # fmt: skip
    parts: list[RenderableType] = [head, *_network_part(status.network_part)]
    parts += [Text(in_words(problem), style="yellow") for problem in status.problems]
    if not status.patches:
        parts.append(Text(tr("No patches yet: the server has published none for this PC.")))
        return Group(*parts)
    wide = columns >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=not wide)
    for column in (tr("patch"), tr("version")):
        table.add_column(column, overflow="fold")
    table.add_column(tr("state"), no_wrap=True)
    for column in (tr("done"), tr("size"), tr("from\norigin"), tr("from\npeers"), tr("wasted"), tr("time")):
        table.add_column(column, justify="right", no_wrap=True)
    for patch in status.patches:
        table.add_row(
            patch.id,
            patch.version,
            _state(patch),
            _progress(patch.progress, bar=wide),
            bytes_text(patch.length_bytes),
            bytes_text(patch.bytes_from_origin),
            bytes_text(patch.bytes_from_peers),
            bytes_text(patch.bytes_wasted),
            span(patch.seconds),
        )
    parts.append(table)
    for patch in status.patches:
        name = titled(f"{patch.id} {patch.version}", patch.title)
        if patch.error:
            parts.append(Text(f"{name}: {in_words(patch.error)}", style="red"))
        elif patch.install in _NEEDS_WORDS:
            style = STATE_STYLES[patch.install]
            parts.append(Text(f"{name}: {in_words(patch.install_reason or '')}", style=style))
        elif patch.path:
            parts.append(Text(f"{name}: {patch.path}", style="dim"))
        elif patch.title:
            parts.append(Text(name, style="dim"))
    return Group(*parts)


_NEEDS_WORDS = frozenset({"failed", "rolled_back", "retrying", "unproven", "restart_pending"})


def _network_part(part: NetworkPartStatus | None) -> list[RenderableType]:
    """Return a line on who speaks with the network for this PC."""
    if part is None:
        return []
    own = tr("a process of its own, as {user}") if part.separate else tr("with the daemon's rights, as {user}")
    state = "" if part.running else tr(", not running now")
    note = f" ({in_words(part.note)})" if part.note else ""
    return [Text.assemble((tr("network part"), "dim"), f" {own.format(user=part.user)}{state}", (note, "dim"))]


def _state(patch: StatusPatch) -> Text:
    """Return how far a patch is: the state of its file, and once that is proven, of its installation."""
    state = patch.install if patch.state == "verified" and patch.install else patch.state
    return Text(state_word(state), style=STATE_STYLES.get(state, ""))


def _progress(share: float, *, bar: bool) -> RenderableType:
    percent = f"{int(share * 100)}%"  # rounded down: 100 % means all of it
    if not bar:
        return Text(percent)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1.0, completed=share, width=10), f"{percent:>4}")
    return grid


def peers_view(answer: PeersAnswer, columns: int) -> RenderableType:
    """Show each neighbour: connected, or why not."""
    if not answer.peers:
        return Text(tr("No neighbours known yet: none has announced itself by mDNS, and the server has named none."))
    wide = columns >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=not wide)
    for column in (tr("endpoint"), tr("address"), tr("source")):
        table.add_column(column, no_wrap=True)
    table.add_column(tr("state"))
    for column in (tr("received"), tr("sent")):
        table.add_column(column, justify="right", no_wrap=True)
    for peer in answer.peers:
        connected = Text(tr("connected"), style="green")
        host = f"[{peer.address}]" if ":" in peer.address else peer.address
        table.add_row(
            peer.endpoint_id if wide else peer.endpoint_id[:9] + "…",
            f"{host}:{peer.port}",
            "+".join(peer.sources),
            connected if peer.connected else Text(_not_connected(peer.reason or "", wide=wide), style="dim"),
            bytes_text(peer.bytes_received),
            bytes_text(peer.bytes_sent),
        )
    return table


def _not_connected(reason: str, *, wide: bool) -> str:
    return tr("not connected: {reason}", reason=in_words(reason)) if wide else in_words(reason)
