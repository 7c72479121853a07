"""The audit log's newest checkpoint goes to PCs with the rollouts, whoever signs them. Blocking."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_anchor import LogAnchor
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES, StagedRollouts
from p2pdist.shared.wire.codec import DecodeError
from seed_server.settings.home import ServerHome

if TYPE_CHECKING:
    from seed_server.signing.repository import Repository

UNTOLD_SECONDS = 1.0 * DAY_SECONDS  # for so long the end of the log may be known to nobody but this server

log = lazy_log()


def known_key(signed: bytes, anchor: LogAnchor | None) -> bytes:
    """Return the key by which PCs know the log; empty: by none yet. Raises `DecodeError`.

    ``signed``: the checkpoint that was signed for them; ``anchor``: what the offline role says.
    """
    if anchor is not None:
        return anchor.known.key
    return read_checkpoint(signed).key if signed else b""


def witnessed(
    staged: StagedRollouts, signed: bytes, home: ServerHome, anchor: LogAnchor | None = None
) -> StagedRollouts:
    """Return ``staged`` with the newest checkpoint in ``home``, or ``signed``, the one that PCs know, if that is newer.

    ``anchor``: what PCs know from the offline role. They raise an alarm at one that is older, signed by another key, or
    cannot be read, and never forget it: so none of these is ever signed.
    """
    newest = signed
    try:
        known = known_key(signed, anchor)
        if anchor is not None and (not signed or read_checkpoint(signed).key != known):
            newest = anchor.checkpoint
        found = read_capped(home.audit_checkpoint, MAX_CHECKPOINT_BYTES)
        told = read_checkpoint(found)
        if known and told.key != known:
            log.warning("PCs do not know the audit key: have it signed by 'seed-server audit new-key'")
        elif not newest or told.size > read_checkpoint(newest).size:
            newest = found
    except FileNotFoundError:
        pass
    except (OSError, FileTooLargeError, DecodeError) as error:
        log.warning("the checkpoint of the audit log is not signed for PCs", reason=str(error))
    return replace(staged, checkpoint=newest)


def tell_newest(repository: "Repository", home: ServerHome, *, rollouts_life: float, now: float) -> bool:
    """Sign the newest checkpoint for PCs though no rollout has changed for `UNTOLD_SECONDS`; return whether it was.

    Else what is done to people, tokens and PCs could be cut off the log long afterwards. ``rollouts_life``: that of the
    role, in seconds. Raises `UserError`: BUSY, STORAGE.
    """
    with repository.locked():
        signed_at = next(one.expires_at for one in repository.expiries() if one.role == "rollouts") - rollouts_life
        if now - signed_at < UNTOLD_SECONDS:
            return False
        known = repository.current_staged()
        if witnessed(known, known.checkpoint, home) == known:
            return False
        repository.stage(known, now=now)
    return True
