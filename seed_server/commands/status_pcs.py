"""The tables of `seed-server status` whose rows are PCs, and sites."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from bandwidth.core.quantities import age_text, bytes_text
from p2pdist.shared.language import in_words, span, tr, trn
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import ID_CELLS, NAME_CELLS, SITE_CELLS, FactTable
from seed_server.commands.texts import FULL_COLUMNS
from seed_server.fleet.coverage import Reached, shown
from seed_server.fleet.smaller_updates import SmallerUpdate
from seed_server.fleet.standing import PatchOnPc, StatusQuestion
from seed_server.fleet.status import SITES_OF_A_PATCH, SentToSite
from seed_server.store.rows import PatchBytes

_PATCH_CELLS = 20


def pc_table(rows: Sequence[PatchOnPc], question: StatusQuestion, columns: int, now: float) -> RenderableType:
    """Return the table of a page of PCs; of one PC, that of its patches."""
    if question.endpoint:
        return _patches_of_pc(rows, now)
    if not question.narrowed:
        return _transfers(rows, columns)
    return _whereabouts(rows, columns, now, one_patch=bool(question.patch))


def _transfers(rows: Sequence[PatchOnPc], columns: int) -> RenderableType:
    """Return what came from where."""
    wide = columns >= FULL_COLUMNS
    table = FactTable()
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("host"), least=NAME_CELLS)
    if wide:
        table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("state"))
    numbers = (tr("done"), tr("from\norigin"), tr("from\npeers"), *([tr("wasted")] if wide else []), tr("time"))
    table.column(*numbers, right=True)
    for row in rows:
        pc = row.pc
        table.row(
            pc.endpoint_id, printable(pc.hostname), *([pc.site] if wide else []), _state(row), _done(row),
            bytes_text(pc.bytes_from_origin), bytes_text(pc.bytes_from_peers),
            *([bytes_text(pc.bytes_wasted)] if wide else []), span(pc.seconds),
        )  # fmt: skip
    return table


def _whereabouts(rows: Sequence[PatchOnPc], columns: int, now: float, *, one_patch: bool) -> RenderableType:
    """Return how PCs stand, and when they were seen last: what is asked of those that lack something."""
    wide = columns >= FULL_COLUMNS
    table = FactTable()
    if not one_patch:
        table.column(tr("patch"), least=_PATCH_CELLS)
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("host"), least=NAME_CELLS)
    if wide or one_patch:
        table.column(tr("site"), least=SITE_CELLS - 4)
    table.column(tr("state"))
    table.column(*([tr("done")] if wide or one_patch else []), tr("seen"), right=True)
    reasons = wide and any(map(_because, rows))
    table.sentences(*([tr("because")] if reasons else []))
    for row in rows:
        pc = row.pc
        table.row(
            *([] if one_patch else [Text(f"{row.patch.patch_id} {row.patch.version}", style="bold")]),
            pc.endpoint_id, printable(pc.hostname), *([pc.site] if wide or one_patch else []), _state(row),
            *([_done(row)] if wide or one_patch else []), _seen(row, now),
            sentences=(_because(row),) if reasons else (),
        )  # fmt: skip
    return table


def _patches_of_pc(rows: Sequence[PatchOnPc], now: float) -> RenderableType:
    table = FactTable()
    table.column(tr("patch"), least=_PATCH_CELLS)
    table.column(tr("state"))
    numbers = (tr("done"), tr("from\norigin"), tr("from\npeers"), tr("time"), tr("said"))
    table.column(*numbers, right=True)
    reasons = any(map(_because, rows))
    table.sentences(*([tr("because")] if reasons else []))
    for row in rows:
        pc = row.pc
        facts = (bytes_text(pc.bytes_from_origin), bytes_text(pc.bytes_from_peers), span(pc.seconds))
        name = f"{row.patch.patch_id} {row.patch.version}"
        because = _because(row)
        table.row(
            Text(name, style="bold"), _state(row), _done(row),
            *(facts if pc.said else (Text("–", style="dim"),) * len(facts)),
            _ago(now - pc.reported_at) if pc.said else Text(tr("never"), style="dim"),
            sentences=(because,) if reasons else (),
            below=Text(f"{name}: {because}", style=_state(row).style) if because else None,
        )  # fmt: skip
    return table


def pc_line(row: PatchOnPc, now: float) -> Text:
    """Return which PC it is, where, and whether it is there."""
    pc = row.pc
    where = tr(" at {site}", site=pc.site) if pc.site else ""
    said = _seen(row, now)
    if pc.denied:
        said = Text(tr("denied"), style="red")
    elif not pc.connected and pc.last_seen_at:
        said = Text(tr("seen {duration} ago", duration=in_words(age_text(now - pc.last_seen_at))))
    return Text.assemble((f"{printable(pc.hostname)} ({pc.endpoint_id})", "bold"), f"{where}{tr(': ')}", said)


def _because(row: PatchOnPc) -> str:
    said = tr("; ").join(in_words(printable(one)) for one in row.pc.reasons)
    return said.removeprefix("not applicable: ") if row.reached is Reached.NOT_APPLICABLE else said


def _state(row: PatchOnPc) -> Text:
    if row.pc.said is None:
        return Text(tr("no word yet"), style="dim")
    state = shown(*row.pc.said)
    if row.reached is Reached.AWAY:
        return Text(tr("away ({state})", state=state_word(state)), style="dim")
    return Text(state_word(state), style=STATE_STYLES.get(state, "cyan"))


def _done(row: PatchOnPc) -> str | Text:
    if row.pc.said is None:
        return Text("–", style="dim")
    return f"{int(row.pc.progress * 100)}%"  # rounded down: 100 means all of it


def _seen(row: PatchOnPc, now: float) -> Text:
    if row.pc.connected:
        return Text(tr("connected"), style="green")
    if not row.pc.last_seen_at:
        return Text(tr("never seen"), style="yellow")
    return Text(_ago(now - row.pc.last_seen_at))


def _ago(seconds: float) -> str:
    return tr("{duration} ago", duration=in_words(age_text(seconds)))


def sites_table(sent: Sequence[SentToSite]) -> Iterator[RenderableType]:
    """Yield what went to which site; those that took most, and how many others there are."""
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("over the line"), tr("÷ file"), right=True)
    for one in sent[:SITES_OF_A_PATCH]:
        table.row(one.site, bytes_text(one.wan_bytes), f"{one.wan_bytes / one.file_bytes:.3f}")
    yield table
    if more := len(sent) - SITES_OF_A_PATCH if len(sent) > SITES_OF_A_PATCH else 0:
        words = trn("… and {number} more site: see --json", "… and {number} more sites: see --json", more)
        yield Text(words, style="dim")


def built_lines(count: PatchBytes | None, updates: Sequence[SmallerUpdate] | None) -> Iterator[Text]:
    """Yield where PCs have the bytes of a patch from, if they have built any, and how far pieces are coded ahead."""
    if count is not None and count.built:
        words = tr(
            "the PCs have {origin} over the line, {peers} from neighbours; compression and what they had saved {built}",
            origin=bytes_text(count.from_origin), peers=bytes_text(count.from_peers), built=bytes_text(count.built),
        )  # fmt: skip
        yield Text(words)
    if updates:
        said = [
            tr("compressed: {share}", share=f"{one.ready:.0%}")
            if one.base is None
            else tr("from {version}: {share}", version=printable(one.base.version), share=f"{one.ready:.0%}")
            for one in updates
        ]
        yield Text(tr("smaller updates, made ahead: {updates}", updates=tr("; ").join(said)), style="dim")
