"""`p2pdist.status.patches`: the views of what is here now, whatever was looked at before."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from msgspec.structs import replace

from p2pdist.install.lifecycle import HistoryEntry, Journal
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.status import patches as patches_module
from p2pdist.status.patches import Patches, file_view
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine import TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import install_record, transfer

REF = PatchRef("acme", "1")
CHANGES: dict[str, Callable[[Transfer], object]] = {
    "record": lambda each: replace(each.record, bytes_from_peers=7),
    "fault": lambda _: TransferFault(TransferFaultKind.DISK, "The disk failed."),
    "origin_error": lambda _: "it is gone",
    "patches": lambda each: (dataclasses.replace(each.patch, entry=replace(each.patch.entry, sequence=9)),),
    "snapshot": lambda each: TransferSnapshot(each.torrent_hash, "complete", 1, 1, 0, 0, 0, 0, 1.0, (), None),
    "state": lambda _: "fetching",
}


def entry(output: str) -> HistoryEntry:
    return HistoryEntry(at=0.0, patch_id=REF.patch_id, version=REF.version, decision=1, what="it ended", output=output)


class Here:
    """One patch whose file is here, and the journal of installations."""

    def __init__(self) -> None:
        self.store = SimpleNamespace(journal=Journal())
        self.transfer = transfer(1, REF, "verified")
        transfers = SimpleNamespace(everything=lambda: [self.transfer], removed=frozenset())
        self.patching = SimpleNamespace(plan=list, withdrawn=tuple, recalled=tuple, installs=self.store)
        self.patches = Patches(
            Path("/patches"), cast("Any", transfers), cast("Any", self.patching), FakeClock(), refused=list
        )

    async def output(self) -> str:
        (view,) = self.patches.views()
        return view.output


async def test_the_last_output_is_told_whatever_was_told_before() -> None:
    here = Here()
    assert await here.output() == ""
    here.store.journal = Journal(history=(entry("one\n\n two "), entry(" ")))
    assert await here.output() == "one | two"
    here.store.journal = replace(here.store.journal, history=(*here.store.journal.history, entry("three")))
    assert await here.output() == "three"
    here.store.journal = Journal()
    assert await here.output() == "", "a journal that was damaged begins anew"


@pytest.mark.parametrize("changed", CHANGES)
async def test_the_view_of_a_proven_file_is_made_anew_when_something_of_it_has_changed_and_not_before(
    changed: str, autojump_clock: trio.testing.MockClock
) -> None:
    here = Here()
    (before,) = here.patches.views()
    await trio.sleep(60.0)
    assert here.patches.views()[0].file is before.file, "there are hundreds, and an idle PC looks at them for weeks"
    assert here.patches.files() == [before.file]
    setattr(here.transfer, changed, CHANGES[changed](here.transfer))
    (view,), path = here.patches.views(), str(Path("/patches") / "acme" / "1" / "f")
    assert view.file == file_view(here.transfer, here.transfer.patch, path, trio.current_time(), FakeClock().now())
    assert view.file is not before.file


async def test_a_file_on_its_way_is_looked_at_each_time(autojump_clock: trio.testing.MockClock) -> None:
    here = Here()
    here.transfer.state = "fetching"
    here.transfer.origin_piece_at = trio.current_time()
    ages = []
    for _ in range(2):
        (view,) = here.patches.views()
        assert view.file is not None
        ages.append(view.file.since_line_seconds)
        await trio.sleep(5.0)
    assert ages == [0.0, 5.0]


@pytest.mark.parametrize("state", ["installed", "rolled_back"])
async def test_what_was_withdrawn_and_a_newer_version_has_replaced_is_told_after_a_restart_too(state: Any) -> None:
    here, newer = Here(), replace(install_record(PatchRef(REF.patch_id, "9"), state), predecessors=("0.9",))
    old = PatchRef(REF.patch_id, "0.9")
    here.store.journal = Journal(records=(newer,))
    here.store.store = SimpleNamespace(record=here.store.journal.record)
    here.patching.withdrawn = lambda: (Withdrawal(*old, sequence=1, reason="crashes", at=1),)
    (view,) = (one.withdrawn for one in here.patches.views() if one.withdrawn is not None)
    expected = (str(newer.ref), True) if state == "installed" else ("", False)
    assert (view.replaced_by, view.removed) == expected


async def test_the_history_is_read_once_for_many_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    here, read = Here(), list[int]()
    real = patches_module.last_outputs

    def last_outputs(history: Any) -> dict[PatchRef, str]:
        read.append(len(history))
        return real(history)

    monkeypatch.setattr(patches_module, "last_outputs", last_outputs)
    here.store.journal = Journal(history=(entry("one"),))
    await here.output()
    here.store.journal = replace(here.store.journal, records=(install_record(REF, "installed"),))
    assert await here.output() == "one"
    assert read == [1], "another record is no other history"
