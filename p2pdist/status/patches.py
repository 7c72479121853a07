"""Puts together the view of every patch on this PC, as of now."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import is_
from pathlib import Path
from typing import TypeAlias

import trio

from p2pdist.install.lifecycle import FailureClass, HistoryEntry, reported_state
from p2pdist.install.plan import PlanRow
from p2pdist.install.service import InstallService
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.messages import InstallState
from p2pdist.status.view import FileView, NotYetView, PatchView, WithdrawnView
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.states import TransferRecord, seconds_taken
from p2pdist.transfer.torrent_engine import TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import CataloguePatch, NotYet, RefusedPatch

_Seen: TypeAlias = tuple[CataloguePatch, TransferRecord, TransferSnapshot | None, TransferFault | None, str]
"""All that the view of a proven file shows; each is replaced when it changes."""


class Patches:
    """Looks at the transfers, the plan and the catalogue. Runs in the daemon's trio thread."""

    def __init__(
        self,
        verified: Path,
        transfers: Transfers,
        patching: InstallService,
        clock: Clock,
        *,
        refused: Callable[[], list[RefusedPatch]],
        not_yet: Callable[[], list[NotYet]] = list,
    ) -> None:
        """Keep the sources. ``verified`` is the directory of proven files.

        ``refused`` returns what cannot be taken, ``not_yet`` what waits for its rollout.
        """
        self._verified = verified
        self._transfers = transfers
        self._patching = patching
        self._clock = clock
        self._refused = refused
        self._not_yet = not_yet
        self._outputs: tuple[Sequence[HistoryEntry], dict[PatchRef, str]] = ((), {})
        """The history of the last look, and the outputs in it."""
        self._proven: dict[PatchRef, tuple[_Seen, FileView]] = {}
        """The views of proven files, each with what it was made from: hundreds, which do not change for weeks."""

    def files(self) -> list[FileView]:
        """Return the file of each patch that has one; the plan is not made for it."""
        return [self._file_of(each, each.patch) for each in self._transfers.everything()]

    def views(self) -> list[PatchView]:
        """Return the view of each patch."""
        views = views_of(
            self._transfers.everything(),
            self._patching.plan(),
            self._refused(),
            file_of=self._file_of,
            not_yet=self._not_yet(),
        )
        self._proven = {view.ref: self._proven[view.ref] for view in views if view.ref in self._proven}
        outputs = self._last_outputs(self._patching.installs.journal.history)
        told = [replace(view, output=outputs[view.ref]) if view.ref in outputs else view for view in views]
        withdrawn = list(self._withdrawn())
        gone = {view.ref for view in withdrawn}
        return [*(view for view in told if view.file is not None or view.ref not in gone), *withdrawn]

    def _last_outputs(self, history: Sequence[HistoryEntry]) -> dict[PatchRef, str]:
        if history is not self._outputs[0]:  # a history never changes: another step makes another one
            self._outputs = history, last_outputs(history)
        return self._outputs[1]

    def _withdrawn(self) -> Iterator[PatchView]:
        if not (withdrawn := self._patching.withdrawn()):
            return
        recalled = {one.ref for one in self._patching.recalled()}
        newer = {
            PatchRef(record.patch_id, version): record.ref
            for record in self._patching.installs.journal.records
            if record.state == "installed"
            for version in record.predecessors
        }
        for one in withdrawn:
            record = self._patching.installs.store.record(one.ref)
            install: InstallState = "" if record is None or record.untouched else reported_state(record)
            replaced_by = newer.get(one.ref) if install == "" else None
            went_back = record is not None and record.failure is FailureClass.RECALL
            view = WithdrawnView(
                one.reason,
                one.at,
                install,
                removed=one.ref in self._transfers.removed or one.ref in recalled or replaced_by is not None,
                recalled=record.reason if record is not None and went_back else "",
                replaced_by=str(replaced_by or ""),
            )
            yield PatchView(one.ref, withdrawn=view)

    def _file_of(self, transfer: Transfer, patch: CataloguePatch) -> FileView:
        seen = patch, transfer.record, transfer.snapshot, transfer.fault, transfer.origin_error
        kept = self._proven.get(patch.ref)
        if transfer.state == "verified" and kept is not None and all(map(is_, kept[0], seen)):
            return kept[1]
        path = transfer.verified_path(self._verified, patch)
        view = file_view(transfer, patch, path, trio.current_time(), self._clock.now())
        if transfer.state == "verified":
            self._proven[patch.ref] = seen, view
        return view


