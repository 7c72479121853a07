"""`p2pdist.status.patches`: the views of what is here now, whatever was looked at before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import HistoryEntry, Journal
from p2pdist.shared.identifiers import PatchRef
from p2pdist.status import patches as patches_module
from p2pdist.status.patches import Patches
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import install_record, transfer

REF = PatchRef("acme", "1")


def entry(output: str) -> HistoryEntry:
    return HistoryEntry(at=0.0, patch_id=REF.patch_id, version=REF.version, decision=1, what="it ended", output=output)


class Here:
    """One patch whose file is here, and the journal of installations."""

    def __init__(self) -> None:
        self.store = SimpleNamespace(journal=Journal())
        transfers = SimpleNamespace(everything=lambda: [transfer(1, REF, "verified")])
        patching = SimpleNamespace(plan=list, withdrawn=tuple, installs=self.store)
        self.patches = Patches(
            Path("/patches"), cast("Any", transfers), cast("Any", patching), FakeClock(), refused=list
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
