"""What `seed-server status` shows: how far each patch is in the fleet, and what needs a person.

A page of patches by counts, one line a patch, or a page of PCs: whatever the fleet's size, that is one screen.
What newer publications have replaced is history, and is only named.
"""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import age_text, bytes_text
from p2pdist.shared.language import in_words, tr, trn
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import FactTable
from seed_server.commands.paging import end_of_rows, next_page
from seed_server.commands.status_pcs import built_lines, pc_line, pc_table, sites_table
from seed_server.commands.texts import FULL_COLUMNS, problem_lines
from seed_server.fleet.coverage import Reached
from seed_server.fleet.estimate import NoPace
from seed_server.fleet.overview import FleetHead, PatchProgress
from seed_server.fleet.reason_codes import REASON_CODES
from seed_server.fleet.standing import StatusQuestion
from seed_server.fleet.status import REASONS_OF_A_PAGE, REASONS_OF_A_PATCH, StatusScreen
from seed_server.fleet.way_back import GoneBack
from seed_server.reporting.rollout_sentences import way_back_words
from seed_server.store.count_rows import PatchHead, ReasonCount

MOST_REPLACED = 4  # that are named
MOST_WRONG = 3  # patches that are named, of those that something is wrong with
_PATCH_CELLS = 22  # of a patch's id and version, and of its title
PUBLISH_COMMAND = "seed-server publish FILE --patch-id ID --version V"


def status_view(screen: StatusScreen, columns: int, now: float) -> RenderableType:
    """Return what people see, the newest patch first, for a terminal that is ``columns`` wide."""
    parts: list[RenderableType] = [*_head(screen.head)]
    if screen.page is None:
        parts += _patches(screen, columns)
    else:
        for progress in screen.patches:
            parts += ["", *_in_detail(screen, progress, columns, now)]
        if not screen.patches and screen.page.rows:
            parts += ["", *([pc_line(screen.page.rows[0], now)] if screen.question.endpoint else [])]
            parts.append(pc_table(screen.page.rows, screen.question, columns, now))
        parts += _end_of_pcs(screen)
    if screen.head.history and not screen.question.of_pcs:
        parts += ["", Text(_history(screen.head), style="dim")]
    return Group(*parts)


def _head(head: FleetHead) -> Iterator[RenderableType]:
    endpoints = head.endpoints
    serving = (
        (tr("{name} is serving", name=head.server_name), "green")
        if head.serving
        else (tr("{name} is NOT serving", name=head.server_name), "red")
    )
    connected = endpoints.connected if head.serving else 0
    counts = tr(", {number} of {all} endpoints connected", number=connected, all=endpoints.everyone)
    yield Text.assemble(serving, counts)
    yield from problem_lines(head.problems)
    if head.repository_problem:
        yield Text(in_words(head.repository_problem), style="red")
    if endpoints.claiming:
        claims = tr(
            "claim a site where they are not seen: {number} of {all} endpoints; see seed-server endpoints",
            number=endpoints.claiming, all=endpoints.everyone,
        )  # fmt: skip
        yield Text(claims, style="yellow")
    if endpoints.shared:
        words = trn(
            "several PCs show the identity of {number} endpoint; see seed-server endpoints",
            "several PCs show the identity of {number} endpoints; see seed-server endpoints",
            endpoints.shared,
        )
        yield Text(words, style="red")
    if not head.patches and not head.history:
        yield Text(tr("No patches yet. Publish one with: {command}", command=PUBLISH_COMMAND))


# --- patches, one a line --------------------------------------------------------------


def _patches(screen: StatusScreen, columns: int) -> Iterator[RenderableType]:
    if not screen.patches:
        return
    yield ""
    if screen.question.site:
        yield Text(tr("of the PCs of {site} alone:", site=screen.question.site))
    yield _patch_table(screen, columns)
    yield from _wrong_patches(screen.head)
    names = {one.patch.number: f"{one.patch.patch_id} {one.patch.version}" for one in screen.patches}
    for reason in screen.reasons[:REASONS_OF_A_PAGE]:
        line = _reason_line(reason)
        yield Text(f"{names[reason.patch]}: {line.plain}", style=line.style)
    if len(screen.reasons) > REASONS_OF_A_PAGE:
        yield Text(tr("… and other reasons"), style="dim")
    yield from _failed_elsewhere(screen)
    yield from _unknown_rests(screen.patches)
    if screen.after:
        following = _command(screen.question, after=screen.after)
        shown, everything = len(screen.patches), len(screen.head.patches)
        words = tr("{number} of {all} patches; the next: {command}", number=shown, all=everything, command=following)
        yield Text(words, style="dim")
    yield Text(tr("Its PCs one by one: seed-server status PATCH; who lacks it: --lacking"), style="dim")


def _wrong_patches(head: FleetHead) -> Iterator[Text]:
    """Yield what is wrong with patches themselves, on whatever page they are."""
    lines = [(patch, line) for patch in head.patches for line in _state_lines(head, patch)]
    for patch, line in lines[:MOST_WRONG]:
        yield Text(f"{patch.patch_id} {patch.version}: {line.plain}", style=line.style)
    if more := max(0, len(lines) - MOST_WRONG):
        yield Text(
            trn("… and {number} more line: see --json", "… and {number} more lines: see --json", more), style="dim"
        )


