"""Signs what PCs are told of rollouts, wherever it differs from what is in force. Blocking."""

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.denied import denied_pcs
from p2pdist.shared.manifest.documents import Manifest, Rollouts, encode_manifest
from p2pdist.shared.manifest.staged import StagedRollouts
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.accounts import person_rights
from seed_server.fleet.approvals_in_force import ApproversInForce, ApprovingAccount
from seed_server.fleet.context import Context
from seed_server.fleet.roles import NO_RIGHTS
from seed_server.fleet.rollout_documents import BrokenRollout, DerivedDocuments, KeptRollout, announcement
from seed_server.signing.repository import Repository
from seed_server.signing.staged import checked
from seed_server.store.rollout_records import OVER_STATES

if TYPE_CHECKING:
    from seed_server.store.database import Database

log = lazy_log()


def read_rollouts(
    database: "Database", *, live: bool = False, over: Collection[PatchRef] | None = None
) -> tuple[list[KeptRollout], list[BrokenRollout]]:
    """Return the rollouts that the database has, the oldest first, with their approvals; and those it cannot read.

    ``over``: of those that are over, only those of these patches.
    """
    rows = database.rollouts(live=live)
    if over is not None:
        rows = [row for row in rows if row.state not in OVER_STATES or row.ref in over]
    approvals = database.all_approvals() if rows else {}
    kept: list[KeptRollout] = []
    broken: list[BrokenRollout] = []
    for row in rows:
        try:
            kept.append(KeptRollout.of(row, approvals.get(row.number, ())))
        except DecodeError as error:
            broken.append(BrokenRollout(row, str(error)))
    return kept, broken


def kept_rollouts(database: "Database", *, live: bool = False) -> list[KeptRollout]:
    """Return those that can be read, as `read_rollouts`."""
    return read_rollouts(database, live=live)[0]


def approvers_in_force(database: "Database", approvers: Approvers | None) -> ApproversInForce:
    """Return who may approve now; ``approvers``: whose signatures PCs want."""
    accounts = {
        person.name: ApprovingAccount(NO_RIGHTS if person.disabled else person_rights(person), person.created_at)
        for person in database.people()
    }
    return ApproversInForce(accounts, approvers)


def announce(repository: Repository, database: "Database", now: float) -> bool:
    """Sign what follows from the database, where it is not in force yet; return whether anything was signed.

    Raises `UserError`: REFUSED for what PCs would not take, BUSY, STORAGE.
    """
    with repository.locked():
        staged, rollouts, complete = (
            repository.current_staged(), repository.current_rollouts(), repository.current_complete(),
        )  # fmt: skip
        wanted = _wanted(repository, database, staged, rollouts, now)
        denied = denied_pcs(database.denied_ids())
        denied_is_new = denied != repository.current_denied()
        if (wanted.staged, wanted.rollouts, wanted.complete) == (staged, rollouts, complete) and not denied_is_new:
            return False
        repository.stage(
            wanted.staged,
            now=now,
            rollouts=None if wanted.rollouts == rollouts else wanted.rollouts,
            complete=None if wanted.complete == complete else wanted.complete,
            denied=denied if denied_is_new else None,
        )
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
    approvers = repository.approvers()
    refs = {one.ref for one in staged.entries} | {one.ref for one in staged.stopped}
    if approvers is not None:  # what is offered to every PC may be complete, and its approvals are asked for
        refs |= {entry.ref for entry in rollouts.entries}
    kept, broken = read_rollouts(database, over=refs)
    in_force = approvers_in_force(database, approvers)
    return announcement(staged, rollouts, kept, database.exceptions(), now, in_force, broken=broken)


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
