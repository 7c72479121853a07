"""`seed-server metrics`: what a monitoring system is told, from tallies. Nothing here writes. Blocking."""

import contextlib
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.states import Reason
from p2pdist import __version__
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.exposition import exposition
from p2pdist.shared.metrics import OTHER, MetricValues, most_of
from seed_server.automation.metrics_table import (
    MOST_NAMED_SITES,
    MOST_ROLLOUTS,
    SERVER_METRICS,
    STEPS_MINUTES,
    UNSEEN_DAYS,
)
from seed_server.fleet.context import Context
from seed_server.fleet.disk_usage import UsedRoom, read_room
from seed_server.fleet.overview import FleetHead, progress_of, read_head
from seed_server.fleet.ring_counts import PcOutcome
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_queries import CountedRings, read_live_rings
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.store.last_backup import read_last_backup
from seed_server.store.serve_lock import is_serving
from seed_server.store.webhook_records import WEBHOOK_STOPS, DeliveryCounts, WebhookRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

PAGE_SECONDS = 5.0  # for so long the same text is told again, however many ask
SLOW_SECONDS = 60.0  # what looks at every file of the home, or at every PC, is looked at so often
MOST_OF_THE_TIME = 0.1  # of it may be spent on looks, however large the fleet is

LINE_REASON_CODES: Mapping[str, str] = {reason.value: reason.name.lower() for reason in Reason}
"""The label of each reason for a site's rate, by its words."""

T = TypeVar("T")


@dataclass
class _Kept(Generic[T]):
    """A value, and when it was read."""

    seconds: float
    read: Callable[[], T]
    again_at: float = -math.inf
    value: T | None = None

    def get(self, clock: Clock) -> T:
        """Return it, read anew where it is too old: after ``seconds``, and after ten times what that took."""
        begun = clock.monotonic()
        if self.value is None or begun >= self.again_at:
            self.value = self.read()
            self.again_at = begun + max(self.seconds, (clock.monotonic() - begun) / MOST_OF_THE_TIME)
        return self.value


@dataclass(frozen=True)
class _Slow:
    room: tuple[tuple[UsedRoom, ...], int, int]
    """What the home takes by kind, what is free, and the size of the disk."""
    rings: list[CountedRings]
    webhooks: list[tuple[WebhookRow, DeliveryCounts]]
    entries: int
    """Of the audit log, when the webhooks were looked at."""