def _failed_elsewhere(screen: StatusScreen) -> Iterator[Text]:
    failed = screen.failed_elsewhere
    if not failed:
        return
    named = [
        tr("{patch} ({number})", patch=f"{patch.patch_id} {patch.version}", number=count)
        for patch, count in failed[:MOST_WRONG]
    ]
    more = f" … (+{len(failed) - MOST_WRONG})" if len(failed) > MOST_WRONG else ""
    words = tr("failed on other pages too: {patches}", patches=tr(", ").join(named) + more)
    yield Text(words, style="red")


def _patch_table(screen: StatusScreen, columns: int) -> RenderableType:
    wide = columns >= FULL_COLUMNS
    table = FactTable()
    table.column(tr("patch"), *([tr("title")] if wide else []), least=_PATCH_CELLS)
    if wide:
        table.column(tr("severity"))
    headings = (
        tr("in-\nstalled"), tr("deli-\nvered"), tr("under\nway"), tr("failed"), tr("off"), tr("no\nword"),
        tr("not\nfor it"), tr("rest\nin"),
    )  # fmt: skip
    table.column(*headings, right=True)
    for progress in screen.patches:
        patch = progress.patch
        table.row(
            Text(f"{patch.patch_id} {patch.version}", style=_patch_style(screen.head, patch)),
            *([printable(patch.title), in_words(patch.severity)] if wide else []),
            *(_count(progress, one) for one in _IN_TABLE),
            _rest(progress),
        )
    return table


_IN_TABLE = (
    Reached.INSTALLED, Reached.DELIVERED, Reached.UNDER_WAY, Reached.FAILED, Reached.AWAY, Reached.SILENT,
    Reached.NOT_APPLICABLE,
)  # fmt: skip
_REACHED_STYLES = {Reached.INSTALLED: "green", Reached.DELIVERED: "green", Reached.FAILED: "red"}


def _count(progress: PatchProgress, one: Reached) -> Text:
    number = progress.counts[one]
    return Text(str(number), style=_REACHED_STYLES.get(one, "")) if number else Text("–", style="dim")


def _rest(progress: PatchProgress) -> Text:
    if progress.rest.seconds is not None:
        return Text(f"~{in_words(age_text(progress.rest.seconds + 59.0))}")
    return Text("?" if progress.rest.why_not else "–", style="dim")


def _unknown_rests(patches: Sequence[PatchProgress]) -> Iterator[Text]:
    unknown = [one.rest.why_not for one in patches]
    for why in NoPace:
        if why in unknown:
            yield Text(tr("rest in ?: not known, as {reason}", reason=in_words(why.value)), style="dim")


def _patch_style(head: FleetHead, patch: PatchHead) -> str:
    return "red" if [*_state_lines(head, patch)] else "bold"


def _state_lines(head: FleetHead, patch: PatchHead) -> Iterator[Text]:
    """Yield what is wrong with the patch itself."""
    if reason := head.announced.withdrawn.get(patch.ref):
        yield Text(tr("withdrawn: {reason}", reason=printable(reason)), style="red")
    if patch.ref in head.announced.cut_off:
        words = tr("not announced: its publication was cut off (publish it again), or is at work now")
        yield Text(words, style="red")
    elif damage := head.damages.get(patch.number):
        yield Text(tr("cannot be served: {damage}", damage=in_words(damage)), style="red")


def _history(head: FleetHead) -> str:
    old = [
        f"{patch.ref} → {version}" if (version := head.replaced[patch.ref]) else str(patch.ref)
        for patch in head.history[:MOST_REPLACED]
    ]
    more = len(head.history) - len(old)
    shown = ", ".join(old) + (f" … (+{more})" if more else "")
    return tr("Replaced, and not counted any more: {patches}", patches=shown)


# --- patches in detail, and PCs -------------------------------------------------------


def _in_detail(screen: StatusScreen, progress: PatchProgress, columns: int, now: float) -> Iterator[RenderableType]:
    head, patch = screen.head, progress.patch
    yield _patch_head(progress, screen.question.site)
    yield from _state_lines(head, patch)
    if patch.ref in head.announced.cut_off:
        return
    if patch.ref in head.replaced:
        yield Text(tr("replaced: what PCs last said of it"), style="dim")
    yield from _rest_line(progress, screen.back.get(patch.ref))
    reasons = [one for one in screen.reasons if one.patch == patch.number]
    for reason in reasons[:REASONS_OF_A_PATCH]:
        yield _reason_line(reason)
        if reason.output:
            yield Text(f"  {tr('its installer wrote')}: {printable(reason.output)}", style="dim")
    if len(reasons) > REASONS_OF_A_PATCH:
        yield Text(tr("… and other reasons"), style="dim")
    rows = [row for row in (screen.page.rows if screen.page else ()) if row.patch.number == patch.number]
    if rows:
        yield pc_table(rows, screen.question, columns, now)
    if not progress.states:
        yield Text(tr("no endpoint has reported on it yet"), style="dim")
    elif (silent := progress.counts[Reached.SILENT]) and not screen.question.narrowed:
        words = trn(
            "no word yet from {number} PC: see --state silent",
            "no word yet from {number} PCs: see --state silent",
            silent,
        )
        yield Text(words, style="dim")
    if (sent := screen.sites.get(patch.number)) and not screen.question.paged:
        yield ""
        yield from sites_table(sent)
    yield from built_lines(screen.bytes.get(patch.number), screen.smaller.get(patch.number))


