"""`seed_server.web.pages.simulating`: `bandwidth.commands.__main__` in a process of its own, with limits."""

import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import trio

from bandwidth.commands.simulator_commands import SCENARIOS as OFFERED
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.web.pages import simulating
from seed_server.web.pages.simulating import (
    TURN_WAIT_SECONDS,
    ScenarioName,
    Simulations,
    SimulationWish,
)

TEXT = 'name = "p"\ntime_zone = "UTC"\n[[limit]]\ncap = "4 Mbit/s"\n'
WISH = SimulationWish(TEXT, "oslo", False, "download", "2026-06-01T10:00:00+00:00", 20, 0.5, 1_250_000)
SLOW = replace(WISH, seconds=600, line=125_000_000)


def test_the_scenarios_are_those_of_the_command() -> None:
    assert set(OFFERED) == set(get_args(ScenarioName))


@pytest.mark.processes
def test_a_run_is_what_the_command_says() -> None:
    found = Simulations().run("ada", WISH)
    assert len(found.seconds) == 20
    assert max(one.patches for one in found.seconds) <= 520_000
    assert found.passing.file_bytes == 500_000_000
    assert found.passing.file_there_at is not None
    assert found.business[0].figure == "business, MB"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(WISH, text="name = 3\n"), "profile.toml:1: the profile needs the key 'time_zone'"),
        (replace(WISH, named=True, text=f'{TEXT}[[site]]\nname = "osaka"\n'), "profile.toml has no site 'oslo'"),
        (replace(WISH, line=1), "cannot be simulated"),
    ],
)
def test_what_is_wrong_is_said_in_the_command_s_words(wish: SimulationWish, words: str) -> None:
    with pytest.raises(UserError) as caught:
        Simulations().run("ada", wish)
    assert words in caught.value.message
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert "/" not in caught.value.message.replace("Mbit/s", "")


@pytest.mark.processes
def test_a_run_that_takes_too_long_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(UserError, match="did not end within 1 s"):
        Simulations(seconds=1.0).run("ada", SLOW)
    assert time.monotonic() - begun < 1.0 + simulating.END_SECONDS


@pytest.mark.processes
def test_a_run_ends_with_its_reader() -> None:
    runs, begun = Simulations(), time.monotonic()
    with pytest.raises(UserError, match="was ended"):
        runs.run("ada", SLOW, lambda: time.monotonic() > begun + 0.3)
    assert time.monotonic() - begun < simulating.END_SECONDS
    assert runs.running == 0
    assert not any("bandwidth.commands" in name for name in children())


@pytest.mark.processes
async def test_a_newer_run_of_the_same_reader_ends_the_one_before() -> None:
    runs = Simulations(at_once=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused, runs, "ada", SLOW, "was ended")
        await under_way(runs)
        found = await trio.to_thread.run_sync(runs.run, "ada", WISH)
    assert len(found.seconds) == 20


@pytest.mark.processes
async def test_who_finds_no_turn_is_told_so() -> None:
    runs = Simulations(seconds=TURN_WAIT_SECONDS + 1.0, at_once=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused, runs, "carol", SLOW, "did not end")
        await under_way(runs)
        await refused(runs, "bob", WISH, "Others simulate")
    assert not runs._newest


async def refused(runs: Simulations, reader: str, wish: SimulationWish, words: str) -> None:
    with pytest.raises(UserError, match=words):
        await trio.to_thread.run_sync(runs.run, reader, wish)


async def under_way(runs: Simulations) -> None:
    while not runs.running:  # noqa: ASYNC110 - it is a thread that begins
        await trio.sleep(0.01)


def children() -> list[str]:
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids]
