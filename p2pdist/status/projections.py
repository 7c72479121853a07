"""What is said of one patch: its view as a row of `status`, a row of `why`, and a report to the server. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from p2pdist.install.lifecycle import UNDER_WAY, FailureClass
from p2pdist.install.plan import PlanRow
from p2pdist.local_api.delivery_answers import NotYetPatch, StatusPatch, WhyPatch
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.messages import InstallState, PatchReport
from p2pdist.status.reasons import WhyReason
from p2pdist.status.view import FileView, NotYetView, PatchView, WithdrawnView
from p2pdist.status.why import Circumstances, detail_of
from p2pdist.transfer.faults import TransferFaultKind


@dataclass(frozen=True, slots=True)
class Waiting:
    """For how long a file has waited for what."""

    reason: WhyReason
    """The reason that holds now."""
    since_seconds: float
    """For how long it has held."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time under each reason, the longest first."""


def status_patches(views: Iterable[PatchView]) -> list[StatusPatch]:
    """Return the rows of `p2pdist status`, by order of publication."""
    with_file = [(view.file.sequence, view) for view in views if view.file is not None]
    rows = (status_patch(view) for _, view in sorted(with_file, key=lambda pair: pair[0]))
    return [row for row in rows if row is not None]


def installs(views: Iterable[PatchView]) -> dict[str, InstallState]:
    """Return ID@VERSION → what has become of the patch beyond its file; only patches where that is known."""
    return {str(view.ref): view.install for view in views if view.install}


def status_patch(view: PatchView) -> StatusPatch | None:
    """Return the row of `p2pdist status`; None: no file of the patch is here or on its way."""
    file = view.file
    if file is None:
        return None
    return StatusPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        title=file.title,
        titles=dict(file.titles),
        severity=file.severity,
        length_bytes=file.length_bytes,
        state=file.state,
        progress=round(file.progress, 4),
        bytes_from_origin=file.record.bytes_from_origin,
        bytes_from_peers=file.record.bytes_from_peers,
        bytes_wasted=file.record.bytes_wasted,
        seconds=round(file.seconds, 3),
        path=file.path if file.state == "verified" and not file.left else None,
        error=file.error[:MAX_TEXT_CHARS] or None,
        install=view.install or None,
        install_reason=view.install_reason[:MAX_TEXT_CHARS] or None,
        left=file.left,
        waits_for_room=bool(file.room_wait) or _lacks_disk(file),
        bytes_built=file.record.bytes_built,
        built_of=file.record.built_of,
    )


def patch_report(view: PatchView) -> PatchReport | None:
    """Return the report to the server; None: no file is on its way, and the patch is not known not to apply.

    Of what was withdrawn, the server hears that its bytes are gone.
    """
    file = view.file
    if view.withdrawn is not None:
        return _withdrawn_report(view, view.withdrawn)
    recalled = view.plan is not None and bool(view.plan.candidate.recalled)
    if file is None and view.install != "not_applicable" and not recalled:
        return None
    record = None if file is None else file.record
    return PatchReport(
        patch_id=view.ref.patch_id,
        version=view.ref.version,
        state="waiting" if file is None else file.state,
        progress=0.0 if file is None else file.progress,
        bytes_from_origin=0 if record is None else record.bytes_from_origin,
        bytes_from_peers=0 if record is None else record.bytes_from_peers,
        bytes_wasted=0 if record is None else record.bytes_wasted,
        seconds=0.0 if file is None else file.seconds,
        error="" if file is None else file.error[:MAX_TEXT_CHARS],
        install=view.install,
        install_reason=view.install_reason[:MAX_TEXT_CHARS],
        install_output=view.output[-MAX_TEXT_CHARS:] if view.install in TELLING else "",
        bytes_built=0 if record is None else record.bytes_built,
    )


def _lacks_disk(file: FileView) -> bool:
    return file.fault is not None and file.fault.kind is TransferFaultKind.DISK_FULL


TELLING = frozenset({"failed", "rolled_back", "retrying", "unproven"})
"""States in which the operator wants to read what the installer wrote."""


def _withdrawn_report(view: PatchView, withdrawn: WithdrawnView) -> PatchReport | None:
    if not withdrawn.removed:
        return None
    newer = withdrawn.replaced_by
    words = f"replaced: {newer} is installed" if newer else f"withdrawn: {withdrawn.reason}"
    return PatchReport(
        patch_id=view.ref.patch_id,
        version=view.ref.version,
        state="waiting",
        progress=0.0,
        bytes_from_origin=0,
        bytes_from_peers=0,
        bytes_wasted=0,
        seconds=0.0,
        error="",
        install=withdrawn.install or "not_applicable",
        install_reason=(withdrawn.recalled or words)[:MAX_TEXT_CHARS],
    )


