"""What the operator should know though no command failed: `status` and `sites` say it, with the command that mends it.

A running server writes the same to its log, which nobody reads. Blocking.
"""

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS, bytes_text
from p2pdist.shared.errors import UserError
from seed_server.fleet.archives import missing_archives
from seed_server.fleet.audit_key import is_known_to_pcs
from seed_server.fleet.audit_log import continues_checkpoint
from seed_server.fleet.context import Context
from seed_server.fleet.fleet_problem import FleetProblem
from seed_server.fleet.harm_share import harm_share
from seed_server.fleet.intelligence_problems import intelligence_problems
from seed_server.fleet.moving import MOST_NAMES, read_move, uninformed_words
from seed_server.fleet.rollout_faults import NO_ROLLOUT
from seed_server.fleet.rollout_words import moment
from seed_server.fleet.webhook_problems import webhook_problems
from seed_server.line.site_map_file import load_sites
from seed_server.publishing.content_upkeep import ContentUpkeep
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import RoleExpiry, expiring_offline
from seed_server.store.count_rows import EndpointCounts
from seed_server.store.last_backup import read_last_backup
from seed_server.store.restored_mark import read_mark
from seed_server.store.rollout_records import RolloutFault
from seed_server.store.rows import FULL_DISK_BYTES, HarmPauseRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

__all__ = ["FleetProblem", "fleet_problems"]

OVERDUE_MONTH_DAYS = 14  # it moves in its first quiet night, or after three days
FLOOD_SECONDS = 30.0 * DAY_SECONDS  # for so long it is said that a PC said too much; `endpoints show` says it for ever
CUSTODY_FAULT_SECONDS = 30.0 * DAY_SECONDS  # for so long it is said; `audit custody` shows it for ever


def fleet_problems(
    context: Context,
    endpoints: EndpointCounts,
    *,
    serving: bool,
    at_work: Mapping[str, HarmPauseRow | None],
    repository: Repository | None = None,
    database: "Database | None" = None,
) -> list[FleetProblem]:
    """Return what is wrong with the server's files, connections and sites now, the worst first.

    ``at_work``: `Database.sites_at_work`. ``repository``: that of the home, where it is open already.
    ``database``: to look at the audit log; None: nobody looks.
    """
    now = context.clock.now()
    found = [*site_map_problems(context), *restore_problems(context)]
    if database is not None:
        found += audit_problems(context, database, repository)
        found += witness_problems(database, now)
        found += move_problems(context, database, repository)
        found += rollout_problems(database, serving=serving)
        found += [*disk_problems(context), *content_problems(context, database, repository)]
        found += history_problems(context, database, serving=serving)
        found += flood_problems(database, now)
        found += backup_problems(context)
        with contextlib.suppress(UserError):  # as below
            found += intelligence_problems(context, database, repository or context.repository())
        found += [FleetProblem(text, mend, urgent=False) for text, mend in webhook_problems(database, now)]
    with contextlib.suppress(UserError):  # why the repository cannot be read is said by whoever shows the patches
        found += expiry_problems((repository or context.repository()).expiries(), now)
    found += connection_problems(endpoints, serving=serving)
    found += harm_problems(at_work, serving=serving)
    return sorted(found, key=lambda problem: not problem.urgent)


def site_map_problems(context: Context) -> list[FleetProblem]:
    """Return what is wrong with ``sites.toml``."""
    try:
        load_sites(context.home)
    except UserError as error:
        return [
            FleetProblem(
                f"The site map cannot be used; a running server keeps the last good one. {error.message}",
                f"correct {context.home.sites}",
            )
        ]
    return []


def restore_problems(context: Context) -> list[FleetProblem]:
    """Return how far a server has caught up that was restored from a backup, and what PCs know that it does not."""
    try:
        mark = read_mark(context.home)
    except UserError as error:
        return [FleetProblem(error.message, "restore this home from its backup again")]
    if mark is None:
        return []
    if mark.catching_up:
        text = (
            f"This server was restored from a backup of {moment(mark.backup_at)} and learns from its PCs what came "
            f"after that: {mark.told} of {mark.pcs} have spoken, {mark.newer} know more than it does. Until then it "
            "announces nothing of its own."
        )
        return [FleetProblem(text, "let 'seed-server serve' run for five minutes", urgent=False)]
    if not mark.newer and not mark.left:
        return []
    text = (
        f"PCs trust newer signed files than this server has ({mark.newer}), and none has handed them in. They accept "
        "nothing new."
    )
    return [FleetProblem(text, "let more PCs connect; if that does not help: seed-server renew --after-restore")]


