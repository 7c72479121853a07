"""A fleet in a real database, and what `status` shows of it: no server runs, and nothing is signed."""

import functools
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.commands.status_view import status_view
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Announced
from seed_server.fleet.endpoint_pages import EndpointsPage, Namesakes
from seed_server.fleet.overview import fleet_head
from seed_server.fleet.problems import FleetProblem
from seed_server.fleet.queries import FleetStatus
from seed_server.fleet.standing import StatusQuestion
from seed_server.fleet.status import StatusScreen, screen_of
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from tests.helpers.fake_clock import FakeClock
from tests.helpers.large_fleet import large_fleet

NOW = 1_800_000_000.0


def store(database: Database, fleet: FleetStatus) -> None:
    """Write a fleet's patches, PCs and reports, as a server would have; all at one time."""
    with database.batch():
        for patch in fleet.patches:
            database.add_patch(*fleet.payloads_of(patch))
        for row in fleet.endpoints:
            database.add_endpoint(row.endpoint_id, row.hostname, row.enrolled_at, row.tags)
        database.save_seen({
            row.endpoint_id: SeenRow(
                site=row.site, address=row.address, software=row.software, connected=row.connected,
                last_seen_at=row.last_seen_at, claimed_site=row.claimed_site, shared_with=row.shared_with,
            )
            for row in fleet.endpoints
        })  # fmt: skip
        database.save_refusals({row.endpoint_id: row.refuses for row in fleet.endpoints if row.refuses})
        reports: dict[str, list[PatchReport]] = {}
        for one in fleet.reports:
            reports.setdefault(one.endpoint_id, []).append(
                PatchReport(
                    patch_id=one.patch_id, version=one.version, progress=one.progress,
                    state=cast("PatchState", one.state), install=cast("InstallState", one.install),
                    bytes_from_origin=one.bytes_from_origin, bytes_from_peers=one.bytes_from_peers,
                    bytes_wasted=one.bytes_wasted, seconds=one.seconds, error=one.error,
                    install_reason=one.install_reason, install_output=one.install_output,
                )
            )  # fmt: skip
        database.save_reports(reports, NOW - 60.0)
        for row in fleet.endpoints:
            if row.denied:
                database.set_denied(row.endpoint_id, True, pending=row.pending)
        database.add_wan_bytes(fleet.wan_bytes)


def endpoints_page(fleet: FleetStatus) -> EndpointsPage:
    """Return all PCs of a fleet as one page."""
    return EndpointsPage(fleet.serving, fleet.endpoints, Namesakes.among(fleet.endpoints), len(fleet.endpoints))


def screen(
    database: Database,
    fleet: FleetStatus,
    question: StatusQuestion = StatusQuestion(),  # noqa: B008 - it is frozen
    problems: Sequence[FleetProblem] = (),
) -> StatusScreen:
    """Return what `status` shows of a fleet that is stored."""
    known = {patch.ref for patch in fleet.patches}
    offered = known - fleet.replaced.keys() - fleet.withdrawn.keys() - fleet.unannounced
    head = fleet_head(
        database, Announced(frozenset(offered), fleet.withdrawn, fleet.unannounced), database.patch_heads(),
        server_name=fleet.server_name, serving=fleet.serving,
        repository_problem=fleet.repository_problem, problems=problems,
    )  # fmt: skip
    return screen_of(_nowhere(), database, head, question)


def shown(one: StatusScreen, columns: int) -> str:
    """Return the text of a screen on a terminal that is so wide."""
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    console.print(status_view(one, columns, NOW))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _nowhere() -> Context:
    return Context(ServerHome(Path("/nowhere")), FakeClock(NOW))


@functools.cache
def _large_database() -> tuple[tempfile.TemporaryDirectory[str], Database]:
    directory = tempfile.TemporaryDirectory(prefix="large-fleet-")
    database = Database.create(Path(directory.name) / "state.db")
    store(database, large_fleet())
    return directory, database


def large_screen(
    question: StatusQuestion = StatusQuestion(),  # noqa: B008 - it is frozen
    problems: Sequence[FleetProblem] = (),
) -> StatusScreen:
    """Return what `status` shows of two hundred PCs and twenty-five patches; they are stored once for a process."""
    return screen(_large_database()[1], large_fleet(), question, problems)
