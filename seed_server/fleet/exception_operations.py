"""What people do to exceptions: PCs that shall not install something until a day. As `rollout_operations`. Blocking."""

import datetime as dt

from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import check_relation, given_name
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.expression import ExpressionError, parse_expression
from p2pdist.shared.manifest.ring_facts import RING_FACTS, other_names
from p2pdist.shared.manifest.staged import MAX_HOLDS, MAX_OWNER_CHARS
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import WHOLE_FLEET, Reach, reach_of
from seed_server.fleet.rollout_announcing import announce_from, check_announceable
from seed_server.fleet.rollout_documents import hold_of
from seed_server.signing.offers import checked_reason
from seed_server.store.rollout_records import ExceptionRow

MAX_EXCEPTION_DAYS = 180  # half a year; who still needs it then says so again

log = lazy_log()


@operation("except", reach=None)
def add_exception(
    context: Context, actor: Actor, *, who: str, until: float, reason: str, owner: str, patch: str = ""
) -> ExceptionRow:
    """Hold ``patch`` (ID or ID@VERSION; empty: every one) back from PCs for which ``who`` holds, until a moment.

    Writes database and repository. Raises `UserError`: BAD_INPUT; REFUSED where there are too many; NOT_SET_UP,
    STORAGE, BUSY.
    """
    now = context.clock.now()
    if not now < until <= now + (MAX_EXCEPTION_DAYS + 1) * DAY_SECONDS:  # to the end of its last day
        raise UserError(
            f"The last day of an exception is from {_day(now)} to {_day(now + MAX_EXCEPTION_DAYS * DAY_SECONDS)}, and "
            "ends at midnight UTC.",
            FaultKind.BAD_INPUT,
        )
    why, name = checked_reason(reason), " ".join(owner.split())
    if not reason.strip() or not 1 <= len(name) <= MAX_OWNER_CHARS or not name.isprintable():
        raise UserError("An exception has a reason and an owner, whom others can ask about it.", FaultKind.BAD_INPUT)
    reach = _checked_who(who)
    require(context, actor, "except", reach)
    if patch:
        given_name(check_relation, patch)
    repository = context.repository(context.settling())
    row = ExceptionRow(
        number=0, patch=patch, expression=who, reason=why, owner=name, made_by=actor.who, begins_at=now, ends_at=until
    )
    deed = Deed("add exception", patch or "every patch", reason=why, details={"who": who or "every PC"}, after=row)
    with context.audited(actor, deed) as database:
        if sum(one.holds(now) for one in database.exceptions()) >= MAX_HOLDS:
            raise UserError(f"There are {MAX_HOLDS} exceptions already; end one first.", FaultKind.REFUSED)
        number = database.add_exception(row)
        deed.details["exception"] = str(number)
        check_announceable(repository, database, now)
    log.info("exception added", number=number, patch=patch, who=who)
    announce_from(context, repository)
    return replace(row, number=number)


@operation("except", reach=None)
def end_exception(context: Context, actor: Actor, number: int) -> ExceptionRow:
    """End an exception now. Writes and raises as `add_exception`; BAD_INPUT for one that does not hold."""
    now = context.clock.now()
    repository = context.repository(context.settling())
    deed = Deed("end exception", str(number))
    with context.audited(actor, deed) as database:
        row = next((one for one in database.exceptions() if one.number == number and one.holds(now)), None)
        if row is None:
            raise UserError(
                f"No exception {number} holds PCs back. 'seed-server exception list' lists them.", FaultKind.BAD_INPUT
            )
        if row.is_withdrawal:
            raise UserError(
                f"{row.patch} was withdrawn there, which is no exception. 'seed-server offer {row.patch} --site SITE' "
                "ends it.",
                FaultKind.BAD_INPUT,
            )
        # of one that cannot be read nobody knows whom it holds back
        require(context, actor, "except", WHOLE_FLEET if hold_of(row) is None else _checked_who(row.expression))
        database.end_exception(number, who=actor.who, now=now)
        deed.before, deed.details["patch"] = row, row.patch
    log.info("exception ended", number=number)
    announce_from(context, repository)
    return row


def end_of_day(text: str) -> float:
    """Return the end of a day, UTC, written as 2026-12-24. Raises `UserError` (BAD_INPUT)."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text[:40]!r} is no day. Write it as 2026-12-24.", FaultKind.BAD_INPUT) from error
    return dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC).timestamp()


def _day(moment: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%d}"


def _checked_who(who: str) -> Reach:
    if not who:
        return reach_of(None)
    try:
        if others := other_names(who):
            raise UserError(
                f"No exception can ask for {', '.join(others)}: server and PC have to know it alike. There are "
                f"{', '.join(sorted(RING_FACTS))}.",
                FaultKind.BAD_INPUT,
            )
        return reach_of(parse_expression(who))
    except ExpressionError as error:
        raise UserError(f"{who[:80]!r} is no expression: {error}.", FaultKind.BAD_INPUT) from error
