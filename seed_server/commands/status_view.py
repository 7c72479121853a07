"""What `seed-server status` shows: patches × endpoints, bytes by source, sites. Reads the database alone."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from p2pdist.shared.console import (
    PIPE_COLUMNS,
    STATE_STYLES,
    human_bytes,
    human_seconds,
    print_json,
    printable,
    wide_terminal,
)
from p2pdist.shared.watching import show
from seed_server.service import is_serving
from seed_server.settings import ServerHome, load_settings
from seed_server.store.database import Database
from seed_server.store.schema import EndpointRow, ReportRow, ServedPayload

MAX_ENDPOINT_ROWS = 40  # of a table for people; --json has all
FULL_COLUMNS = 118  # a terminal with less gets a table with shorter and fewer columns
ROOMY_COLUMNS = 126  # room for two spaces between columns
_NAME_CHARS = 12
_SITE_CHARS = 18
_ID_CHARS = 10  # of a narrow table
PAYLOAD_FACTS = ("file_name", "platform", "arch", "language", "length_bytes", "sha256")
_INSTALL_STATES = ("installed", "installing", "waiting", "failed", "rolled_back", "not_applicable")


@dataclass(frozen=True)
class FleetStatus:
    """One look at the database."""

    server_name: str
    serving: bool
    patches: list[ServedPayload]
    endpoints: list[EndpointRow]
    reports: list[ReportRow]
    wan_bytes: dict[tuple[str, str], int]
    payloads: list[ServedPayload] = field(default_factory=list)
    """Of all patches; ``patches`` has the first of each."""

    def of_patch(self, patch: ServedPayload) -> list[ReportRow]:
        """Return every endpoint's report on ``patch``."""
        return self._reports_by_patch.get((patch.patch_id, patch.version), [])

    def payloads_of(self, patch: ServedPayload) -> list[ServedPayload]:
        """Return the payloads of ``patch``."""
        return self._payloads_by_patch.get((patch.patch_id, patch.version), [patch])

    def damage_of(self, patch: ServedPayload) -> str:
        """Return why the first damaged payload of ``patch`` cannot be served; empty: all can."""
        return next((payload.damaged for payload in self.payloads_of(patch) if payload.damaged), "")

    def sites_of(self, patch: ServedPayload) -> list[tuple[str, int, float]]:
        """Return the sites that ``patch`` was sent to, by name, each with its bytes, and these ÷ what went there."""
        sent: dict[str, tuple[int, int]] = {}
        for payload in self.payloads_of(patch):
            for site, count in self._sites_by_torrent.get(payload.torrent_hash, []):
                before = sent.get(site, (0, 0))
                sent[site] = (before[0] + count, before[1] + payload.length_bytes)
        return [(site, count, count / length) for site, (count, length) in sorted(sent.items())]

    @cached_property
    def _payloads_by_patch(self) -> dict[tuple[str, str], list[ServedPayload]]:
        grouped: dict[tuple[str, str], list[ServedPayload]] = {}
        for payload in self.payloads:
            grouped.setdefault((payload.patch_id, payload.version), []).append(payload)
        return grouped

    @cached_property
    def _reports_by_patch(self) -> dict[tuple[str, str], list[ReportRow]]:
        grouped: dict[tuple[str, str], list[ReportRow]] = {}
        for report in self.reports:
            grouped.setdefault((report.patch_id, report.version), []).append(report)
        return grouped

    @cached_property
    def _sites_by_torrent(self) -> dict[str, list[tuple[str, int]]]:
        grouped: dict[str, list[tuple[str, int]]] = {}
        for (site, torrent), count in sorted(self.wan_bytes.items()):
            grouped.setdefault(torrent, []).append((site, count))
        return grouped

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        hostnames = {endpoint.endpoint_id: endpoint for endpoint in self.endpoints}
        return {
            "server": self.server_name,
            "serving": self.serving,
            "patches": [
                {
                    "id": patch.patch_id,
                    "version": patch.version,
                    "title": patch.title,
                    "severity": patch.severity,
                    "cvss": patch.cvss,
                    "length_bytes": patch.length_bytes,
                    "sha256": patch.sha256,
                    "payloads": [
                        {name: getattr(payload, name) for name in PAYLOAD_FACTS} for payload in self.payloads_of(patch)
                    ],
                    "published_at": patch.published_at,
                    "damaged": self.damage_of(patch) or None,
                    "endpoints_verified": sum(report.state == "verified" for report in self.of_patch(patch)),
                    "install": install_counts(self.of_patch(patch)),
                    "endpoints": [
                        {
                            "id": report.endpoint_id,
                            "hostname": hostnames[report.endpoint_id].hostname,
                            "site": hostnames[report.endpoint_id].site or None,
                            "state": report.state,
                            "progress": report.progress,
                            "bytes_from_origin": report.bytes_from_origin,
                            "bytes_from_peers": report.bytes_from_peers,
                            "bytes_wasted": report.bytes_wasted,
                            "seconds": report.seconds,
                            "error": report.error or None,
                            "install": report.install or None,
                            "install_reason": report.install_reason or None,
                            "reported_at": report.reported_at,
                        }
                        for report in self.of_patch(patch)
                    ],
                    "sites": [
                        {
                            "site": site,
                            "wan_bytes": count,
                            "origin_ratio": round(ratio, 4),
                        }
                        for site, count, ratio in self.sites_of(patch)
                    ],
                }
                for patch in self.patches
            ],
            "endpoints": self.endpoints_as_json(),
        }

    def endpoints_as_json(self) -> list[dict[str, Any]]:
        """Return the enrolled endpoints; times are seconds since 1970, UTC."""
        return [
            {
                "id": endpoint.endpoint_id,
                "hostname": endpoint.hostname,
                "site": endpoint.site or None,
                "address": endpoint.address or None,
                "software": endpoint.software or None,
                "connected": endpoint.connected and self.serving,
                "denied": endpoint.denied,
                "tags": list(endpoint.tags),
                "enrolled_at": endpoint.enrolled_at,
                "last_seen_at": endpoint.last_seen_at or None,
            }
            for endpoint in self.endpoints
        ]

    def as_text(self, columns: int) -> RenderableType:
        """Return the tables for people, the newest patch first, for a terminal that is ``columns`` wide."""
        connected = sum(endpoint.connected for endpoint in self.endpoints) if self.serving else 0
        head = Text.assemble(
            self.server_name,
            (" is serving" if self.serving else " is NOT serving", "green" if self.serving else "red"),
            f", {connected} of {len(self.endpoints)} endpoints connected",
        )
        parts: list[RenderableType] = [head]
        if not self.patches:
            parts.append(Text("No patches yet. Publish one with: seed-server publish FILE --patch-id ID --version V"))
        for patch in reversed(self.patches):
            parts += ["", self._patch_head(patch)]
            if damage := self.damage_of(patch):
                parts.append(Text(f"cannot be served: {damage}", style="red"))
            reports = self.of_patch(patch)
            if reports:
                parts += [*self._endpoint_table(reports, columns), "", self._site_table(patch)]
            else:
                parts.append(Text("no endpoint has reported on it yet", style="dim"))
        return Group(*parts)

    def _patch_head(self, patch: ServedPayload) -> Text:
        reports = self.of_patch(patch)
        verified = sum(report.state == "verified" for report in reports)
        counts = ", ".join(f"{count} {_words(state)}" for state, count in install_counts(reports).items() if count)
        title = f" {patch.title}" if patch.title else ""
        return Text.assemble(
            (f"{patch.patch_id} {patch.version}", "bold"),
            f"{title}, {patch.severity}, {human_bytes(patch.length_bytes)}: ",
            (f"verified on {verified} of {len(self.endpoints)} endpoints", "green" if verified else ""),
            f"; {counts}" if counts else "",
        )

    def endpoints_as_text(self, now: float) -> RenderableType:
        """Return the table of enrolled endpoints for people."""
        table = _table()
        table.add_column("endpoint", no_wrap=True)
        for column in ("host", "site"):
            table.add_column(column, overflow="fold")
        for column in ("address", "state"):
            table.add_column(column, no_wrap=True)
        tagged = any(row.tags for row in self.endpoints)
        if tagged:
            table.add_column("tags", overflow="fold")
        for row in self.endpoints:
            if row.denied:
                state = Text("denied", style="red")
            elif row.connected and self.serving:
                state = Text("connected", style="green")
            else:
                state = Text(f"seen {_ago(now - row.last_seen_at)} ago" if row.last_seen_at else "never seen")
            tags = [" ".join(row.tags)] if tagged else []
            table.add_row(row.endpoint_id, printable(row.hostname), row.site, row.address, state, *tags)
        return table

    def _endpoint_table(self, reports: list[ReportRow], columns: int) -> list[RenderableType]:
        wide = columns >= FULL_COLUMNS
        table = _table(close=columns < ROOMY_COLUMNS)
        for column in ("endpoint", "host", *(["site"] if wide else []), "state"):
            table.add_column(column, no_wrap=True)
        for column in ("done", "from\norigin", "from\npeers", *(["wasted"] if wide else []), "time"):
            table.add_column(column, justify="right", no_wrap=True)
        known = {endpoint.endpoint_id: endpoint for endpoint in self.endpoints}
        # what needs a person comes first
        ordered = sorted(reports, key=lambda r: (_rank(r), known[r.endpoint_id].hostname, r.endpoint_id))
        problems: list[RenderableType] = []
        for report in ordered[:MAX_ENDPOINT_ROWS]:
            endpoint = known[report.endpoint_id]
            name_chars, site_chars = (_NAME_CHARS, _SITE_CHARS) if columns < PIPE_COLUMNS else (columns, columns)
            state = _shown_state(report)
            away = state == report.state != "verified" and not (endpoint.connected and self.serving)
            table.add_row(
                report.endpoint_id if wide else _cut(report.endpoint_id, _ID_CHARS),
                _cut(printable(endpoint.hostname), name_chars),
                *([_cut(endpoint.site, site_chars)] if wide else []),
                Text(
                    f"away ({state})" if away else _words(state),
                    style="dim" if away else STATE_STYLES.get(state, "cyan"),
                ),
                f"{int(report.progress * 100)}%",  # 100 means all of it
                human_bytes(report.bytes_from_origin),
                human_bytes(report.bytes_from_peers),
                *([human_bytes(report.bytes_wasted)] if wide else []),
                human_seconds(report.seconds),
            )
            whose = f"{endpoint.hostname} ({report.endpoint_id})"
            if report.error:
                problems.append(Text(printable(f"{whose}: {report.error}"), style="red"))
            if report.install_reason and report.install != "installed":
                words = f"{whose} {_words(report.install)}: {report.install_reason}"
                problems.append(Text(printable(words), style=STATE_STYLES.get(report.install, "")))
        if len(ordered) > MAX_ENDPOINT_ROWS:
            problems.append(Text(f"… and {len(ordered) - MAX_ENDPOINT_ROWS} more endpoints: see --json", style="dim"))
        return [table, *problems]

    def _site_table(self, patch: ServedPayload) -> RenderableType:
        table = _table()
        table.add_column("site", no_wrap=True)
        table.add_column("over the line", justify="right", no_wrap=True)
        table.add_column("÷ file", justify="right", no_wrap=True)
        for site, count, ratio in self.sites_of(patch):
            table.add_row(site, human_bytes(count), f"{ratio:.3f}")
        return table


