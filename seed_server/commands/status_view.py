"""What `seed-server status` shows: how far each patch is in the fleet, and what needs a person.

One line a patch, and the PCs one by one only of a patch that was asked for, or where there are few patches: twenty-five
patches on two hundred PCs fit on two screens. What newer publications have replaced is history, and is only named.
"""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import in_words, span, tr, trn
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import ID_CELLS, NAME_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.watching import show
from seed_server.commands.status_document import status_document
from seed_server.commands.texts import FULL_COLUMNS, problem_lines
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import PatchCoverage, Reached, reached, shown_state
from seed_server.fleet.queries import FleetStatus, install_counts, read_status
from seed_server.store.rows import EndpointRow, ReportRow, ServedPayload

MAX_ENDPOINT_ROWS = 40  # of a patch, for people; --json has all
MAX_REASON_LINES = 12  # likewise: PCs that say the same share a line
MAX_NAMED_PCS = 4  # of PCs in one line
FEW_PATCHES = 3  # up to so many, each is shown PC by PC
_PATCH_CELLS = 22  # of a patch's id and version, and of its title


def fleet_tables(status: FleetStatus, columns: int, asked: str | None = None) -> RenderableType:
    """Return what people see, the newest patch first, for a terminal that is ``columns`` wide.

    ``asked``: an id or ID@VERSION, whose PCs are shown one by one. Raises `UserError` (BAD_INPUT) for one that was
    never published here.
    """
    parts: list[RenderableType] = [_head(status), *problem_lines(status.problems)]
    if status.repository_problem:
        parts.append(Text(in_words(status.repository_problem), style="red"))
    if claiming := sum(bool(endpoint.claimed_site) for endpoint in status.endpoints):
        claims = tr(
            "claim a site where they are not seen: {number} of {all} endpoints; see seed-server endpoints",
            number=claiming, all=len(status.endpoints),
        )  # fmt: skip
        parts.append(Text(claims, style="yellow"))
    if shared := sum(bool(endpoint.shared_with) for endpoint in status.endpoints):
        words = trn(
            "several PCs show the identity of {number} endpoint; see seed-server endpoints",
            "several PCs show the identity of {number} endpoints; see seed-server endpoints",
            shared,
        )
        parts.append(Text(words, style="red"))
    if asked is not None:
        for patch in _asked_for(status, asked):
            parts += ["", *_in_detail(status, patch, columns)]
        return Group(*parts)
    if not status.patches:
        parts.append(Text(tr("No patches yet. Publish one with: {command}", command=PUBLISH_COMMAND)))
    current = [patch for patch in reversed(status.patches) if patch.ref not in status.replaced]
    if len(current) <= FEW_PATCHES:
        for patch in current:
            parts += ["", *_in_detail(status, patch, columns)]
    else:
        parts += ["", _patch_table(status, current, columns), *_what_needs_a_person(status, current)]
        parts.append(Text(tr("Its PCs one by one: seed-server status PATCH"), style="dim"))
    if status.replaced:
        parts += ["", Text(_history(status), style="dim")]
    return Group(*parts)


PUBLISH_COMMAND = "seed-server publish FILE --patch-id ID --version V"


def _head(status: FleetStatus) -> Text:
    connected = sum(endpoint.connected for endpoint in status.endpoints) if status.serving else 0
    serving = (
        (tr("{name} is serving", name=status.server_name), "green")
        if status.serving
        else (tr("{name} is NOT serving", name=status.server_name), "red")
    )
    return Text.assemble(
        serving, tr(", {number} of {all} endpoints connected", number=connected, all=len(status.endpoints))
    )


def _asked_for(status: FleetStatus, asked: str) -> Sequence[ServedPayload]:
    found = [patch for patch in reversed(status.patches) if patch.ref.matches(asked)]
    if not found:
        raise UserError(
            f"No patch {asked[:80]!r} was published here. 'seed-server list' lists them.", FaultKind.BAD_INPUT
        )
    return [patch for patch in found if patch.ref not in status.replaced] or found[:1]


# --- all patches, one a line ----------------------------------------------------------


def _patch_table(status: FleetStatus, patches: Sequence[ServedPayload], columns: int) -> RenderableType:
    wide = columns >= FULL_COLUMNS
    table = FactTable()
    table.column(tr("patch"), *([tr("title")] if wide else []), least=_PATCH_CELLS)
    table.column(tr("severity"))
    headings = (
        tr("in-\nstalled"), tr("deli-\nvered"), tr("under\nway"), tr("failed"), tr("off"), tr("no\nword"),
        tr("not\nfor it"),
    )  # fmt: skip
    table.column(*headings, right=True)
    for patch in patches:
        covered = status.coverage_of(patch)
        table.row(
            Text(f"{patch.patch_id} {patch.version}", style=_patch_style(status, patch)),
            *([printable(patch.title)] if wide else []),
            in_words(patch.severity),
            *(_count(covered, one) for one in _IN_TABLE),
        )
    return table


