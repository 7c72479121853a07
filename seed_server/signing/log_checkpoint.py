"""The audit log's newest checkpoint goes to PCs with the rollouts, whoever signs them. Blocking."""

import structlog
from msgspec.structs import replace

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES, StagedRollouts
from p2pdist.shared.wire.codec import DecodeError
from seed_server.settings import ServerHome

log = structlog.get_logger()


def witnessed(staged: StagedRollouts, signed: bytes, home: ServerHome) -> StagedRollouts:
    """Return ``staged`` with the newest checkpoint in ``home``, or ``signed``, the one that PCs know, if that is newer.

    PCs raise an alarm at one that is older or cannot be read, and never forget it: so neither is ever signed.
    """
    newest = signed
    try:
        found = read_capped(home.audit_checkpoint, MAX_CHECKPOINT_BYTES)
        if not signed or read_checkpoint(found).size > read_checkpoint(signed).size:
            read_checkpoint(found)
            newest = found
    except FileNotFoundError:
        pass
    except (OSError, FileTooLargeError, DecodeError) as error:
        log.warning("the checkpoint of the audit log is not signed for PCs", reason=str(error))
    return replace(staged, checkpoint=newest)
