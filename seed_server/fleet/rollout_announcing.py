"""Signs what PCs are told of rollouts, wherever it differs from what is in force. Blocking."""

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING

import structlog

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.documents import Manifest, Rollouts, encode_manifest
from p2pdist.shared.manifest.staged import StagedRollouts
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_documents import DerivedDocuments, KeptRollout, announcement
from seed_server.signing.repository import Repository
from seed_server.signing.staged import checked
from seed_server.store.rollout_records import OVER_STATES

if TYPE_CHECKING:
    from seed_server.store.database import Database

log = structlog.get_logger()


def kept_rollouts(
    database: "Database", *, live: bool = False, over: Collection[PatchRef] | None = None
) -> list[KeptRollout]:
    """Return the rollouts that the database has, the oldest first, with their approvals.

    ``over``: of those that are over, only those of these patches.
    """
    rows = database.rollouts(live=live)
    if over is not None:
        rows = [row for row in rows if row.state not in OVER_STATES or row.ref in over]
    approvals = database.all_approvals() if rows else {}
    return [KeptRollout.of(row, approvals.get(row.number, ())) for row in rows]


def announce(repository: Repository, database: "Database", now: float) -> bool:
    """Sign what follows from the database, where it is not in force yet; return whether anything was signed.

    Raises `UserError`: REFUSED for what PCs would not take, BUSY, STORAGE.
    """
    with repository.locked():
        staged, rollouts = repository.current_staged(), repository.current_rollouts()
        wanted = _wanted(repository, database, staged, rollouts, now)
        if wanted.staged == staged and wanted.rollouts == rollouts:
            return False
        repository.stage(
            wanted.staged, now=now, rollouts=None if wanted.rollouts == rollouts else wanted.rollouts
        )  # fmt: skip
    log.info("rollouts announced", live=len(wanted.staged.entries), holds=len(wanted.staged.holds))
    return True


def announce_from(context: Context, repository: Repository) -> None:
    """Sign what follows from the database of ``context``, as `announce`."""
    with context.database() as database:
        announce(repository, database, context.clock.now())


def check_announceable(repository: Repository, database: "Database", now: float) -> None:
    """Raise `UserError` (REFUSED) where PCs would not take what follows from the database.

    Ask before it is committed what gives more: else nothing could be announced any more, and nothing stopped.
    """
    checked(_wanted(repository, database, repository.current_staged(), repository.current_rollouts(), now).staged)


def _wanted(
    repository: Repository, database: "Database", staged: StagedRollouts, rollouts: Rollouts, now: float
) -> DerivedDocuments:
    return announcement(
        staged,
        rollouts,
        kept_rollouts(database, over={entry.ref for entry in staged.entries}),
        database.exceptions(),
        now,
        stays=repository.approvers() is not None,
    )


def approvals_wanted(repository: Repository, manifest: Manifest) -> int:
    """Return how many signed approvals PCs want for a patch; 0: none."""
    return wanted_by(repository.approvers(), manifest)


def wanted_by(approvers: Approvers | None, manifest: Manifest) -> int:
    """Return how many signed approvals ``approvers`` wants for a patch."""
    if approvers is None or manifest.published_at <= approvers.since:
        return 0
    return approvers.required_in_emergency if manifest.schedule.emergency else approvers.required


def manifest_sha256(manifest: Manifest) -> str:
    """Return the SHA-256 of a manifest as it is signed."""
    return hashlib.sha256(encode_manifest(manifest)).hexdigest()
