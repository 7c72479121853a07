"""What `p2pdist status` and `p2pdist peers` show."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.commands.views import built_words, titled
from p2pdist.local_api.delivery_answers import NetworkPartStatus, PeersAnswer, StatusAnswer, StatusPatch
from p2pdist.local_api.disk_answer import DiskStatus
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import ADDRESS_CELLS, ID_CELLS, PATCH_CELLS, FactTable
from p2pdist.shared.terminal import WIDE_COLUMNS


def status_view(status: StatusAnswer, columns: int) -> RenderableType:
    """Show this PC, what is wrong with it, and each patch: how far it is, and where its bytes came from."""
    head = Text.assemble(
        (tr("endpoint"), "dim"), f" {status.endpoint_id}",
        (f"  {tr('site')} ", "dim"), status.site or tr("not known yet"),
        (f"  {tr('server')} ", "dim"), f"{status.server}: {in_words(status.server_connection)}",
    )  # fmt: skip
    parts: list[RenderableType] = [head, *_network_part(status.network_part)]
    parts += _disk(status.disk)
    parts += [Text(in_words(problem), style="yellow") for problem in status.problems]
    later = [Text(f"{titled(patch)}: {in_words(patch.reason)}", style="dim") for patch in status.not_yet]
    if not status.patches:
        nothing = tr("No patches yet: the server has published none for this PC.")
        return Group(*parts, *(later or [Text(nothing)]))
    wide = columns >= WIDE_COLUMNS
    table = FactTable()
    table.column(tr("patch"), tr("version"), least=PATCH_CELLS, folds=True)
    table.column(tr("state"))
    numbers = (tr("done"), tr("size"), tr("from\norigin"), tr("from\npeers"), tr("wasted"), tr("time"))
    table.column(*numbers, right=True)
    for patch in status.patches:
        table.row(
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
    parts += [table, *_built(status.patches)]
    for patch in status.patches:
        name = titled(patch)
        if patch.waits_for_room and "disk" in status.problem_codes:
            continue  # the disk is full: that is said once, above
        if patch.error:
            parts.append(Text(f"{name}: {in_words(patch.error)}", style="red"))
        elif patch.install in _NEEDS_WORDS:
            style = STATE_STYLES[patch.install]
            parts.append(Text(f"{name}: {in_words(patch.install_reason or '')}", style=style))
        elif patch.left:
            parts.append(Text(tr("{name}: its file has left to make room", name=name), style="dim"))
        elif patch.path:
            parts.append(Text(f"{name}: {patch.path}", style="dim"))
        elif patch.title:
            parts.append(Text(name, style="dim"))
    return Group(*parts, *later)


def _built(patches: Iterable[StatusPatch]) -> list[Text]:
    """Return a line for each patch of which something was built here."""
    return [Text(f"{titled(patch)}: {built_words(patch)}", style="dim") for patch in patches if patch.bytes_built]


_NEEDS_WORDS = frozenset({"failed", "rolled_back", "retrying", "unproven", "restart_pending"})


def _network_part(part: NetworkPartStatus | None) -> list[RenderableType]:
    """Return a line on who speaks with the network for this PC."""
    if part is None:
        return []
    own = tr("a process of its own, as {user}") if part.separate else tr("with the daemon's rights, as {user}")
    state = "" if part.running else tr(", not running now")
    note = tr(" ({note})", note=in_words(part.note)) if part.note else ""
    return [Text.assemble((tr("network part"), "dim"), f" {own.format(user=part.user)}{state}", (note, "dim"))]


def _disk(disk: DiskStatus | None) -> list[RenderableType]:
    """Return a line on who uses what of the disk."""
    if disk is None:
        return []
    uses = (
        (disk.to_install_bytes, tr("{size} for this PC")),
        (disk.shared_bytes, tr("{size} for neighbours")),
        (disk.kept_bytes, tr("{size} to go back to")),
        (disk.other_bytes, tr("{size} other")),
    )
    parts = ", ".join(text.format(size=bytes_text(size)) for size, text in uses if size)
    sizes = {"used": bytes_text(disk.used_bytes), "quota": bytes_text(disk.quota_bytes)}
    total = tr("{used} of {quota}", **sizes)
    free = tr("{size} free", size=bytes_text(disk.free_bytes))
    return [Text.assemble((tr("disk"), "dim"), f" {total}{f' ({parts})' if parts else ''}; {free}")]


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


def peers_view(answer: PeersAnswer) -> RenderableType:
    """Show each neighbour: connected, or why not."""
    if not answer.peers:
        return Text(tr("No neighbours known yet: none has announced itself by mDNS, and the server has named none."))
    table = FactTable()
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("address"), least=ADDRESS_CELLS, folds=True)
    table.column(tr("source"), tr("state"))
    table.column(tr("received"), tr("sent"), right=True)
    table.sentences(tr("because"))
    for peer in answer.peers:
        host = f"[{peer.address}]" if ":" in peer.address else peer.address
        reason = "" if peer.connected else in_words(peer.reason or "")
        state = Text(tr("connected"), style="green") if peer.connected else Text(tr("not connected"), style="dim")
        table.row(
            peer.endpoint_id,
            f"{host}:{peer.port}",
            "+".join(peer.sources),
            state,
            bytes_text(peer.bytes_received),
            bytes_text(peer.bytes_sent),
            sentences=[Text(reason, style="dim")],
            below=Text(f"{peer.endpoint_id[:ID_CELLS]} {host}: {reason}", style="dim") if reason else None,
        )
    return table
