"""What `seed-server status` and `seed-server endpoints` show: patches × endpoints, bytes by source, sites."""

from collections.abc import Iterator

import click
from msgspec.structs import asdict
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text, duration_text
from p2pdist.shared.console import PIPE_COLUMNS, STATE_STYLES, print_json, wide_terminal
from p2pdist.shared.printable_text import printable
from p2pdist.shared.watching import show
from seed_server.commands.json_answers.fleet import (
    EndpointDocument,
    InstallCountsDocument,
    PatchDocument,
    PatchEndpointDocument,
    PatchSiteDocument,
    StatusDocument,
    StatusPayloadDocument,
)
from seed_server.commands.texts import counted, plain_table
from seed_server.fleet.context import Context
from seed_server.fleet.queries import FleetStatus, install_counts, read_status
from seed_server.store.rows import EndpointRow, ReportRow, ServedPayload

MAX_ENDPOINT_ROWS = 40  # of a table for people; --json has all
FULL_COLUMNS = 118  # a terminal with less gets a table with shorter and fewer columns
ROOMY_COLUMNS = 126  # room for two spaces between columns
CLAIM_HINT = (
    "The server goes by the address that it sees, not by what a PC claims. Where a site's PCs are seen through address "
    'translation, give that site the translated address in sites.toml: nat = ["ADDRESS"].'
)
SHARED_HINT = (
    "Where several PCs show one identity, a disk was copied after it was enrolled, or a key was stolen. One of them at "
    "a time is served. On each of them but one, stop the daemon and run, with a new token: "
    "p2pdist enrol --force --new-key. If none of them is a copy, deny the endpoint (seed-server deny) and enrol the PC "
    "anew."
)
_NAME_CHARS = 12
_SITE_CHARS = 18
_ID_CHARS = 10  # of a narrow table


def status_document(status: FleetStatus) -> StatusDocument:
    """Return what ``--json`` prints."""
    return StatusDocument(
        server=status.server_name,
        serving=status.serving,
        repository_problem=status.repository_problem or None,
        patches=tuple(_patch_document(status, patch) for patch in status.patches),
        endpoints=endpoint_documents(status),
    )


def endpoint_documents(status: FleetStatus) -> tuple[EndpointDocument, ...]:
    """Return what ``endpoints --json`` prints."""
    return tuple(
        EndpointDocument(
            id=endpoint.endpoint_id,
            hostname=endpoint.hostname,
            site=endpoint.site or None,
            address=endpoint.address or None,
            software=endpoint.software or None,
            connected=endpoint.connected and status.serving,
            denied=endpoint.denied,
            pending=endpoint.pending,
            same_name=tuple(row.endpoint_id for row in status.namesakes_of(endpoint)),
            tags=endpoint.tags,
            enrolled_at=endpoint.enrolled_at,
            last_seen_at=endpoint.last_seen_at or None,
            shared_with=endpoint.shared_with or None,
            claimed_site=endpoint.claimed_site or None,
        )
        for endpoint in status.endpoints
    )


def _patch_document(status: FleetStatus, patch: ServedPayload) -> PatchDocument:
    reports = status.of_patch(patch)
    payloads = (asdict(payload) for payload in status.payloads_of(patch))
    facts = StatusPayloadDocument.__struct_fields__
    return PatchDocument(
        id=patch.patch_id,
        version=patch.version,
        title=patch.title,
        severity=patch.severity,
        cvss=patch.cvss,
        length_bytes=patch.length_bytes,
        sha256=patch.sha256,
        payloads=tuple(StatusPayloadDocument(**{name: payload[name] for name in facts}) for payload in payloads),
        published_at=patch.published_at,
        announced=patch.ref not in status.unannounced,
        damaged=status.damage_of(patch) or None,
        withdrawn=status.withdrawn.get(patch.ref),
        endpoints_verified=status.verified_on(patch),
        install=InstallCountsDocument(**install_counts(reports)),
        endpoints=tuple(_report_document(status, report) for report in reports),
        sites=tuple(
            PatchSiteDocument(site=site, wan_bytes=count, origin_ratio=round(ratio, 4))
            for site, count, ratio in status.sites_of(patch)
        ),
    )


def _report_document(status: FleetStatus, report: ReportRow) -> PatchEndpointDocument:
    endpoint = status.endpoint_by_id[report.endpoint_id]
    return PatchEndpointDocument(
        id=report.endpoint_id,
        hostname=endpoint.hostname,
        site=endpoint.site or None,
        state=report.state,
        progress=report.progress,
        bytes_from_origin=report.bytes_from_origin,
        bytes_from_peers=report.bytes_from_peers,
        bytes_wasted=report.bytes_wasted,
        seconds=report.seconds,
        error=report.error or None,
        install=report.install or None,
        install_reason=report.install_reason or None,
        reported_at=report.reported_at,
    )