def last_outputs(history: Iterable[HistoryEntry]) -> dict[PatchRef, str]:
    """Return what each patch's installer wrote last, in one line; of those that wrote anything."""
    written = ((PatchRef(entry.patch_id, entry.version), entry.output) for entry in history if entry.output.strip())
    return {ref: " | ".join(line.strip() for line in output.splitlines() if line.strip()) for ref, output in written}


def views_of(
    transfers: Iterable[Transfer],
    plan: Iterable[PlanRow],
    refused: Iterable[RefusedPatch],
    *,
    file_of: Callable[[Transfer, CataloguePatch], FileView],
    not_yet: Iterable[NotYet] = (),
) -> list[PatchView]:
    """Return every patch that is rolled out to this PC: with a file, then those that cannot be taken, then the others.

    Those ``not_yet`` to be taken come last, but where a file of theirs is here.

    ``file_of`` gives the view of a transfer's file as that of one of its patches.
    """
    rows = {row.candidate.ref: row for row in plan}
    with_file = [
        PatchView(patch.ref, file_of(transfer, patch), rows.get(patch.ref))
        for transfer in transfers
        for patch in transfer.patches
    ]
    not_taken = [PatchView(patch.entry.ref, refused=patch.reason) for patch in refused]
    seen = {view.ref for view in with_file}
    views = [*with_file, *not_taken, *(PatchView(ref, plan=row) for ref, row in rows.items() if ref not in seen)]
    waiting = {one.entry.ref: _not_yet(one) for one in not_yet}
    if not waiting:
        return views
    views = [replace(view, not_yet=waiting.pop(view.ref, None)) if view.ref in waiting else view for view in views]
    return [*views, *(PatchView(ref, not_yet=words) for ref, words in waiting.items())]


def _not_yet(one: NotYet) -> NotYetView:
    return NotYetView(one.manifest.title, one.wait.words, one.wait.until, one.manifest.other_titles)


def file_view(transfer: Transfer, patch: CataloguePatch, path: str, now: float, wall_time: float) -> FileView:
    """Return the view of the file of ``patch``, one of the transfer's.

    ``path`` is the place of the proven file; ``now`` is trio's clock, ``wall_time`` seconds since 1970.
    """
    manifest, record, snapshot = patch.manifest, transfer.record_of(patch), transfer.swapped
    return FileView(
        title=manifest.title,
        titles=manifest.other_titles,
        severity=manifest.severity,
        sequence=patch.entry.sequence,
        length_bytes=transfer.payload.length_bytes,
        record=record,
        state=transfer.state,
        progress=min(1.0, max(0.0, transfer.progress)),
        seconds=seconds_taken(record, wall_time),
        path=path,
        fault=transfer.fault,
        origin_error=transfer.origin_error,
        room_wait=transfer.room_wait if transfer.state == "waiting" else "",
        left=transfer.record.spared,
        queued=transfer.queued,
        neighbours=len(snapshot.peers) if snapshot else 0,
        missing=all_pieces(snapshot.piece_count) & ~snapshot.have if snapshot else 0,
        lan_have=snapshot.lan_have if snapshot else 0,
        since_line_seconds=now - transfer.origin_piece_at,
        since_neighbour_seconds=now - transfer.neighbour_piece_at,
    )
