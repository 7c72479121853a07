"""`p2pdist.install.recalls`: what is recalled goes back once, also where p2pdist is killed at any step of it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.install import journal as install_journal
from p2pdist.install.lifecycle import FailureClass, InstallRecord, Journal, LifeState
from p2pdist.install.recalls import may_go_back
from p2pdist.install.service import with_recalled
from p2pdist.local_api.messages import PatchOrder
from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recalls import Recall
from p2pdist.trust.catalogue import RecalledPatch
from tests.unit.p2pdist.install.test_loop import Pc, orders, outcome

RECALL = Recall("acme", 1, "", "it crashes", 1)
WAY_BACK = "roll back acme 1 to None"


class KilledError(BaseException):
    """The daemon is no more."""


@pytest.fixture
def pc(tmp_path: Path) -> Pc:
    return Pc(tmp_path)


async def installed(pc: Pc) -> Manifest:
    made = pc.candidate("acme")
    await pc.settle()
    assert pc.record().state == "installed"
    return made.manifest


def recall(pc: Pc, manifest: Manifest | None, recall: Recall = RECALL) -> None:
    """Let the catalogue say that it goes back, and offer it no more."""
    pc.withdraw()
    pc.recalled = [RecalledPatch(pc.record().ref, recall, manifest)]
    pc.candidates = with_recalled(pc.candidates, pc.recalled)


async def test_what_is_recalled_goes_back_once_and_is_not_tried_again(pc: Pc) -> None:
    recall(pc, await installed(pc))
    for _ in range(3):
        await pc.settle()
        pc.clock.wall += 86_400.0
    record = pc.record()
    assert (record.state, record.failure, record.reason) == ("rolled_back", FailureClass.RECALL, "recalled: it crashes")
    assert pc.installer.calls == ["install acme 1", WAY_BACK]
    (row,) = pc.installs.plan()
    assert (row.state, row.settled) == ("rolled_back", True), "its server hears what has become of it"
    with pytest.raises(UserError, match="not tried again: recalled: it crashes"):
        await orders(pc).retry(PatchOrder("acme"))


async def test_it_goes_back_after_a_restart_though_it_is_offered_no_more(pc: Pc) -> None:
    manifest = await installed(pc)
    await pc.start().load()
    recall(pc, manifest)
    await pc.settle()
    assert pc.record().state == "rolled_back"


async def test_a_newer_publication_answers_it(pc: Pc) -> None:
    recall(pc, await installed(pc))
    await pc.settle()
    pc.recalled = []
    pc.candidate("acme", number=2)
    await pc.settle()
    assert (pc.record().state, pc.record().number) == ("installed", 2)
    assert pc.installer.calls[-1] == "install acme 1"


async def test_what_is_newer_than_the_recall_stays(pc: Pc) -> None:
    pc.candidate("acme", number=2)
    await pc.settle()
    pc.recalled = [RecalledPatch(pc.record().ref, RECALL, pc.candidates[0].manifest)]
    await pc.settle()
    assert pc.record().state == "installed"


async def test_without_a_way_back_it_says_so_and_is_left_alone(pc: Pc) -> None:
    manifest = pc.candidate("acme").manifest
    pc.installer.present["acme"] = "1"
    await pc.settle()
    recall(pc, manifest)
    await pc.settle()
    record = pc.record()
    assert (record.state, record.undo_asked, pc.installer.calls) == ("installed", False, [])
    (row,) = pc.installs.plan()
    assert row.reason.startswith("recalled: it crashes; it was here already and was not installed by p2pdist")


async def test_a_way_back_that_fails_is_reported_with_the_reason(pc: Pc) -> None:
    pc.installer.rolls_back = outcome(False, "its recipe says no way to undo it")
    recall(pc, await installed(pc))
    await pc.settle()
    record = pc.record()
    assert (record.state, record.retry_at) == ("failed", None)
    assert record.reason == "recalled: it crashes; not rolled back: its recipe says no way to undo it"


async def test_where_its_recipe_is_not_known_any_more_it_waits_for_it(pc: Pc) -> None:
    manifest = await installed(pc)
    await pc.start().load()
    recall(pc, None)
    await pc.settle()
    assert (pc.record().state, pc.record().undo_asked) == ("installed", True)
    assert may_go_back(pc.installs.journal) == {pc.record().ref}
    recall(pc, manifest)
    await pc.settle()
    assert pc.record().state == "rolled_back"


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(4))
async def test_killed_at_each_step_it_comes_to_the_same_end(
    pc: Pc, monkeypatch: pytest.MonkeyPatch, step: int, written: bool
) -> None:
    """The journal is written four times: that it is withdrawn, that it shall go back, that that begins, and its end."""
    manifest = await installed(pc)
    save, saved = install_journal.save_journal, 0

    async def save_and_die(path: Path, journal: Journal) -> None:
        nonlocal saved
        saved += 1
        if saved <= step or written:
            await save(path, journal)
        if saved == step + 1:
            raise KilledError

    recall(pc, manifest)
    with monkeypatch.context() as patched:
        patched.setattr(install_journal, "save_journal", save_and_die)
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - in a group, or not
            await pc.settle()
    assert "KilledError" in repr(caught.value)
    await pc.start().load()
    await pc.settle()
    record = pc.record()
    assert (record.state, record.failure) == ("rolled_back", FailureClass.RECALL)
    assert pc.installer.present == {}
    assert len([call for call in pc.installer.calls if call.startswith("install")]) == 1


def test_what_may_have_to_go_back_is_what_is_here_or_went_back_for_a_recall(pc: Pc) -> None:
    record = pc.installs.journal
    assert may_go_back(record) == frozenset()
    states: list[tuple[LifeState, FailureClass | None]] = [
        ("installed", None),
        ("waiting", None),
        ("rolling_back", None),
        ("rolled_back", FailureClass.USER),
        ("rolled_back", FailureClass.RECALL),
    ]
    made = [
        InstallRecord(patch_id=str(n), version="1", state=state, first_seen_at=0, changed_at=0, failure=failure)
        for n, (state, failure) in enumerate(states)
    ]
    found = may_go_back(replace(record, records=tuple(made)))
    assert sorted(ref.patch_id for ref in found) == ["0", "2", "4"]
