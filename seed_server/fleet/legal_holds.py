"""What people do to legal holds: while one holds, nothing that happened goes after its time. Blocking."""

from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.signing.offers import checked_reason

if TYPE_CHECKING:
    from seed_server.store.archived_months import LegalHold

log = lazy_log()


def read_legal_holds(context: Context) -> "list[LegalHold]":
    """Return every legal hold, also those that were released, the oldest first. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        return database.legal_holds()


@operation("audit")
def hold_history(context: Context, actor: Actor, reason: str) -> "LegalHold":
    """Let nothing that happened go after its time until this is released. Writes the database.

    Raises `UserError`: BAD_INPUT for no reason, NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    why = checked_reason(reason)
    if not reason.strip():
        raise UserError("A legal hold has a reason, such as the number of the case.", FaultKind.BAD_INPUT)
    deed = Deed("hold history", reason=why)
    with context.audited(actor, deed) as database:
        number = database.add_legal_hold(why, actor.who, context.clock.now())
        deed.subject = str(number)
        deed.after = held = next(one for one in database.legal_holds() if one.number == number)
    log.info("history is held", number=number, reason=why)
    return held


@operation("audit")
def release_history(context: Context, actor: Actor, number: int, reason: str) -> "LegalHold":
    """Release a legal hold. Writes and raises as `hold_history`; BAD_INPUT also for one that does not hold."""
    context.settings()
    deed = Deed("release history", str(number), reason=checked_reason(reason))
    with context.audited(actor, deed) as database:
        deed.before = next((one for one in database.legal_holds() if one.number == number), None)
        if deed.before is None or deed.before.released_at is not None:
            raise UserError(
                f"No legal hold {number} holds. 'seed-server archive list' lists those that do.", FaultKind.BAD_INPUT
            )
        database.release_legal_hold(number, actor.who, context.clock.now())
        deed.after = released = next(one for one in database.legal_holds() if one.number == number)
    log.info("history is held no more", number=number, reason=deed.reason)
    return released
