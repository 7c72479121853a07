"""`p2pdist.local_api.polkit`: a stand-in for pkcheck, started as the real one."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from p2pdist.local_api.peer import LocalPeer
from p2pdist.local_api.polkit import ACTION, Polkit, PolkitAnswer
from tests.helpers.sources import ROOT

PEER = LocalPeer(os.getpid(), os.getuid(), frozenset())


def standing_in(folder: Path, script: str) -> Polkit:
    program = folder / "pkcheck"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    policy = folder / "org.p2pdist.policy"
    policy.write_text("")
    return Polkit(program, policy)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (0, PolkitAnswer.YES),
        (1, PolkitAnswer.NO),
        (2, PolkitAnswer.NO),
        (3, PolkitAnswer.NO),
        (127, PolkitAnswer.SILENT),
    ],
)
async def test_its_exit_code_is_the_answer(tmp_path: Path, code: int, answer: PolkitAnswer) -> None:
    assert await standing_in(tmp_path, f"exit {code}").decides(PEER) is answer


async def test_it_is_asked_for_one_process_of_one_user(tmp_path: Path) -> None:
    asked = standing_in(tmp_path, f'echo "$@" > {tmp_path}/asked')
    await asked.decides(PEER)
    began = Path(f"/proc/{PEER.pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert (tmp_path / "asked").read_text() == f"--action-id {ACTION} --process {PEER.pid},{began},{PEER.uid}\n"
    assert not asked._turns


async def test_a_process_s_own_name_does_not_move_its_start(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "stat").write_text(f"77 (a) S 1 ({' '.join(map(str, range(3, 52)))}")
    assert Polkit(processes=tmp_path)._began(77) != 0
    asked = standing_in(tmp_path, "exit 0")
    assert await Polkit(asked.program, asked.policy, tmp_path).decides(LocalPeer(78, 1, frozenset())) is PolkitAnswer.NO


async def test_a_number_that_another_user_s_process_has_got_since_is_nobody_s(tmp_path: Path) -> None:
    """Polkit answers root by the session of whatever process has the number now, and that may be of who sits here."""
    asked = standing_in(tmp_path, f"echo asked > {tmp_path}/asked; exit 0")
    gone = LocalPeer(PEER.pid, PEER.uid + 1, frozenset())
    assert await asked.decides(gone) is PolkitAnswer.NO
    assert not (tmp_path / "asked").exists()
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "stat").write_text(f"77 (a) S {' '.join(map(str, range(3, 52)))}")
    for status in ("", "Uid:\n", "Name:\tUid:\t5\nUid:\t6\t5\t5\t5\n"):
        (tmp_path / "77" / "status").write_text(status)
        assert await replace(asked, processes=tmp_path).decides(LocalPeer(77, 5, frozenset())) is PolkitAnswer.NO
    (tmp_path / "77" / "status").write_text("Name:\ta\nUid:\t5\t6\t6\t6\n")
    assert await replace(asked, processes=tmp_path).decides(LocalPeer(77, 5, frozenset())) is PolkitAnswer.YES


async def test_a_polkit_that_hangs_is_no_yes(tmp_path: Path) -> None:
    asked = replace(standing_in(tmp_path, "exec sleep 60"), answer_seconds=0.05)
    with trio.fail_after(5):
        assert await asked.decides(PEER) is PolkitAnswer.SILENT


async def test_without_polkit_or_without_our_policy_others_decide(tmp_path: Path) -> None:
    there = standing_in(tmp_path, "exit 0")
    for missing in (Polkit(tmp_path / "none", there.policy), Polkit(there.program, tmp_path / "none")):
        assert await missing.decides(PEER) is PolkitAnswer.NOT_THERE
    there.program.write_text("#!/no/such/interpreter\n")
    assert await there.decides(PEER) is PolkitAnswer.SILENT


def test_the_policy_that_is_shipped_names_our_action() -> None:
    policy = (ROOT / "packaging" / "polkit" / "org.p2pdist.policy").read_text()
    assert f'<action id="{ACTION}">' in policy
    assert "<allow_any>no</allow_any>" in policy
    assert "<allow_active>yes</allow_active>" in policy
