"""What people do about PCs that lack patches: said, changed, and taken back. As `operations`. Blocking."""

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.names import named_endpoint
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import Area
from seed_server.reporting.judged_patches import PatchesAsked, patches_asked_for, report_head
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.store.report_rows import FollowUpRow
from seed_server.store.rows import EndpointRow

MAX_NOTE_CHARS = 500  # a ticket's number and a sentence
MAX_NAMED_PATCHES = 20  # in the entry of the audit log; of more, it says how many

log = lazy_log()


@operation("endpoints", reach=None)
def follow_up(
    context: Context, actor: Actor, endpoint: str, state: FollowUp | None, *, patch: str = "", note: str = ""
) -> tuple[EndpointRow, list[str]]:
    """Say what is done about a PC that lacks ``patch`` (ID or ID@VERSION; empty: all that it lacks); None: nothing.

    Each ends by itself when the PC has that patch. Returns the PC, and the patches (ID@VERSION) that it is about.
    Writes the database. Raises `UserError`: BAD_INPUT for a PC or patch that is not known, a note that is too long, or
    a PC that lacks none of it; NOT_SET_UP, STORAGE, BUSY.
    """
    row = named_endpoint(context, endpoint)
    require(context, actor, "endpoints", (Area(row.site, frozenset(row.tags)),))
    words = " ".join(note.split())
    if len(words) > MAX_NOTE_CHARS or not words.isprintable():
        raise UserError(
            f"A note has at most {MAX_NOTE_CHARS} characters, and no control characters.", FaultKind.BAD_INPUT
        )
    now = context.clock.now()
    details = {"hostname": row.hostname, "state": "none" if state is None else state.value}
    deed = Deed("follow up", row.endpoint_id, reason=words, details=details)
    with context.audited(actor, deed) as database:
        heads = patches_asked_for(report_head(context, database), PatchesAsked(patch), now)
        number, lacked = database.lacked_by(row.endpoint_id, [head.number for head in heads])
        named = [head for head in heads if head.number in lacked]
        if not named:
            raise UserError(
                f"{row.hostname or row.endpoint_id} lacks none of it: there is nothing to do about it. 'seed-server "
                "report missing' lists what PCs lack.",
                FaultKind.BAD_INPUT,
            )
        if state is None:
            database.drop_follow_ups(number, lacked)
        else:
            database.save_follow_ups(
                [FollowUpRow(now, number, head.number, state.value, words, actor.who) for head in named]
            )
        refs = [str(head.ref) for head in named]
        deed.details["patches"] = " ".join(refs) if len(refs) <= MAX_NAMED_PATCHES else str(len(refs))
    log.info("follow-up", endpoint=row.endpoint_id, state=details["state"], patches=len(refs))
    return row, refs
