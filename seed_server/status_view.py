"""What `seed-server status` shows: patches × endpoints, bytes by source, sites. Reads the database alone."""

import time
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from p2pdist.console import human_bytes, human_seconds, print_json, terminal
from seed_server.edges.database import Database
from seed_server.edges.database_rows import EndpointRow, PatchRow, ReportRow
from seed_server.service import is_serving
from seed_server.settings import ServerHome, load_settings

WATCH_SECONDS = 1.0
MAX_ENDPOINT_ROWS = 40  # of a table for people; --json has all
_STYLES = {"verified": "green", "failed": "red"}


@dataclass(frozen=True)
class FleetStatus:
    """One look at the database."""

    server_name: str
    serving: bool
    patches: list[PatchRow]
    endpoints: list[EndpointRow]
    reports: list[ReportRow]
    wan_bytes: dict[tuple[str, str], int]

    def of_patch(self, patch: PatchRow) -> list[ReportRow]:
        """Return every endpoint's report on ``patch``."""
        return [r for r in self.reports if (r.patch_id, r.version) == (patch.patch_id, patch.version)]

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
                    "published_at": patch.published_at,
                    "damaged": patch.damaged or None,
                    "verified": sum(report.state == "verified" for report in self.of_patch(patch)),
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
                            "reported_at": report.reported_at,
                        }
                        for report in self.of_patch(patch)
                    ],
                    "sites": [
                        {
                            "site": site,
                            "wan_bytes": count,
                            "origin_ratio": round(count / patch.length_bytes, 4),
                        }
                        for (site, torrent), count in sorted(self.wan_bytes.items())
                        if torrent == patch.torrent_hash
                    ],
                }
                for patch in self.patches
            ],
            "endpoints": [
                {
                    "id": endpoint.endpoint_id,
                    "hostname": endpoint.hostname,
                    "site": endpoint.site or None,
                    "address": endpoint.address or None,
                    "software": endpoint.software or None,
                    "connected": endpoint.connected and self.serving,
                    "denied": endpoint.denied,
                    "enrolled_at": endpoint.enrolled_at,
                    "last_seen_at": endpoint.last_seen_at or None,
                }
                for endpoint in self.endpoints
            ],
        }

    def as_text(self) -> RenderableType:
        """Return the tables for people."""
        connected = sum(endpoint.connected for endpoint in self.endpoints) if self.serving else 0
        head = Text.assemble(
            self.server_name,
            (" is serving" if self.serving else " is NOT serving", "green" if self.serving else "red"),
            f", {connected} of {len(self.endpoints)} endpoints connected",
        )
        parts: list[RenderableType] = [head]
        if not self.patches:
            parts.append(Text("No patches yet. Publish one with: seed-server publish FILE --patch-id ID --version V"))
        for patch in self.patches:
            parts += ["", self._patch_head(patch)]
            if patch.damaged:
                parts.append(Text(f"cannot be served: {patch.damaged}", style="red"))
            reports = self.of_patch(patch)
            if reports:
                parts += [self._endpoint_table(reports), self._site_table(patch)]
            else:
                parts.append(Text("no endpoint has reported on it yet", style="dim"))
        return Group(*parts)

    def _patch_head(self, patch: PatchRow) -> Text:
        verified = sum(report.state == "verified" for report in self.of_patch(patch))
        title = f" {patch.title}" if patch.title else ""
        return Text.assemble(
            (f"{patch.patch_id} {patch.version}", "bold"),
            f"{title}, {patch.severity}, {human_bytes(patch.length_bytes)}: ",
            (f"verified on {verified} of {len(self.endpoints)} endpoints", "green" if verified else ""),
        )

    def _endpoint_table(self, reports: list[ReportRow]) -> RenderableType:
        table = Table(box=None, header_style="bold", padding=(0, 1))
        for column in ("endpoint", "host", "site", "state"):
            table.add_column(column, no_wrap=True)
        for column in ("progress", "from origin", "from peers", "wasted", "time"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("problem")
        known = {endpoint.endpoint_id: endpoint for endpoint in self.endpoints}
        # what needs a person comes first
        order = {"failed": 0, "verified": 2}
        ordered = sorted(reports, key=lambda r: (order.get(r.state, 1), known[r.endpoint_id].hostname, r.endpoint_id))
        for report in ordered[:MAX_ENDPOINT_ROWS]:
            endpoint = known[report.endpoint_id]
            table.add_row(
                report.endpoint_id,
                endpoint.hostname,
                endpoint.site,
                Text(report.state, style=_STYLES.get(report.state, "cyan")),
                f"{report.progress:.0%}",
                human_bytes(report.bytes_from_origin),
                human_bytes(report.bytes_from_peers),
                human_bytes(report.bytes_wasted),
                human_seconds(report.seconds),
                Text(report.error, style="red"),
            )
        if len(ordered) > MAX_ENDPOINT_ROWS:
            table.add_row(f"… and {len(ordered) - MAX_ENDPOINT_ROWS} more: see --json")
        return table

    def _site_table(self, patch: PatchRow) -> RenderableType:
        table = Table(box=None, header_style="bold", padding=(0, 1))
        table.add_column("site", no_wrap=True)
        table.add_column("over the line", justify="right", no_wrap=True)
        table.add_column("÷ file", justify="right", no_wrap=True)
        for (site, torrent), count in sorted(self.wan_bytes.items()):
            if torrent == patch.torrent_hash:
                table.add_row(site, human_bytes(count), f"{count / patch.length_bytes:.3f}")
        return table


def read_status(home: ServerHome) -> FleetStatus:
    """Return the fleet's state. Blocking. Raises `UserError`."""
    settings = load_settings(home)
    with Database.open(home.database) as database:
        return FleetStatus(
            server_name=settings.name,
            serving=is_serving(home),
            patches=database.patches(),
            endpoints=database.endpoints(),
            reports=database.reports(),
            wan_bytes=database.wan_bytes(),
        )


def show_status(home: ServerHome, *, as_json: bool, watch: bool) -> None:
    """Print the fleet's state once, or again and again until Ctrl-C. Raises `UserError`."""
    if not watch:
        status = read_status(home)
        if as_json:
            print_json(status.as_json())
        else:
            terminal().print(status.as_text())
        return
    try:
        if as_json:
            while True:
                print_json(read_status(home).as_json())
                time.sleep(WATCH_SECONDS)
        with Live(read_status(home).as_text(), console=terminal(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_SECONDS)
                live.update(read_status(home).as_text(), refresh=True)
    except KeyboardInterrupt:
        return
