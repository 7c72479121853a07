"""What each scenario shall show, and what its run shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.fleet_size.records import Run
from bench.summary_rows import SummaryRow

CONNECTIONS = "connections"
REPORTS = "reports"
REPORTS_POSTGRESQL = "reports-postgresql"
RETURN = "return"
LATENESS = "lateness"
PUBLICATION = "publication"
STANDING = "standing"
STANDING_POSTGRESQL = "standing-postgresql"
HISTORY = "history"
HISTORY_POSTGRESQL = "history-postgresql"
RESTORE = "restore"
INVENTORY = "inventory"
INVENTORY_POSTGRESQL = "inventory-postgresql"
INVENTORY_RETURN = "inventory-return"
JUDGING = "service-levels"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of one scenario, and the most that it may be."""

    metric: str
    scenario: str
    figure: str
    bound: float
    unit: str = ""
    scale: float = 1.0
    """The figure is divided by this to get the unit."""
    digits: int = 1

    def row(self, runs: Mapping[str, Run]) -> SummaryRow:
        """Return what the scenario's run shows; a figure that it could not measure is None, with the reason."""
        wanted = f"≤ {self._words(self.bound)}"
        run = runs.get(self.scenario)
        if run is None:
            return SummaryRow(self.metric, wanted, None, None)
        value = run.figures.get(self.figure)
        if value is None:
            reason = run.missing.get(self.figure, "not measured")
            return SummaryRow(f"{self.metric} ({reason})", wanted, None, None)
        value /= self.scale
        return SummaryRow(self.metric, wanted, f"{self._words(value)}, {run.kind}", value <= self.bound)

    def _words(self, value: float) -> str:
        digits = 0 if value == int(value) else self.digits
        return f"{value:,.{digits}f}{self.unit}"


def _reports(scenario: str, database: str) -> tuple[Target, ...]:
    what = f"25,000 PCs report every 60 s for 10 min, {database}"
    return (
        Target(f"{what}: reports lost", scenario, "lost", 0),
        Target(f"{what}: frame to committed, p99", scenario, "committed_p99_seconds", 1.25, " s", digits=2),
        Target(f"{what}: processor", scenario, "cpu_share", 0.5, " of a core", digits=2),
    )


def _history(scenario: str, database: str) -> tuple[Target, ...]:
    return (
        Target(f"a step of a PC in the database, {database}", scenario, "hot_bytes_per_event", 90, " B"),
        Target(f"a step of a PC in an archive, {database}", scenario, "archived_bytes_per_event", 8, " B"),
        Target(f"7.5 million steps leave the database, {database}", scenario, "drop_seconds", 2, " s", digits=2),
        Target(f"the longest wait of a writer meanwhile, {database}", scenario, "longest_write_dropping_seconds", 0.5,
               " s", digits=2),
        Target(f"the longest wait of a reader meanwhile, {database}", scenario, "longest_read_dropping_seconds", 0.2,
               " s", digits=3),
        Target(f"status after 24 months, against after one, {database}", scenario, "status_ratio", 1.2, " times",
               digits=2),
    )  # fmt: skip


def _inventory(scenario: str, database: str) -> tuple[Target, ...]:
    what = f"what 25,000 PCs with 800 packages have, {database}"
    return (
        Target(what, scenario, "database_bytes", 400, " MB", 1e6),
        Target(f"which PCs have openssl below 3.0.17, {database}", scenario, "openssl_seconds", 300, " ms", 1e-3),
        Target(f"processor to record all that a PC has, {database}", scenario, "store_cpu_ms_per_pc", 20, " ms"),
    )


_RETURN = "25,000 PCs return after a restart"
_INVENTORY = "25,000 PCs tell all that they are and have, 800 packages each"
TARGETS = (
    Target("10,000 control connections: server memory for each", CONNECTIONS, "bytes_per_connection", 60, " kB", 1e3),
    Target("10,000 control connections: idle processor", CONNECTIONS, "idle_cpu_share", 15, " % of a core", 0.01),
    *_reports(REPORTS, "SQLite"),
    *_reports(REPORTS_POSTGRESQL, "PostgreSQL"),
    Target(f"{_RETURN}: processor time", RETURN, "cpu_seconds", 60, " s"),
    Target(f"{_RETURN}: server memory with 300 live patches", RETURN, "memory_bytes", 1.2, " GB", 1e9, digits=2),
    Target("20 users ask for status while reports flow: controllers' lateness, p99", LATENESS, "late_p99_seconds", 5,
           " ms", 1e-3),
    Target("one publication at 4,000 patches: all bytes over a branch line of 50 PCs", PUBLICATION, "line_bytes", 200,
           " kB", 1e3),
    Target("bytes for each PC and patch of standing, SQLite", STANDING, "bytes_per_row", 70, ""),
    Target("bytes for each PC and patch of standing, PostgreSQL", STANDING_POSTGRESQL, "bytes_per_row", 120, ""),
    *_history(HISTORY, "SQLite"),
    *_history(HISTORY_POSTGRESQL, "PostgreSQL"),
    *_inventory(INVENTORY, "SQLite"),
    *_inventory(INVENTORY_POSTGRESQL, "PostgreSQL"),
    Target("a restored server: until its PCs have what is published then", RESTORE, "accept_seconds", 5, " min", 60.0),
    Target("a restored server: installations that were not the first of their patch on a PC", RESTORE,
           "reinstallations", 0),
    Target("a restored server: denied PCs that return", RESTORE, "denied_back", 0),
    Target("a restored server: publications since the backup that are lost", RESTORE, "patches_lost", 0),
    Target(f"{_INVENTORY}: until it is recorded", INVENTORY_RETURN, "seconds", 30, " min", 60.0),
    Target(f"{_INVENTORY}: processor", INVENTORY_RETURN, "cpu_share", 0.3, " of a core", digits=2),
    Target("whether 300 patches came to 25,000 PCs in time, SQLite", JUDGING, "sla_seconds", 3, " s", digits=2),
    Target("a restored server: tokens of before that enrol a PC", RESTORE, "old_tokens_taken", 0),
)  # fmt: skip
SCENARIOS = tuple(dict.fromkeys(target.scenario for target in TARGETS))


def summary(runs: Sequence[Run]) -> list[SummaryRow]:
    """Return one row for each target."""
    by_name = {run.scenario: run for run in runs}
    return [target.row(by_name) for target in TARGETS]
