"""Transfers, plan rows and files of patches, for tests of what is said of them."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from p2pdist.install.lifecycle import InstallRecord, Journal, LifeState
from p2pdist.install.plan import Candidate, PlanMoment, PlanRow, plan_rows
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry
from p2pdist.shared.manifest.recipe import ArchiveInstall
from p2pdist.shared.wire.messages import PatchState
from p2pdist.status.patches import file_view
from p2pdist.status.view import FileView
from p2pdist.transfer.states import LanActivity
from p2pdist.transfer.transfer import Transfer, new_record
from p2pdist.trust.catalogue import CataloguePatch

WALL_TIME = 1_795_600_000.0
PLACE = "/patches/file"


def manifest(ref: PatchRef, payload: Payload, **fields: Any) -> Manifest:
    made = Manifest(
        format=1,
        patch_id=ref.patch_id,
        version=ref.version,
        title="",
        severity="low",
        cvss=None,
        published_at=0,
        payloads=[payload],
    )
    return replace(made, **fields)


def payload(n: int = 0) -> Payload:
    return Payload(file_name="f", length_bytes=1, sha256=f"{n:064x}", torrent_hash=f"{n:064x}")


def transfer(n: int = 0, ref: PatchRef | None = None, state: PatchState = "waiting", **fields: Any) -> Transfer:
    """Return the transfer of patch ``n``; without a ``ref``, one with the longest names that there are."""
    ref = ref or PatchRef(f"p{n:063}", "9" * 64)
    entry = RolloutEntry(patch_id=ref.patch_id, version=ref.version, sequence=n)
    patch = CataloguePatch(entry, manifest(ref, payload(n)), payload(n), b"")
    return Transfer((patch,), new_record((patch,), WALL_TIME - 10.0), state, LanActivity(0, 0.0), **fields)


def view_of_file(moving: Transfer, now: float = 0.0) -> FileView:
    """Return the view of a transfer's file, of the first patch that has it."""
    return file_view(moving, moving.patch, PLACE, now, WALL_TIME)


def file(state: PatchState, **changes: Any) -> FileView:
    """Return the view of a file that has nothing to say beyond ``changes``."""
    return dataclasses.replace(view_of_file(transfer(state=state)), **changes)


def plan_row(
    ref: PatchRef, *, life: LifeState | None, here: bool, not_applicable: str = "", older: str = "", **fields: Any
) -> PlanRow:
    """Return the row that the plan has for a record in state ``life``; None: there is no record.

    ``fields`` are the record's, and ``install`` the manifest's: an archive unless said otherwise.
    """
    install = fields.pop("install", ArchiveInstall(directory="/opt/x"))
    made = manifest(ref, payload(), install=install, **fields.pop("manifest", {}))
    candidate = Candidate(
        made, 1, None if not_applicable else payload(), PLACE if here else None, not_applicable, older
    )
    records = () if life is None else (install_record(ref, life, **fields),)
    (row,) = plan_rows([candidate], Journal(records=records), PlanMoment(datetime.fromtimestamp(WALL_TIME, UTC), UTC))
    return row


def install_record(ref: PatchRef, life: LifeState, **fields: Any) -> InstallRecord:
    made = InstallRecord(
        patch_id=ref.patch_id, version=ref.version, state=life, first_seen_at=WALL_TIME, changed_at=WALL_TIME - 7.0
    )
    return replace(made, **fields)