def audit_problems(context: Context, database: "Database", repository: Repository | None = None) -> list[FleetProblem]:
    """Return what is wrong with the audit log, as far as a look can tell; `verify_log` computes it anew."""
    try:
        if not continues_checkpoint(database, context.home.audit_checkpoint):
            text = "The audit log lacks entries that it had, or has others. Was an older database put back?"
            return [FleetProblem(text, "seed-server audit verify")]
        note = database.audit_checkpoint()
    except OSError:  # the next change says so
        return []
    except UserError as error:
        return [FleetProblem(error.message, "seed-server audit verify")]
    with contextlib.suppress(UserError):  # as for the expiries
        if note and not is_known_to_pcs(repository or context.repository(), note):
            text = "PCs do not know the audit key, so they are told nothing more of the audit log."
            return [FleetProblem(text, "seed-server audit new-key")]
    return []


def witness_problems(database: "Database", now: float) -> list[FleetProblem]:
    """Return what PCs say of the audit log, and where they do not stand by what they had signed."""
    found = []
    if count := database.witness_alarm_count():
        names = _few([alarm.hostname for alarm in database.witness_alarms(MOST_NAMES)], count)
        found.append(
            FleetProblem(
                f"PCs have seen another audit log before ({count}: {names}): entries were changed or removed, or an "
                "older database was put back.",
                "seed-server audit alarms",
            )
        )
    if faults := database.custody_faults(now - CUSTODY_FAULT_SECONDS):
        pcs = dict.fromkeys(fault.hostname or "?" for fault in faults)
        names = _few(list(pcs)[:MOST_NAMES], len(pcs))
        found.append(
            FleetProblem(
                f"PCs do not continue what they had signed of their installations ({len(pcs)}: {names}): an older "
                "disk was put back there, or somebody has changed their records.",
                "seed-server audit alarms",
                urgent=False,
            )
        )
    return found


def move_problems(context: Context, database: "Database", repository: Repository | None = None) -> list[FleetProblem]:
    """Return whether the server's addresses are changing, and which PCs know only a former one."""
    try:
        state = read_move(context, most=MOST_NAMES, database=database, repository=repository)
    except UserError as error:
        return [FleetProblem(error.message, "seed-server move")]
    found = []
    if state.moved_to:
        found.append(FleetProblem(f"The server of this home has moved: {state.moved_to}.", "seed-server move --cancel"))
    if state.number and state.own not in state.addresses:
        text = f"PCs are told other addresses of this server than server.toml has ({state.own}): {state.addresses[0]}."
        found.append(FleetProblem(text, "correct server.toml, or seed-server move --to that address"))
    if state.lacking:
        text = (
            f"PCs do not know this server's newest address ({state.lacking} of {state.everyone}: "
            f"{uninformed_words(state)})."
        )
        found.append(FleetProblem(text, "seed-server move", urgent=False))
    return found


