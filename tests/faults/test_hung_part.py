"""`seed_server.service.supervisor`: a part that hangs, as a real process. All else is in `test_server_parts.py`."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import trio

from p2pdist.shared.errors import UserError
from seed_server.service.messages import Begin
from seed_server.service.supervisor import ServerPart
from seed_server.settings.server_toml import ServerSettings

pytestmark = pytest.mark.processes

# a real part that has nothing to serve
PART = """
import trio
from seed_server.service import part

async def serve(setting):
    setting.serves()
    await trio.sleep_forever()

part._serve_of = lambda name: serve
part.main()
"""
ASK_SECONDS, SILENT_SECONDS = 0.1, 0.4
STOP_SECONDS = 5.0


@pytest.fixture
def part(tmp_path: Path) -> ServerPart:
    begin = Begin(str(tmp_path), ServerSettings(name="hq", address="127.0.45.18"), ())
    command = [sys.executable, "-c", PART, "web"]
    return ServerPart(command, begin, silent_seconds=SILENT_SECONDS, ask_seconds=ASK_SECONDS)


def pid_of(part: ServerPart) -> int:
    assert part._process is not None
    return part._process.pid


async def test_a_part_that_hangs_is_killed_and_one_that_answers_is_not(part: ServerPart) -> None:
    ended: list[UserError] = []

    async def live() -> None:
        ended.append(await part.outcome())

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await part.start()
            nursery.start_soon(live)
            await part.has_served.wait()
            await trio.sleep(2 * SILENT_SECONDS)
            assert part.is_there, "it answers"
            os.kill(pid_of(part), signal.SIGSTOP)
            # the machine was suspended: nobody has missed anything
            time.sleep(2 * SILENT_SECONDS)  # noqa: ASYNC251
            os.kill(pid_of(part), signal.SIGCONT)
            await trio.sleep(SILENT_SECONDS)
            assert part.is_there
            os.kill(pid_of(part), signal.SIGSTOP)
    assert [fault.message for fault in ended] == ["The web part of the server did not answer for 0 s, and was killed."]


async def test_a_part_that_says_what_it_must_not_is_ended(tmp_path: Path) -> None:
    said = "import socket, time; socket.socket(fileno=0).send(bytes([0, 0, 0, 1, 255])); time.sleep(60)"
    begin = Begin(str(tmp_path), ServerSettings(name="hq", address="127.0.45.18"), ())
    part = ServerPart([sys.executable, "-c", said, "web"], begin)
    with trio.fail_after(5):
        await part.start()
        assert "says what it must not" in (await part.outcome()).message
