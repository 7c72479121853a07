"""`p2pdist.install.descendants`: who is below a process, and that nobody else is ended.

Processes that flee are in `tests/adversary/test_escaping_installer.py`.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
import trio

from p2pdist.install import descendants
from p2pdist.install.descendants import CAN_HOLD, ProcessSeen, below, end_descendants, read_processes

pytestmark = pytest.mark.skipif(not CAN_HOLD, reason="walks /proc and holds processes")


def seen(process_id: int, parent: int, *, ended: bool = False) -> ProcessSeen:
    return ProcessSeen(process_id, parent, 1, ended)


class Tree:
    """A process with a child, and one that is none of its."""

    def __init__(self) -> None:
        self.root = subprocess.Popen(["/bin/sh", "-c", "sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
        self.other = subprocess.Popen(["/bin/sleep", "1000"])
        assert self.root.stdout is not None
        self.child = int(self.root.stdout.readline())

    def runs(self, process_id: int) -> bool:
        return any(process.process_id == process_id and not process.ended for process in read_processes())

    def is_stopped(self) -> bool:
        return os.WIFSTOPPED(os.waitpid(self.root.pid, os.WUNTRACED | os.WNOHANG)[1])

    def end(self) -> None:
        if self.runs(self.child):
            os.kill(self.child, signal.SIGKILL)
        for process in (self.root, self.other):
            process.kill()
            process.wait()
        assert self.root.stdout is not None
        self.root.stdout.close()


@pytest.fixture
def tree() -> Iterator[Tree]:
    tree = Tree()
    yield tree
    tree.end()


def test_children_of_children_are_below_also_through_one_that_has_ended() -> None:
    child, ended, grandchild = seen(2, 1), seen(3, 1, ended=True), seen(4, 3)
    others = [seen(1, 0), seen(9, 0), seen(10, 9)]
    assert below(1, [*others, grandchild, ended, child]) == {child, ended, grandchild}
    assert below(9, others) == {seen(10, 9)}
    assert below(5, others) == set()


def test_a_list_that_changed_while_it_was_read_has_an_end() -> None:
    assert below(1, [seen(2, 1), seen(3, 2), seen(2, 3)]) == {seen(2, 1), seen(3, 2), seen(2, 3)}
    assert below(1, [seen(1, 1)]) == {seen(1, 1)}


async def test_all_below_it_are_ended_and_it_is_stopped(tree: Tree) -> None:
    assert await end_descendants(tree.root.pid, 10)
    assert not tree.runs(tree.child)
    assert tree.runs(tree.other.pid)
    assert tree.runs(tree.root.pid)
    assert tree.is_stopped()


async def test_nothing_is_below_a_process_that_has_gone(tree: Tree) -> None:
    tree.root.kill()
    tree.root.wait()
    assert await end_descendants(tree.root.pid, 10)
    assert tree.runs(tree.child)


async def test_one_that_does_not_end_is_given_up(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descendants, "_kill", lambda _process: None)
    assert not await end_descendants(tree.root.pid, 0.05)


def test_a_number_that_another_process_has_by_now_is_left_alone(tree: Tree) -> None:
    found = next(process for process in read_processes() if process.process_id == tree.root.pid)
    descendants._kill(replace(found, started_at=found.started_at - 1))
    assert tree.runs(tree.root.pid)
    descendants._kill(found)
    assert tree.root.wait() == -signal.SIGKILL


async def test_one_that_starts_another_and_ends_while_it_is_looked_at_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look that sees only its zombie does not see its child: that was not there when the look began."""
    looks = [{seen(2, 1)}, {seen(2, 1, ended=True)}, {seen(2, 1, ended=True), seen(3, 1)}]
    looks += [{seen(2, 1, ended=True), seen(3, 1, ended=True)}] * 2
    monkeypatch.setattr(descendants, "_end_once", lambda _root: looks.pop(0))
    monkeypatch.setattr(os, "kill", lambda *_: None)
    with trio.fail_after(10):
        assert await end_descendants(1, 10)
    assert looks == []
