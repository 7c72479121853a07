"""All that fuzzing has once found, tried again: `make fuzz` searches, this stays.

The inputs are tried in a process of its own with limits on time and memory, as a library that crashes ends it.
"""

import subprocess
import sys

import pytest

from bench.fuzz.replay import failures_of
from bench.fuzz.target import CORPUS, Target, must
from bench.fuzz.targets import TARGETS
from tests.helpers.sources import ROOT

REPLAY_SECONDS = 120.0  # it takes two; more on a busy machine


def test_no_reader_breaks_its_promise_on_what_has_once_failed() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.fuzz.replay"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=REPLAY_SECONDS,
    )
    assert (ran.returncode, ran.stdout) == (0, f"{len(TARGETS)} targets keep what they promise\n"), ran.stderr


def test_every_folder_of_the_corpus_has_its_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= TARGETS.keys()
    assert any(target.found() for target in TARGETS.values())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_honest_inputs_to_start_from(name: str) -> None:
    first = list(TARGETS[name].seeds())
    assert first
    assert all(len(seed) <= TARGETS[name].max_bytes for seed in first)


def _breaks(data: bytes) -> None:
    must(data != b"bad", "nothing is bad")


def _hangs(data: bytes) -> None:
    while data == b"endless":
        pass


def _swallows(data: bytes) -> None:
    try:
        _hangs(data)
    except Exception:  # noqa: BLE001 - as code under test might do
        return


@pytest.mark.parametrize(
    ("check", "data", "word"),
    [
        (_breaks, b"bad", "nothing is bad"),
        (_hangs, b"endless", "TooSlowError"),
        (_swallows, b"endless", "TooSlowError"),
    ],
)
def test_a_broken_promise_is_seen(check, data: bytes, word: str) -> None:
    target = Target("example", check, lambda: [b"good", data], seconds=0.2)
    (failure,) = failures_of(target)
    assert failure.startswith("example: seed 2: ")
    assert word in failure