def why_patch(view: PatchView, waiting: Waiting | None, around: Circumstances, wall_time: float) -> WhyPatch | None:
    """Return the row of `p2pdist why`; None: its file is neither on the way nor known not to come.

    ``waiting`` is given where the view has a file. ``wall_time`` is in seconds since 1970.
    """
    row = _why(view, waiting, around, wall_time)
    if row is None or view.file is None:
        return row
    record = view.file.record
    return msgspec.structs.replace(
        row,
        bytes_from_origin=record.bytes_from_origin,
        bytes_from_peers=record.bytes_from_peers,
        bytes_built=record.bytes_built,
        built_of=record.built_of,
    )


def _why(view: PatchView, waiting: Waiting | None, around: Circumstances, wall_time: float) -> WhyPatch | None:
    if view.withdrawn is not None:
        return _why_withdrawn(view, view.withdrawn, wall_time)
    if (row := view.decided_by_plan) is not None:
        return _why_not_installed(view, row, waiting, wall_time)
    if view.not_yet is not None:
        return _why_not_yet(view, view.not_yet)
    if view.file is not None and waiting is not None:
        return _why_not_here(view, view.file, waiting, around)
    if not view.refused:
        return None
    return WhyPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        state="failed",
        progress=0.0,
        reason=WhyReason.CANNOT_BE_TAKEN.value,
        detail=f"{view.refused}. Publish it again.",
        since_seconds=0.0,
        seconds={},
    )


def _why_withdrawn(view: PatchView, withdrawn: WithdrawnView, wall_time: float) -> WhyPatch:
    return WhyPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        state="withdrawn",
        progress=0.0,
        reason=f"{WhyReason.WITHDRAWN}: {withdrawn.reason}",
        detail=""
        if withdrawn.install in ("", "waiting")
        else f"on this PC it is {withdrawn.install.replace('_', ' ')}",
        since_seconds=round(max(0.0, wall_time - withdrawn.at), 1),
        seconds={},
    )


def _why_not_yet(view: PatchView, not_yet: NotYetView) -> WhyPatch:
    return WhyPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        state="waiting",
        progress=0.0 if view.file is None else round(view.file.progress, 4),
        reason=not_yet.words,
        detail="",
        since_seconds=0.0,
        seconds={},
        title=not_yet.title,
        titles=dict(not_yet.titles),
    )


def not_yet_patches(views: Iterable[PatchView]) -> list[NotYetPatch]:
    """Return what `p2pdist status` says of patches that wait for their rollout, and are not installed."""
    return [
        NotYetPatch(
            id=view.ref.patch_id,
            version=view.ref.version,
            title=view.not_yet.title,
            titles=dict(view.not_yet.titles),
            reason=view.not_yet.words[:MAX_TEXT_CHARS],
            until=view.not_yet.until,
        )
        for view in views
        if view.not_yet is not None and view.install in ("", "waiting")
    ]


def _why_not_here(view: PatchView, file: FileView, waiting: Waiting, around: Circumstances) -> WhyPatch:
    return WhyPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        state=file.state,
        progress=round(file.progress, 4),
        reason=waiting.reason.value,
        detail=detail_of(waiting.reason, file, around),
        since_seconds=round(waiting.since_seconds, 1),
        seconds=waiting.seconds,
        title=file.title,
        titles=dict(file.titles),
    )


def _why_not_installed(view: PatchView, row: PlanRow, waiting: Waiting | None, wall_time: float) -> WhyPatch:
    since = row.record.changed_at if row.record is not None and view.file is not None else wall_time
    return WhyPatch(
        id=view.ref.patch_id,
        version=view.ref.version,
        state=row.state or "unknown",
        progress=0.0 if view.file is None else round(view.file.progress, 4),
        reason=sentence(row),
        detail="",
        since_seconds=round(max(0.0, wall_time - since), 1),
        seconds={} if waiting is None else waiting.seconds,
        title=row.candidate.manifest.title,
        titles=row.candidate.manifest.other_titles,
    )


def sentence(row: PlanRow) -> str:
    """Return why a patch is where it is, in one clause; for rows that have a state."""
    record = row.record
    if row.state == "not_applicable" and row.older:
        return f"it is refused: {row.older}"
    if row.state == "not_applicable" or record is None:
        why = row.candidate.not_applicable or row.reason
        return f"it does not apply to this PC: {why.removeprefix('not applicable: ')}"
    if record.state == "installed":
        recalled = f"; {record.reason}" if record.failure is FailureClass.RECALL else ""
        return "it is installed" + (", and this PC has to be restarted" if record.restart_boot else recalled)
    if record.state in UNDER_WAY:
        return "it is being installed" if record.state != "rolling_back" else "it is being rolled back"
    if record.state == "unproven":
        return f"it waits to be proven: {row.reason}"
    if record.state == "failed":
        return f"it has failed: {row.reason}"
    if record.state == "rolled_back":
        return f"it has been rolled back: {row.reason}"
    return f"its file is here; {row.kind.value}{f': {row.reason}' if row.reason else ''}"