class MetricsPage:
    """The text for a process that is asked again and again: it is made anew at most every `PAGE_SECONDS`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._slow = _Kept(SLOW_SECONDS, lambda: _read_slow(context))
        self._text = _Kept(PAGE_SECONDS, self._read)

    def text(self) -> bytes:
        """Return the text, from any thread. Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE, BUSY."""
        with self._lock:
            return self._text.get(self._context.clock)

    def _read(self) -> bytes:
        return exposition(_figures(self._context, self._slow.get(self._context.clock)))


def metrics_text(context: Context) -> bytes:
    """Return the text of all figures as they are now, in the format of Prometheus. Raises as `MetricsPage.text`."""
    return MetricsPage(context).text()


def _read_slow(context: Context) -> _Slow:
    room, rings = read_room(context), read_live_rings(context, MOST_ROLLOUTS)
    with context.database() as database, database.one_state():
        rows = database.webhooks()
        counts = database.delivery_counts() if rows else {}
        webhooks = [(row, counts.get(row.number, DeliveryCounts())) for row in rows]
        return _Slow(room, rings, webhooks, database.audit_size())


def _figures(context: Context, slow: _Slow) -> MetricValues:
    found, now = MetricValues(SERVER_METRICS), context.clock.now()
    found.add("seed_server_info", 1, __version__)
    found.add("seed_server_serving", is_serving(context.home))
    with context.database() as database:
        head = read_head(context, database)
        _add_fleet(found, database, head, now)
        _add_sites(found, database, now)
        states = database.rollout_states()
        for state in RolloutState:  # those too in which none is: an alert compares with 0
            found.add("seed_server_rollouts", states.get(state.value, 0), state.value.replace(" ", "_"))
        found.add("seed_server_audit_entries_total", database.audit_size())
    _add_slow(found, slow)
    _add_webhooks(found, slow, now)
    _add_expiries(found, context)
    found.add("seed_server_prepared_bundles", PreparedBundles(context.home).count())
    if (backup := read_last_backup(context.home)) is not None:
        found.add("seed_server_backup_timestamp_seconds", backup.backup_at)
    return found


def _add_fleet(found: MetricValues, database: "Database", head: FleetHead, now: float) -> None:
    for urgent in (True, False):
        count = sum(problem.urgent is urgent for problem in head.problems)
        found.add("seed_server_problems", count, str(urgent).lower())
    for state, pcs in database.pc_states(now - UNSEEN_DAYS * DAY_SECONDS).items():
        found.add("seed_server_pcs", pcs, state)
    found.add("seed_server_pcs_refusing", head.endpoints.refusing)
    found.add("seed_server_pcs_shared_identity", head.endpoints.shared)
    offered = head.announced.offered or frozenset()
    for told, number in (
        ("offered", len(offered)),
        ("withdrawn", len(head.announced.withdrawn)),
        ("replaced", len(head.replaced)),
    ):
        found.add("seed_server_patches", number, told)
    found.add("seed_server_patches_damaged", len(head.damages))
    going = [patch for patch in (*head.patches, *head.history) if patch.ref in offered]
    for one in progress_of(database, head, going, now):
        for reached, count in one.counts.items():
            found.add("seed_server_pc_patches", count, reached.value.replace(" ", "_"))
    found.add("seed_server_recent_steps", database.steps_since(now - STEPS_MINUTES * 60.0))


def _add_sites(found: MetricValues, database: "Database", now: float) -> None:
    pcs = {site: count for site, count in database.site_pcs().items() if site}
    named = most_of({site: count.allowed for site, count in pcs.items()}, MOST_NAMED_SITES)

    def label(site: str) -> str:
        return site if site in named else OTHER

    for site, count in pcs.items():
        found.add("seed_server_site_pcs", count.connected, label(site), "connected")
        found.add("seed_server_site_pcs", count.allowed - count.connected, label(site), "away")
    for site, sent in database.sent_bytes().items():
        found.add("seed_server_line_bytes_total", sent, label(site))
    for limit in database.site_limits():
        site = label(limit.site)
        if limit.active:
            found.add("seed_server_line_rate_bytes_per_second", limit.rate, site)
        for words, seconds in limit.seconds.items():
            reason = LINE_REASON_CODES.get(words, OTHER)
            found.add("seed_server_line_limiter_seconds_total", seconds, site, reason)
        found.add("seed_server_line_sending_seconds_total", limit.sending_seconds, site)
        found.add("seed_server_line_yield_seconds_total", limit.yield_seconds, site)
        if limit.harm is not None:
            found.add("seed_server_site_harm_pauses_total", limit.harm.pauses, site)
            found.add("seed_server_site_harm_pause_seconds", max(0.0, limit.harm.ends_at - now), site)


def _add_slow(found: MetricValues, slow: _Slow) -> None:
    used, free, size = slow.room
    for room in used:
        found.add("seed_server_disk_used_bytes", room.bytes, room.kind)
    found.add("seed_server_disk_free_bytes", free)
    found.add("seed_server_disk_size_bytes", size)
    for one in slow.rings:
        number, patch = str(one.kept.row.number), str(one.kept.plan.ref)
        for ring, tally in zip(one.kept.plan.rings, one.tallies, strict=True):
            for outcome in PcOutcome:
                found.add("seed_server_rollout_pcs", tally[outcome], number, patch, ring.name, outcome.name.lower())


def _add_webhooks(found: MetricValues, slow: _Slow, now: float) -> None:
    for row, counts in slow.webhooks:
        found.add("seed_server_webhook_events", counts.unsure + counts.waiting, row.name, "waiting")
        found.add("seed_server_webhook_events", counts.dead, row.name, "dead")
        found.add("seed_server_webhook_behind_entries", max(0, slow.entries - row.cursor), row.name)
        failing = max(0.0, now - row.failing_since) if row.failing_since else 0.0
        found.add("seed_server_webhook_failing_seconds", failing, row.name)
        for why in WEBHOOK_STOPS:
            found.add("seed_server_webhook_stopped", row.stopped == why, row.name, why)


def _add_expiries(found: MetricValues, context: Context) -> None:
    with contextlib.suppress(UserError):  # `seed_server_problems` counts it
        for expiry in context.repository().expiries():
            found.add("seed_server_metadata_expires_timestamp_seconds", expiry.expires_at, expiry.role)
    with contextlib.suppress(UserError):
        found.add("seed_server_authority_expires_timestamp_seconds", context.authority().expires_at())