_IN_TABLE = (
    Reached.INSTALLED, Reached.DELIVERED, Reached.UNDER_WAY, Reached.FAILED, Reached.AWAY, Reached.SILENT,
    Reached.NOT_APPLICABLE,
)  # fmt: skip
_REACHED_STYLES = {Reached.INSTALLED: "green", Reached.DELIVERED: "green", Reached.FAILED: "red"}


def _count(covered: PatchCoverage, one: Reached) -> Text:
    number = covered.count(one)
    return Text(str(number), style=_REACHED_STYLES.get(one, "")) if number else Text("–", style="dim")


def _patch_style(status: FleetStatus, patch: ServedPayload) -> str:
    broken = patch.ref in status.unannounced or patch.ref in status.withdrawn or status.damage_of(patch)
    return "red" if broken else "bold"


def _what_needs_a_person(status: FleetStatus, patches: Sequence[ServedPayload]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for patch in patches:
        name = f"{patch.patch_id} {patch.version}"
        lines += [Text(f"{name}: {line.plain}", style=line.style) for line in _state_lines(status, patch)]
        lines += [Text(f"{name}: {line.plain}", style=line.style) for line in _reasons(status, patch, failed_only=True)]
    if len(lines) > MAX_REASON_LINES:
        more = len(lines) - MAX_REASON_LINES
        lines = [
            *lines[:MAX_REASON_LINES],
            Text(
                trn("… and {number} more line: see --json", "… and {number} more lines: see --json", more), style="dim"
            ),
        ]
    return lines


def _history(status: FleetStatus) -> str:
    old = [
        f"{ref} → {version}" if version else str(ref) for ref, version in sorted(status.replaced.items(), reverse=True)
    ]
    shown = ", ".join(old[:MAX_REASON_LINES]) + (" …" if len(old) > MAX_REASON_LINES else "")
    return tr("Replaced, and not counted any more: {patches}", patches=shown)


# --- one patch, PC by PC --------------------------------------------------------------


def _in_detail(status: FleetStatus, patch: ServedPayload, columns: int) -> list[RenderableType]:
    parts: list[RenderableType] = [_patch_head(status, patch), *_state_lines(status, patch)]
    if patch.ref in status.unannounced:
        return parts
    if patch.ref in status.replaced:
        parts.append(Text(tr("replaced: what PCs last said of it"), style="dim"))
    reports = [report for report in status.of_patch(patch) if shown_state(report) != "not_applicable"]
    if reports:
        parts += [*_report_table(status, reports, columns)]
    if not status.of_patch(patch):
        parts.append(Text(tr("no endpoint has reported on it yet"), style="dim"))
    parts += [*_reasons(status, patch), *_silent_line(status, patch)]
    if status.sites_of(patch):
        parts += ["", _site_table(status, patch)]
    return parts


def _patch_head(status: FleetStatus, patch: ServedPayload) -> Text:
    covered = status.coverage_of(patch)
    installs = install_counts(status.of_patch(patch))
    counts = [_counted(count, state_word(state)) for state, count in installs.items() if count]
    for one, word in ((Reached.AWAY, tr("off")), (Reached.SILENT, tr("without a word yet"))):
        if count := covered.count(one):
            counts.append(_counted(count, word))
    verified = status.verified_on(patch)
    title = f" {printable(patch.title)}" if patch.title else ""
    return Text.assemble(
        (f"{patch.patch_id} {patch.version}", "bold"),
        f"{title}{tr(', ')}{in_words(patch.severity)}{tr(', ')}{bytes_text(patch.length_bytes)}: ",
        (
            tr("verified on {number} of {all} endpoints", number=verified, all=covered.total),
            "green" if verified else "",
        ),
        f"{tr('; ')}{tr(', ').join(counts)}" if counts else "",
    )


def _counted(number: int, state: str) -> str:
    return tr("{number} {state}", number=number, state=state)


def _state_lines(status: FleetStatus, patch: ServedPayload) -> list[Text]:
    """Return what is wrong with the patch itself."""
    lines = []
    if reason := status.withdrawn.get(patch.ref):
        lines.append(Text(tr("withdrawn: {reason}", reason=printable(reason)), style="red"))
    if patch.ref in status.unannounced:
        words = tr("not announced: its publication was cut off (publish it again), or is at work now")
        lines.append(Text(words, style="red"))
    elif damage := status.damage_of(patch):
        lines.append(Text(tr("cannot be served: {damage}", damage=in_words(damage)), style="red"))
    return lines


def _report_table(status: FleetStatus, reports: list[ReportRow], columns: int) -> list[RenderableType]:
    wide = columns >= FULL_COLUMNS
    table = FactTable()
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("host"), least=NAME_CELLS)
    if wide:
        table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("state"))
    numbers = (tr("done"), tr("from\norigin"), tr("from\npeers"), *([tr("wasted")] if wide else []), tr("time"))
    table.column(*numbers, right=True)
    known = status.endpoint_by_id
    # what needs a person comes first
    ordered = sorted(reports, key=lambda r: (_rank(r), known[r.endpoint_id].hostname, r.endpoint_id))
    for report in ordered[:MAX_ENDPOINT_ROWS]:
        endpoint = known[report.endpoint_id]
        table.row(
            report.endpoint_id,
            printable(endpoint.hostname),
            *([endpoint.site] if wide else []),
            _state_cell(status, endpoint, report),
            f"{int(report.progress * 100)}%",  # rounded down: 100 means all of it
            bytes_text(report.bytes_from_origin),
            bytes_text(report.bytes_from_peers),
            *([bytes_text(report.bytes_wasted)] if wide else []),
            span(report.seconds),
        )
    if len(ordered) <= MAX_ENDPOINT_ROWS:
        return [table]
    more = len(ordered) - MAX_ENDPOINT_ROWS
    words = trn("… and {number} more endpoint: see --json", "… and {number} more endpoints: see --json", more)
    return [table, Text(words, style="dim")]


