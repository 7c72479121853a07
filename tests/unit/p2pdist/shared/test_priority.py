"""`p2pdist.shared.priority`, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from p2pdist.shared import priority
from p2pdist.shared.priority import NICE, OF_SESSION
from p2pdist.shared.time_slices import SHORT_SLICE_SECONDS
from tests.unit.p2pdist.shared.test_time_slices import has_slices

pytestmark = pytest.mark.skipif(os.name != "posix", reason="niceness is POSIX")

SHOW = """
import os, sys
from p2pdist.shared import priority
getattr(priority, sys.argv[1])()
session = priority.OF_SESSION.read_text().split() if priority.OF_SESSION.exists() else []
print(os.getpriority(os.PRIO_PROCESS, 0), *session[-1:] or ["none"], os.getsid(0) == os.getpid())
"""
may_go_first = pytest.mark.skipif(os.geteuid() != 0, reason="only root may go first")


def priority_after(what: str, *, nicer_by: int = 0, leads: bool = True) -> tuple[int, str, bool]:
    command = [*(("nice", "-n", str(nicer_by)) if nicer_by else ()), sys.executable, "-c", SHOW, what]
    told = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=leads).stdout.split()
    return int(told[0]), told[1], told[2] == "True"


def own_niceness() -> int:
    """Whoever runs the tests may have made them nice."""
    return os.getpriority(os.PRIO_PROCESS, 0)


def of_session(niceness: int) -> str:
    return str(niceness) if OF_SESSION.exists() else "none"


def test_who_gives_way_does_so_among_sessions_too() -> None:
    after = max(NICE, own_niceness())
    assert priority_after("give_way") == (after, of_session(after), True)


def test_what_an_administrator_made_nicer_stays_so() -> None:
    after = min(19, own_niceness() + 15)
    assert priority_after("give_way", nicer_by=15) == (after, of_session(after), True)


def test_who_goes_with_others_does_so_though_its_parent_goes_first() -> None:
    assert priority_after("go_with_others") == (max(0, own_niceness()), of_session(max(0, own_niceness())), True)
    after = min(19, own_niceness() + 15)
    assert priority_after("go_with_others", nicer_by=15) == (after, of_session(after), True)


@may_go_first
def test_who_goes_with_others_gives_back_what_its_parent_has() -> None:
    after = max(0, own_niceness() - NICE)
    assert priority_after("go_with_others", nicer_by=-NICE) == (after, of_session(after), True)


@may_go_first
def test_who_goes_first_is_as_much_before_others_as_who_gives_way_is_behind() -> None:
    after = own_niceness() - NICE
    assert priority_after("go_first") == (after, of_session(after), True)
    assert priority_after("go_first", nicer_by=5) == (after + 5, of_session(after + 5), True)


SLICES = """
from p2pdist.shared import priority, time_slices
time_slices.ask_for_slices(time_slices.USUAL_SLICE_SECONDS)
before = time_slices.slice_seconds()
priority.go_first()
first = time_slices.slice_seconds()
priority.go_with_others()
print(before, first, time_slices.slice_seconds())
"""


@pytest.mark.skipif(not has_slices(), reason="threads have slices of their own from Linux 6.12 on")
def test_who_goes_first_has_short_slices_and_who_goes_with_others_has_not() -> None:
    command = [sys.executable, "-c", SLICES]
    told = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=True).stdout.split()
    before, first, after = map(float, told)
    assert (first, after) == (SHORT_SLICE_SECONDS, before)
    assert first < before


def test_a_session_of_others_is_left_as_it_is() -> None:
    # there is none where no ancestor ever made a session, as in a container's own process: the file is empty
    before = OF_SESSION.read_text().split() if OF_SESSION.exists() else []
    niceness, session, leads = priority_after("give_way", leads=False)
    assert (niceness, session, leads) == (max(NICE, own_niceness()), (before or ["none"])[-1], False)


def test_who_goes_first_has_a_session_of_its_own_also_without_the_right_to_more() -> None:
    _, session, leads = priority_after("go_first", leads=False)
    assert leads
    assert os.geteuid() == 0 or session in {"0", "none"}


def test_where_the_system_refuses_nothing_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(os, "setsid", refused)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    monkeypatch.setattr(priority, "ask_for_slices", lambda _: False)  # it would be heard, for all tests that follow
    priority.give_way(tmp_path / "not there" / "autogroup")
    priority.go_first(tmp_path / "not there" / "autogroup")
    assert not (tmp_path / "not there").exists()