def _patch_head(progress: PatchProgress, site: str) -> Text:
    patch, counts = progress.patch, progress.counts
    unsettled = [
        _counted(number, state_word(state))
        for state, number in sorted(progress.states.items())
        if number and state not in ("installed", "verified", "not_applicable", "failed")
    ]
    words = [
        *((Reached.INSTALLED, state_word("installed")), (Reached.DELIVERED, state_word("delivered"))),
        *((Reached.UNDER_WAY, tr("under way")), (Reached.FAILED, state_word("failed")), (Reached.AWAY, tr("off"))),
        *((Reached.SILENT, tr("without a word yet")), (Reached.NOT_APPLICABLE, state_word("not_applicable"))),
    ]
    said = [_counted(counts[one], word) for one, word in words if counts[one]]
    title = f" {printable(patch.title)}" if patch.title else ""
    where = tr(" at {site}", site=site) if site else ""
    return Text.assemble(
        (f"{patch.patch_id} {patch.version}", "bold"),
        f"{title}{tr(', ')}{in_words(patch.severity)}{tr(', ')}{bytes_text(patch.length_bytes)}: ",
        (
            tr("verified on {number} of {all} endpoints", number=progress.verified, all=progress.total) + where,
            "green" if progress.verified else "",
        ),
        f"{tr('; ')}{tr(', ').join(said)}" if said else "",
        tr(" (they say: {states})", states=tr(", ").join(unsettled)) if unsettled else "",
    )


def _counted(number: int, state: str) -> str:
    return tr("{number} {state}", number=number, state=state)


def _rest_line(progress: PatchProgress, back: GoneBack | None) -> Iterator[Text]:
    if words := way_back_words(back):
        yield Text(words)
    if progress.rest.seconds is not None:
        lasts = in_words(age_text(progress.rest.seconds + 59.0))
        yield Text(tr("those under way are done in about {duration}, at the pace of the last 3 hours", duration=lasts))
    elif progress.rest.why_not:
        why = in_words(progress.rest.why_not.value)
        yield Text(tr("when those under way are done is not known, as {reason}", reason=why), style="dim")


def _reason_line(one: ReasonCount) -> Text:
    """Return why PCs are not done: those that say the same, in one line, as often it is one cause."""
    words = one.reason.removeprefix("not applicable: ") if one.state == "not_applicable" else one.reason
    text = f"{_names(one)} {state_word(one.state)}: {in_words(printable(words))}"
    return Text(text, style=STATE_STYLES.get(one.state, ""))


def _names(one: ReasonCount) -> str:
    """Return who it is: one PC with its id, as it may have to be named in a command; of several, the first ones."""
    if one.endpoints == 1 and one.examples:
        ((endpoint_id, hostname),) = one.examples[:1]
        return f"{printable(hostname)} ({endpoint_id})"
    names = ", ".join(printable(hostname) for _, hostname in one.examples)
    more = ", …" if one.endpoints > len(one.examples) else ""
    return trn("{number} PC ({names})", "{number} PCs ({names})", one.endpoints, names=names + more)


def _end_of_pcs(screen: StatusScreen) -> Iterator[Text]:
    page, question = screen.page, screen.question
    assert page is not None
    if not page.rows and question.narrowed and not page.after:
        nobody = tr("No PC answers to this.")
        codes = ", ".join(REASON_CODES)
        hint = tr(" --reason takes words of a reason, or one of: {codes}", codes=codes) if question.reason else ""
        yield Text(nobody + hint)
    following = _command(question, after=page.after) if page.after else ""
    if page.unfinished_search:
        words = tr(
            "{number} found in the patches that were searched; to search the next ones: {command}",
            number=len(page.rows), command=following,
        )  # fmt: skip
        yield Text(words, style="dim")
    elif following or (question.narrowed and page.total is not None and page.total > len(page.rows)):
        yield from end_of_rows(len(page.rows), page.total, following)
    elif question.narrowed and page.rows:
        yield Text(trn("{number} row", "{number} rows", len(page.rows)), style="dim")


def _command(question: StatusQuestion, *, after: str) -> str:
    words = ["seed-server", "status"]
    for option in ("patch", "endpoint", "site", "reason", "state"):
        if value := getattr(question, option):
            words += [f"--{option}", value]
    words += ["--lacking"] if question.lacking else []
    return next_page(words, size=question.size, after=after)