def _state_cell(status: FleetStatus, endpoint: EndpointRow, report: ReportRow) -> Text:
    state = shown_state(report)
    if reached(endpoint, report, serving=status.serving) is Reached.AWAY and state == report.state != "verified":
        return Text(tr("away ({state})", state=state_word(state)), style="dim")
    return Text(state_word(state), style=STATE_STYLES.get(state, "cyan"))


def _reasons(status: FleetStatus, patch: ServedPayload, *, failed_only: bool = False) -> list[Text]:
    """Return why PCs are not done: those that say the same, in one line, as often it is one cause."""
    grouped: dict[tuple[str, str], list[ReportRow]] = {}
    for report in sorted(status.of_patch(patch), key=_rank):
        of_install = report.install_reason if report.install not in ("", "installed") else ""
        for state, said in ((report.state, report.error), (report.install, of_install)):
            if said and (not failed_only or _rank(report) == 0):
                grouped.setdefault((state, said), []).append(report)
    lines = []
    for (state, said), reports in list(grouped.items())[:MAX_REASON_LINES]:
        who = _names([status.endpoint_by_id[report.endpoint_id] for report in reports])
        words = said.removeprefix("not applicable: ") if state == "not_applicable" else said
        lines.append(
            Text(f"{who} {state_word(state)}: {in_words(printable(words))}", style=STATE_STYLES.get(state, ""))
        )
        if not failed_only and (output := reports[0].install_output):
            lines.append(Text(f"  {tr('its installer wrote')}: {printable(output)}", style="dim"))
    return lines


def _silent_line(status: FleetStatus, patch: ServedPayload) -> list[Text]:
    """Return which PCs have never said a word of the patch: they are off, or have not come to it."""
    silent = status.coverage_of(patch).by_class[Reached.SILENT]
    if not silent or not status.of_patch(patch):
        return []
    return [Text(tr("no word yet from {pcs}", pcs=_names(silent)), style="dim")]


def _names(endpoints: Sequence[EndpointRow]) -> str:
    """Return who it is: one PC with its id, as it may have to be named in a command; of several, the first ones."""
    if len(endpoints) == 1:
        return f"{printable(endpoints[0].hostname)} ({endpoints[0].endpoint_id})"
    names = ", ".join(printable(endpoint.hostname) for endpoint in endpoints[:MAX_NAMED_PCS])
    more = ", …" if len(endpoints) > MAX_NAMED_PCS else ""
    return trn("{number} PC ({names})", "{number} PCs ({names})", len(endpoints), names=names + more)


def _site_table(status: FleetStatus, patch: ServedPayload) -> RenderableType:
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("over the line"), tr("÷ file"), right=True)
    for site, count, ratio in status.sites_of(patch):
        table.row(site, bytes_text(count), f"{ratio:.3f}")
    return table


def _rank(report: ReportRow) -> int:
    if report.state == "failed" or report.install in ("failed", "rolled_back"):
        return 0
    return 2 if shown_state(report) in ("verified", "installed", "not_applicable") else 1


def show_status(context: Context, *, patch: str | None, as_json: bool, watch: bool) -> None:
    """Print the fleet's state once, or repeatedly until Ctrl-C; of ``patch`` alone, if given. Raises `UserError`."""

    def document(status: FleetStatus) -> object:
        refs = None if patch is None else {PatchRef(one.patch_id, one.version) for one in _asked_for(status, patch)}
        return status_document(status, only=refs)

    show(
        lambda: read_status(context),
        document,
        lambda status, columns: fleet_tables(status, columns, patch),
        as_json=as_json,
        watch=watch,
    )