def fleet_tables(status: FleetStatus, columns: int) -> RenderableType:
    """Return the tables for people, the newest patch first, for a terminal that is ``columns`` wide."""
    connected = sum(endpoint.connected for endpoint in status.endpoints) if status.serving else 0
    head = Text.assemble(
        status.server_name,
        (" is serving" if status.serving else " is NOT serving", "green" if status.serving else "red"),
        f", {connected} of {len(status.endpoints)} endpoints connected",
    )
    parts: list[RenderableType] = [head]
    if status.repository_problem:
        parts.append(Text(status.repository_problem, style="red"))
    if claiming := sum(bool(endpoint.claimed_site) for endpoint in status.endpoints):
        share = f"{claiming} of {len(status.endpoints)} endpoints"
        parts.append(Text(f"claim a site where they are not seen: {share}; see seed-server endpoints", style="yellow"))
    if shared := sum(bool(endpoint.shared_with) for endpoint in status.endpoints):
        words = f"several PCs show the identity of {counted(shared, 'endpoint')}; see seed-server endpoints"
        parts.append(Text(words, style="red"))
    if not status.patches:
        parts.append(Text("No patches yet. Publish one with: seed-server publish FILE --patch-id ID --version V"))
    for patch in reversed(status.patches):
        parts += ["", _patch_head(status, patch)]
        if patch.ref in status.unannounced:
            parts.append(
                Text("not announced: its publication was cut off (publish it again), or is at work now", style="red")
            )
            continue
        if reason := status.withdrawn.get(patch.ref):
            parts.append(Text(printable(f"withdrawn: {reason}"), style="red"))
        if damage := status.damage_of(patch):
            parts.append(Text(f"cannot be served: {damage}", style="red"))
        reports = status.of_patch(patch)
        if reports:
            parts += [*_report_table(status, reports, columns), "", _site_table(status, patch)]
        else:
            parts.append(Text("no endpoint has reported on it yet", style="dim"))
    return Group(*parts)


def _patch_head(status: FleetStatus, patch: ServedPayload) -> Text:
    verified = status.verified_on(patch)
    installs = install_counts(status.of_patch(patch))
    counts = ", ".join(f"{count} {_words(state)}" for state, count in installs.items() if count)
    title = f" {patch.title}" if patch.title else ""
    return Text.assemble(
        (f"{patch.patch_id} {patch.version}", "bold"),
        f"{title}, {patch.severity}, {bytes_text(patch.length_bytes)}: ",
        (f"verified on {verified} of {len(status.endpoints)} endpoints", "green" if verified else ""),
        f"; {counts}" if counts else "",
    )


def endpoint_table(status: FleetStatus, now: float) -> RenderableType:
    """Return the table of enrolled endpoints for people."""
    table = plain_table()
    table.add_column("endpoint", no_wrap=True)
    for column in ("host", "site"):
        table.add_column(column, overflow="fold")
    for column in ("address", "state"):
        table.add_column(column, no_wrap=True)
    tagged = any(row.tags for row in status.endpoints)
    if tagged:
        table.add_column("tags", overflow="fold")
    doubts = {row.endpoint_id: _doubt(status, row) for row in status.endpoints}
    doubtful = any(doubts.values())
    if doubtful:
        table.add_column("note", overflow="fold")
    for row in status.endpoints:
        if row.pending:
            state = Text("waits to be allowed", style="yellow")
        elif row.denied:
            state = Text("denied", style="red")
        elif row.connected and status.serving:
            state = Text("connected", style="green")
        else:
            state = Text(f"seen {duration_text(now - row.last_seen_at)} ago" if row.last_seen_at else "never seen")
        tags = [" ".join(row.tags)] if tagged else []
        claim = (f", claims {row.claimed_site}", "yellow") if row.claimed_site else ""
        site = Text.assemble(row.site, claim)
        notes = [Text(doubts[row.endpoint_id], style="yellow")] if doubtful else []
        table.add_row(row.endpoint_id, Text(printable(row.hostname)), site, row.address, state, *tags, *notes)
    return Group(table, *_hints(status))


def _hints(status: FleetStatus) -> Iterator[Text]:
    if any(row.shared_with for row in status.endpoints):
        yield Text(SHARED_HINT, style="red")
    if any(row.claimed_site for row in status.endpoints):
        yield Text(CLAIM_HINT, style="yellow")


