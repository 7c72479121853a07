"""What is kept of a run, and how large its company is. Pure."""

import msgspec

from bench.fleet_size.records import Machine

DATABASES = ("sqlite", "postgresql")


class PageSizes(msgspec.Struct, frozen=True):
    """How large the company is, and for how long its pages are looked at."""

    pcs: int = 25_000
    patches: int = 300
    sites: int = 500
    entries: int = 200_000
    """Of the audit log, at least."""
    report_seconds: float = 60.0
    users: int = 20
    pause_seconds: float = 10.0
    """On each page, on average: people read what they look at."""
    settle_seconds: float = 10.0
    looking_seconds: float = 600.0


FULL = PageSizes()
QUICK = PageSizes(
    pcs=500, patches=10, sites=20, entries=2_000, report_seconds=10.0, users=2, pause_seconds=0.5,
    settle_seconds=3.0, looking_seconds=20.0,
)  # fmt: skip
"""For development: shows that everything works, and says nothing of a company."""


class PageFigures(msgspec.Struct, frozen=True):
    """What one page took."""

    page: str
    """Its address."""
    looks: int
    p50_ms: float
    p95_ms: float
    worst_ms: float
    weight_bytes: int
    """With the style and the scripts that it needs; without them where it is a page with filters."""


class PageRun(msgspec.Struct, frozen=True):
    """One run, on one database."""

    database: str
    sizes: PageSizes
    machine: Machine
    version: str
    revision: str
    measured_at: float
    """Seconds since 1970."""
    seconds: float
    busy_share: float
    """Of all processors' time, what was in use while pages were looked at, by anybody."""
    server_cpu_share: float
    """Of one core, the server and what plays its PCs, while pages were looked at; PostgreSQL is not in it."""
    late_p99_ms: float | None
    """How late the controllers were meanwhile; None: none was at work."""
    late_p99_ms_before: float | None
    """Before, while nobody looked."""
    late_steps: int
    failed: dict[str, int]
    """Looks that were answered with something else than the page."""
    p95_ms: float
    """Of all looks at all pages."""
    pages: list[PageFigures]