def _few(names: list[str], count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")


def rollout_problems(database: "Database", *, serving: bool) -> list[FleetProblem]:
    """Return what is broken in carrying rollouts on, as the server has found it at its last look."""
    return [_rollout_problem(fault) for fault in database.rollout_faults()] if serving else []


def _rollout_problem(fault: RolloutFault) -> FleetProblem:
    since = moment(fault.since)
    if fault.rollout == NO_ROLLOUT:
        return FleetProblem(
            f"No rollout is carried on since {since}, so no ring opens and none is halted: {fault.words}",
            "seed-server rollout list",
        )
    if fault.rollout < 0:
        number = -fault.rollout
        return FleetProblem(
            f"Exception {number} cannot be read since {since}; PCs know it as it was.",
            f"seed-server exception end {number}",
        )
    return FleetProblem(
        f"Rollout {fault.rollout} is not carried on since {since}: {fault.words}",
        f"seed-server rollout why {fault.rollout}",
    )


def disk_problems(context: Context) -> list[FleetProblem]:
    """Return whether the disk of the home is full: then nothing is recorded, and no rollout goes on."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(context.home.root).free < FULL_DISK_BYTES:
            text = f"The disk that holds {context.home.root} is full: nothing is recorded, and no rollout goes on."
            return [FleetProblem(text, "free some space there")]
    return []


def backup_problems(context: Context) -> list[FleetProblem]:
    """Return whether backups were made and have stopped; whether there is one at all, `doctor` says."""
    last, days = read_last_backup(context.home), context.settings().backup_days
    if last is None or not days or context.clock.now() - last.backup_at <= days * DAY_SECONDS:
        return []
    text = f"The last backup of this server is of {moment(last.backup_at)}."
    return [FleetProblem(text, f"seed-server backup {last.directory}", urgent=False)]


def content_problems(
    context: Context, database: "Database", repository: Repository | None = None
) -> list[FleetProblem]:
    """Return whether files of patches take more than they may, and none of them can go by itself."""
    with contextlib.suppress(UserError):  # who cannot read what is published is told so elsewhere
        settings = context.settings()
        upkeep = ContentUpkeep(context.home, settings, repository or context.repository(), database)
        now = context.clock.now()
        rules = upkeep.rules(now)
        if not rules.most_bytes or sum(one.bytes for one in upkeep.content.stored()) <= rules.most_bytes:
            return []
        over = upkeep.look(now).plan(rules, now).over_bytes
        if over:
            text = f"Files of patches take {bytes_text(over)} more than content_gb allows, and somebody may need all."
            mend = "seed-server disk; withdraw for good what is not to be installed any more, or raise content_gb"
            return [FleetProblem(text, mend, urgent=False)]
    return []


def history_problems(context: Context, database: "Database", *, serving: bool) -> list[FleetProblem]:
    """Return whether a month stays in the database though it should have left it, and which archives are missing."""
    found = []
    days = OVERDUE_MONTH_DAYS
    then = context.clock.now() - days * DAY_SECONDS
    if serving and database.has_month_to_archive(then, context.settings().retention.hot_months):
        found.append(
            FleetProblem(
                f"A month of history should have left the database {days} days ago, and has not: the server's log says "
                "why.",
                f"make room for {context.home.archive}, and check its permissions",
                urgent=False,
            )
        )
    if missing := missing_archives(context, database):
        count, names = len(missing), _few(missing[:MOST_NAMES], len(missing))
        found.append(
            FleetProblem(
                f"Archives of history are missing ({count}: {names}).",
                "seed-server archive verify",
            )
        )
    return found


def flood_problems(database: "Database", now: float) -> list[FleetProblem]:
    """Return which PCs have said more lately than the history keeps of one."""
    if not (names := database.left_out_since(now - FLOOD_SECONDS)):
        return []
    count, few = len(names), _few(names[:MOST_NAMES], len(names))
    return [
        FleetProblem(
            f"PCs report more steps than the history keeps of one ({count}: {few}): their programs are broken, or "
            "somebody has their keys. What they did is not all there.",
            "seed-server endpoints show PC; seed-server deny PC",
            urgent=False,
        )
    ]


def expiry_problems(expiries: Iterable[RoleExpiry], now: float) -> list[FleetProblem]:
    """Return the first offline role that ends within `OFFLINE_WARNING_SECONDS`, or has ended; the others end later."""
    for expiry in expiring_offline(expiries, now):
        left = expiry.expires_at - now
        days = int(left / DAY_SECONDS)
        if left <= 0:
            text = f"The signed {expiry.role} metadata has expired: PCs refuse whatever is new."
        elif days < 2:
            text = f"The signed {expiry.role} metadata expires within two days; then PCs refuse whatever is new."
        else:
            text = f"The signed {expiry.role} metadata expires in {days} days; then PCs refuse whatever is new."
        return [FleetProblem(text, "seed-server renew", urgent=left <= 0)]
    return []


def harm_problems(at_work: Mapping[str, HarmPauseRow | None], *, serving: bool) -> list[FleetProblem]:
    """Return where nothing is leased now, because business suffered while something was sent."""
    share = harm_share(at_work)
    if not serving or not share.paused:
        return []
    return [FleetProblem(f"Leasing pauses at sites: {share.words}.", "seed-server sites", urgent=share.is_too_much)]


def connection_problems(endpoints: EndpointCounts, *, serving: bool) -> list[FleetProblem]:
    """Return what is odd about who is connected: nobody is, or PCs refuse what this server has signed."""
    if not serving or not endpoints.allowed:
        return []
    if not endpoints.allowed_connected:
        return [
            FleetProblem(
                f"No PC is connected ({endpoints.allowed} enrolled). Check the address and the ports in server.toml, "
                "and the firewall before them.",
                "p2pdist status, on a PC: it says why",
            )
        ]
    if not endpoints.refusing:
        return []
    return [
        FleetProblem(
            f"PCs refuse what this server has signed ({endpoints.refusing} of {endpoints.allowed_connected} connected),"
            f" so nothing new arrives there. {endpoints.refusing_host} says: {endpoints.refuses}",
            "seed-server endpoints",
        )
    ]
