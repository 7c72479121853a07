"""`p2pdist.shared.time_slices`, on threads of their own."""

import os
import platform
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from p2pdist.shared.time_slices import SHORT_SLICE_SECONDS, USUAL_SLICE_SECONDS, ask_for_slices, slice_seconds

T = TypeVar("T")


def on_a_thread(work: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


def has_slices() -> bool:
    """Whether an ordinary thread may have slices of its own here."""
    version = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
    ordinary = sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER
    return ordinary and platform.machine() in {"x86_64", "aarch64"} and version >= (6, 12)


@pytest.mark.skipif(not has_slices(), reason="threads have slices of their own from Linux 6.12 on")
def test_a_thread_and_what_it_starts_have_short_slices_until_it_takes_the_usual_ones_again() -> None:
    def ask() -> tuple[float | None, ...]:
        niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        assert ask_for_slices(USUAL_SLICE_SECONDS)
        before = slice_seconds()
        assert ask_for_slices(SHORT_SLICE_SECONDS)
        mine, started = slice_seconds(), on_a_thread(slice_seconds)
        assert ask_for_slices(USUAL_SLICE_SECONDS)
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == niceness
        return before, mine, started, slice_seconds()

    others = slice_seconds()
    before, mine, started, after = on_a_thread(ask)
    assert before is not None
    assert before > SHORT_SLICE_SECONDS
    assert (mine, started, after) == (SHORT_SLICE_SECONDS, SHORT_SLICE_SECONDS, before)
    assert slice_seconds() == others, "other threads keep theirs"


@pytest.mark.skipif(sys.platform != "linux", reason="sched_setattr is Linux's")
def test_a_thread_without_slices_keeps_what_it_has() -> None:
    def ask() -> tuple[bool, int]:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("only root may have a thread without slices")
        return ask_for_slices(SHORT_SLICE_SECONDS), os.sched_getscheduler(0)

    assert on_a_thread(ask) == (False, os.SCHED_FIFO)


def test_where_the_call_has_no_number_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    assert on_a_thread(lambda: (ask_for_slices(SHORT_SLICE_SECONDS), slice_seconds())) == (False, None)
