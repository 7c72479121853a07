"""Another key for the audit log, and a log that begins again: PCs take both from the offline key alone. Blocking.

The server signs with the new key at once; PCs are told nothing more of the log until the offline key has signed which
one it is. So what is interrupted is done again, and whoever has the server alone cannot make PCs forget anything.
"""

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.log_anchor import ANCHOR_TARGET, MAX_EARLIER_KEYS, LogAnchor, LogBeginning, encode_anchor
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.log_checkpoint import known_key
from seed_server.signing.offers import checked_reason
from seed_server.signing.repository import Repository

AUDIT_SUBJECT = "audit log"


@operation("keys")
def new_audit_key(
    context: Context, actor: Actor, reason: str, keys: OfflineKeys, *, after_restore: bool = False
) -> LogAnchor:
    """Make another audit key, and have PCs know the log by it.

    ``after_restore``: the log lacks entries that PCs have seen, and begins again as it is now; they show ``reason``.
    Writes the key, the database and the repository. Needs the patches key. Raises `UserError`: BAD_INPUT for a reason;
    REFUSED for a key, and for a log that lacks entries though nothing was said of a restore; NOT_SET_UP, STORAGE, BUSY.
    """
    key = keys.load("patches")
    why = checked_reason(reason)
    deed = Deed("sign audit key", AUDIT_SUBJECT, reason=why)
    repository = context.repository(context.recorded(actor, deed))
    repository.check_patches_key(key)
    anchor = make_anchor(context, actor, repository, why, after_restore=after_restore)
    deed.details["key"] = anchor.known.key.hex()
    repository.anchor_log(anchor, key=key, now=context.clock.now())
    return anchor


@operation("keys")
def make_anchor(context: Context, actor: Actor, repository: Repository, why: str, *, after_restore: bool) -> LogAnchor:
    """Make another audit key, with its entry; return what the offline key has to sign of it. Raises as above."""
    told, before = repository.current_staged().checkpoint, repository.log_anchor()
    deed = Deed("new audit key", AUDIT_SUBJECT, reason=why, details={"begins again": "yes" if after_restore else "no"})
    held = [note for note in (told, b"" if before is None else before.checkpoint) if note]
    note = context.new_audit_key(actor, deed, None if after_restore else held)
    now, number = int(context.clock.now()), 1 if before is None else before.number + 1
    known = known_key(told, before)
    earlier = [key for key in (known, *(() if before is None else before.earlier)) if key]
    beginning = None if before is None else before.beginning
    if after_restore:
        beginning = LogBeginning(number, now, why)
    return LogAnchor(
        format=1,
        number=number,
        checkpoint=note,
        at=now,
        reason=why,
        earlier=() if after_restore else tuple(dict.fromkeys(earlier))[:MAX_EARLIER_KEYS],
        beginning=beginning,
    )


def anchor_documents(anchor: LogAnchor) -> dict[str, bytes | None]:
    """Return what the `patches` role lists of it."""
    return {ANCHOR_TARGET: encode_anchor(anchor)}


def is_known_to_pcs(repository: Repository, note: bytes) -> bool:
    """Whether PCs take a checkpoint that is signed like this one, as far as the key goes; also where they know none."""
    try:
        known = known_key(repository.current_staged().checkpoint, repository.log_anchor())
        return not known or read_checkpoint(note).key == known
    except DecodeError:
        return False