def _doubt(status: FleetStatus, endpoint: EndpointRow) -> str:
    """Return what is odd about a PC's identity or name; empty: nothing."""
    if endpoint.shared_with:
        return f"its identity is shown by {endpoint.shared_with} too"
    namesakes = status.namesakes_of(endpoint)
    if denied := [row.endpoint_id for row in namesakes if row.denied and not row.pending]:
        return f"named as {denied[0]}, which is denied"
    return f"named as {counted(len(namesakes), 'other PC')}" if namesakes else ""


def _report_table(status: FleetStatus, reports: list[ReportRow], columns: int) -> list[RenderableType]:
    wide = columns >= FULL_COLUMNS
    table = plain_table(close=columns < ROOMY_COLUMNS)
    for column in ("endpoint", "host", *(["site"] if wide else []), "state"):
        table.add_column(column, no_wrap=True)
    for column in ("done", "from\norigin", "from\npeers", *(["wasted"] if wide else []), "time"):
        table.add_column(column, justify="right", no_wrap=True)
    known = status.endpoint_by_id
    # what needs a person comes first
    ordered = sorted(reports, key=lambda r: (_rank(r), known[r.endpoint_id].hostname, r.endpoint_id))
    problems: list[RenderableType] = []
    for report in ordered[:MAX_ENDPOINT_ROWS]:
        endpoint = known[report.endpoint_id]
        name_chars, site_chars = (_NAME_CHARS, _SITE_CHARS) if columns < PIPE_COLUMNS else (columns, columns)
        state = _shown_state(report)
        away = state == report.state != "verified" and not (endpoint.connected and status.serving)
        table.add_row(
            report.endpoint_id if wide else _cut(report.endpoint_id, _ID_CHARS),
            Text(_cut(printable(endpoint.hostname), name_chars)),
            *([_cut(endpoint.site, site_chars)] if wide else []),
            Text(
                f"away ({state})" if away else _words(state),
                style="dim" if away else STATE_STYLES.get(state, "cyan"),
            ),
            f"{int(report.progress * 100)}%",  # rounded down: 100 means all of it
            bytes_text(report.bytes_from_origin),
            bytes_text(report.bytes_from_peers),
            *([bytes_text(report.bytes_wasted)] if wide else []),
            duration_text(report.seconds),
        )
        whose = f"{endpoint.hostname} ({report.endpoint_id})"
        if report.error:
            problems.append(Text(printable(f"{whose}: {report.error}"), style="red"))
        if report.install_reason and report.install not in ("", "installed"):
            words = f"{whose} {_words(report.install)}: {report.install_reason}"
            problems.append(Text(printable(words), style=STATE_STYLES.get(report.install, "")))
    if len(ordered) > MAX_ENDPOINT_ROWS:
        problems.append(Text(f"… and {len(ordered) - MAX_ENDPOINT_ROWS} more endpoints: see --json", style="dim"))
    return [table, *problems]


def _site_table(status: FleetStatus, patch: ServedPayload) -> RenderableType:
    table = plain_table()
    table.add_column("site", no_wrap=True)
    table.add_column("over the line", justify="right", no_wrap=True)
    table.add_column("÷ file", justify="right", no_wrap=True)
    for site, count, ratio in status.sites_of(patch):
        table.add_row(site, bytes_text(count), f"{ratio:.3f}")
    return table


def show_status(context: Context, *, as_json: bool, watch: bool) -> None:
    """Print the fleet's state once, or repeatedly until Ctrl-C. Raises `UserError`."""
    show(lambda: read_status(context), status_document, fleet_tables, as_json=as_json, watch=watch)


def show_endpoints(context: Context, *, as_json: bool) -> None:
    """Print the enrolled endpoints. Raises `UserError`."""
    status = read_status(context)
    if as_json:
        print_json(endpoint_documents(status))
    elif status.endpoints:
        wide_terminal().print(endpoint_table(status, context.clock.now()))
    else:
        click.echo("No PC has enrolled yet. Make a token for one with 'seed-server token'.")


def _rank(report: ReportRow) -> int:
    if report.state == "failed" or report.install in ("failed", "rolled_back"):
        return 0
    return 2 if _shown_state(report) in ("verified", "installed", "not_applicable") else 1


def _shown_state(report: ReportRow) -> str:
    """Return what has become of the patch: of its installation once its file is there, else of the file."""
    beyond = report.state == "verified" or report.install == "not_applicable"
    return report.install if report.install and beyond else report.state


def _words(state: str) -> str:
    return state.replace("_", " ")


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