def read_status(home: ServerHome) -> FleetStatus:
    """Return the fleet's state. Blocking. Raises `UserError`."""
    settings = load_settings(home)
    with Database.open(home.database) as database:
        reports = database.reports()  # first: every endpoint in it is among those read later
        payloads = database.payloads()
        return FleetStatus(
            server_name=settings.name,
            serving=is_serving(home),
            reports=reports,
            patches=[payload for payload in payloads if payload.number == 0],
            endpoints=database.endpoints(),
            wan_bytes=database.wan_bytes(),
            payloads=payloads,
        )


def show_status(home: ServerHome, *, as_json: bool, watch: bool) -> None:
    """Print the fleet's state once, or again and again until Ctrl-C. Raises `UserError`."""
    show(lambda: read_status(home), FleetStatus.as_json, FleetStatus.as_text, as_json=as_json, watch=watch)


def show_endpoints(home: ServerHome, *, as_json: bool) -> None:
    """Print the enrolled endpoints. Raises `UserError`."""
    status = read_status(home)
    if as_json:
        print_json(status.endpoints_as_json())
    elif status.endpoints:
        wide_terminal().print(status.endpoints_as_text(time.time()))
    else:
        click.echo("No PC has enrolled yet. Make a token for one with 'seed-server token'.")


def install_counts(reports: Iterable[ReportRow]) -> dict[str, int]:
    """Return how many endpoints each state of installation has, zeros too."""
    states = [report.install for report in reports]
    return {state: states.count(state) for state in _INSTALL_STATES}


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


def _table(*, close: bool = False) -> Table:
    return Table(box=None, header_style="bold", pad_edge=False, collapse_padding=close)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"


def _ago(seconds: float) -> str:
    days = int(seconds // 86_400)
    return f"{days} d" if days >= 2 else human_seconds(max(0.0, seconds))
