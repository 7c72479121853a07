"""Puts together the view of every patch on this PC, as of now."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import trio

from p2pdist.install.lifecycle import HistoryEntry, reported_state
from p2pdist.install.plan import PlanRow
from p2pdist.install.service import InstallService
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.shared.wire.messages import InstallState
from p2pdist.status.view import FileView, PatchView, WithdrawnView
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.states import seconds_taken
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import CataloguePatch, RefusedPatch


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
    ) -> None:
        """Keep the sources. ``verified`` is the directory of proven files; ``refused`` returns what cannot be taken."""
        self._verified = verified
        self._transfers = transfers
        self._patching = patching
        self._clock = clock
        self._refused = refused
        self._outputs: tuple[Sequence[HistoryEntry], dict[PatchRef, str]] = ((), {})
        """The history of the last look, and the outputs in it."""

    def files(self) -> list[FileView]:
        """Return the file of each patch that has one; the plan is not made for it."""
        now, wall_time = trio.current_time(), self._clock.now()
        return [
            file_view(each, each.patch, self._path_of(each, each.patch), now, wall_time)
            for each in self._transfers.everything()
        ]

    def views(self) -> list[PatchView]:
        """Return the view of each patch."""
        views = views_of(
            self._transfers.everything(),
            self._patching.plan(),
            self._refused(),
            path_of=self._path_of,
            now=trio.current_time(),
            wall_time=self._clock.now(),
        )
        outputs = self._last_outputs(self._patching.installs.journal.history)
        told = [replace(view, output=outputs[view.ref]) if view.ref in outputs else view for view in views]
        return [*told, *self._withdrawn()]

    def _last_outputs(self, history: Sequence[HistoryEntry]) -> dict[PatchRef, str]:
        if history is not self._outputs[0]:  # a history never changes: another step makes another one
            self._outputs = history, last_outputs(history)
        return self._outputs[1]

    def _withdrawn(self) -> Iterator[PatchView]:
        for one in self._patching.withdrawn():
            record = self._patching.installs.store.record(one.ref)
            install: InstallState = "" if record is None or record.untouched else reported_state(record)
            view = WithdrawnView(one.reason, one.at, install, removed=one.ref in self._transfers.removed)
            yield PatchView(one.ref, withdrawn=view)

    def _path_of(self, transfer: Transfer, patch: CataloguePatch) -> str:
        return transfer.verified_path(self._verified, patch)


def last_outputs(history: Iterable[HistoryEntry]) -> dict[PatchRef, str]:
    """Return what each patch's installer wrote last, in one line; of those that wrote anything."""
    written = ((PatchRef(entry.patch_id, entry.version), entry.output) for entry in history if entry.output.strip())
    return {ref: " | ".join(line.strip() for line in output.splitlines() if line.strip()) for ref, output in written}


def views_of(
    transfers: Iterable[Transfer],
    plan: Iterable[PlanRow],
    refused: Iterable[RefusedPatch],
    *,
    path_of: Callable[[Transfer, CataloguePatch], str],
    now: float,
    wall_time: float,
) -> list[PatchView]:
    """Return every patch that is rolled out to this PC: with a file, then those that cannot be taken, then the others.

    ``path_of`` gives the place of a proven file; ``now`` is trio's clock, ``wall_time`` seconds since 1970.
    """
    rows = {row.candidate.ref: row for row in plan}
    with_file = [
        PatchView(patch.ref, file_view(transfer, patch, path_of(transfer, patch), now, wall_time), rows.get(patch.ref))
        for transfer in transfers
        for patch in transfer.patches
    ]
    not_taken = [PatchView(patch.entry.ref, refused=patch.reason) for patch in refused]
    seen = {view.ref for view in with_file}
    return [*with_file, *not_taken, *(PatchView(ref, plan=row) for ref, row in rows.items() if ref not in seen)]


def file_view(transfer: Transfer, patch: CataloguePatch, path: str, now: float, wall_time: float) -> FileView:
    """Return the view of the file of ``patch``, one of the transfer's; for ``path`` and the times see `views_of`."""
    manifest, record, snapshot = patch.manifest, transfer.record_of(patch), transfer.snapshot
    return FileView(
        title=manifest.title,
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
        neighbours=len(snapshot.peers) if snapshot else 0,
        missing=all_pieces(snapshot.piece_count) & ~snapshot.have if snapshot else 0,
        lan_have=snapshot.lan_have if snapshot else 0,
        since_line_seconds=now - transfer.origin_piece_at,
        since_neighbour_seconds=now - transfer.activity.changed_at if record.bytes_from_peers else math.inf,
    )
