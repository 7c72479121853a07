"""The demo as its user runs it; its patches live through `p2pdist.install.service` in real daemons."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest
import trio

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
FILE_BYTES = 12_000_000
WITHIN_SECONDS = 120.0


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.bin"
    path.write_bytes(os.urandom(FILE_BYTES))
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def processes_with(text: str) -> list[list[str]]:
    lines: list[list[str]] = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(text in part for part in line)]


async def start_demo(
    nursery: trio.Nursery, scratch: Path, *arguments: str | Path, module: str = "bench.demo"
) -> trio.Process:
    run = partial(
        trio.run_process,
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    process: trio.Process = await nursery.start(run)
    return process


async def read(stream: trio.abc.ReceiveStream | None, into: bytearray, until: bytes | None = None) -> None:
    assert stream is not None
    async for chunk in stream:
        into += chunk
        if until is not None and until in into:
            return


@pytest.mark.slow
async def test_json_is_one_object_with_the_promised_facts(payload: Path, scratch: Path) -> None:
    output, errors = bytearray(), bytearray()
    with trio.fail_after(WITHIN_SECONDS):
        async with trio.open_nursery() as nursery:
            words: list[str | Path] = ["--file", payload, "--json"]
            process = await start_demo(nursery, scratch, *words, module="tests.helpers.quick_demo")
            nursery.start_soon(read, process.stdout, output)
            nursery.start_soon(read, process.stderr, errors)
    assert process.returncode == 0, errors.decode()
    facts = json.loads(output)
    assert facts["file_bytes"] == FILE_BYTES
    assert 1.0 <= facts["origin_ratio"] <= 1.02  # random bytes cannot be compressed
    assert facts["sent_ratio"] == facts["origin_ratio"]
    assert facts["seconds"] > 0
    assert len({endpoint["id"] for endpoint in facts["endpoints"]}) == 4
    for endpoint in facts["endpoints"]:
        assert endpoint["state"] == "verified"
        assert endpoint["seconds"] > 0
        assert endpoint["bytes_from_origin"] + endpoint["bytes_from_peers"] >= FILE_BYTES
    assert [(row["state"], row["runs"]) for row in facts["patch_life"]] == [
        ("installed", "demo-app 2.0"),
        ("installed", "demo-app 2.0"),
        ("rolled_back", "demo-app 1.0"),
        ("not_applicable", "demo-app 1.0"),
    ]
    smaller = facts["smaller_update"]
    assert smaller["patch"] == "demo-app@2.0"
    assert smaller["built_of"] == "1.0"
    assert smaller["length_bytes"] > 20_000_000
    assert 0 < smaller["bytes_over_line"] < 0.35 * smaller["length_bytes"]
    assert smaller["bytes_over_line"] + smaller["bytes_built"] >= smaller["length_bytes"]
    assert smaller["bytes_from_peers"] > smaller["length_bytes"]
    bad, good = facts["rollouts"]
    assert facts["approvers"] == {"required": 1, "names": ["bob", "carol"]}
    assert [row["signed_by"] for row in (bad, good)] == [[], ["bob"]]
    assert (bad["patch"], bad["states"]) == ("demo-app@3.0", ["running", "halted", "aborted"])
    assert bad["halt_seconds"] <= 10.0
    assert [(ring["open"], ring["installed"]) for ring in bad["rings"]] == [(True, 1), (True, 0), (False, 0)]
    assert good["states"] == ["waiting for approval", "running", "complete"]
    assert [(ring["open"], ring["installed"]) for ring in good["rings"]] == [(True, 1), (True, 2), (True, 1)]
    assert facts["audit"]["whole"]
    told = [(row["who"].partition("/")[0], row["did"], row["to"]) for row in facts["audit"]["who_did_what"]]
    assert told == [
        ("alice", "start rollout", "demo-app@3.0"),
        ("engine", "rollout: it is halted", "demo-app@3.0"),
        ("bob", "withdraw", "demo-app@3.0"),
        ("alice", "start rollout", "demo-app@3.1"),
        ("bob", "approve rollout", "demo-app@3.1"),
        ("engine", "rollout: the last ring is through", "demo-app@3.1"),
    ]
    assert all(row["proved"] for row in facts["audit"]["who_did_what"])
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "step"),
    [
        # the way is the same, and until all run it takes 13 seconds of a processor
        pytest.param(signal.SIGINT, b"publish payload.bin", id="SIGINT, while all run", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, b"enrol, run", id="SIGINT, while they are started"),
        pytest.param(signal.SIGTERM, b"enrol, run", id="SIGTERM, while they are started"),
    ],
)
async def test_a_signal_in_the_middle_leaves_nothing_behind(
    number: signal.Signals, step: bytes, payload: Path, scratch: Path
) -> None:
    output, errors = bytearray(), bytearray()
    with trio.fail_after(WITHIN_SECONDS):
        async with trio.open_nursery() as nursery:
            process = await start_demo(nursery, scratch, "--file", payload)
            nursery.start_soon(read, process.stderr, errors)
            await read(process.stdout, output, until=step)
            assert processes_with(str(scratch))
            process.send_signal(number)
            nursery.start_soon(read, process.stdout, output)
    assert process.returncode == 128 + number, errors.decode()
    assert list(scratch.iterdir()) == []
    assert processes_with(str(scratch)) == []


async def test_a_file_that_cannot_be_published_is_an_error_in_words(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "empty.bin").touch()
    output, errors = bytearray(), bytearray()
    with trio.fail_after(WITHIN_SECONDS):
        async with trio.open_nursery() as nursery:
            process = await start_demo(nursery, scratch, "--file", tmp_path / "empty.bin")
            nursery.start_soon(read, process.stdout, output)
            nursery.start_soon(read, process.stderr, errors)
    assert process.returncode == 2
    assert b"Error: " in errors
    assert b"Traceback" not in errors
    assert list(scratch.iterdir()) == []
