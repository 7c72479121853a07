"""Webhooks while their sender is killed: at every step of its own, and as a part of a real server.

What runs here: `seed_server.automation.webhook_dispatcher` and `seed_server.service.web_part`.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.shared.clock import SystemClock
from seed_server.automation.webhook_queries import read_deliveries, read_webhook
from seed_server.fleet.context import Context
from tests.helpers.running_server import running_server
from tests.helpers.webhook_home import ALLOW, add, copied_home, happen, subjects, webhook_home
from tests.helpers.webhook_receiver import Receiver, webhook_receiver

pytestmark = pytest.mark.processes

EVENTS_EACH = 3
MOST_STEPS = 200

# for each line, a process that sends what is to be sent until that is done, or it comes to the nth of these steps
KILLED_AT = """
import inspect, os, signal, sys
from pathlib import Path
import trio
from seed_server.automation import webhook_dispatcher
from seed_server.automation.webhook_sending import WebhookSender
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store import webhook_rows
from seed_server.store.database import Database

left = 0

def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def watch(owner, name):
    real = getattr(owner, name)
    if inspect.iscoroutinefunction(real):
        async def call(*arguments, **named):
            step()
            found = await real(*arguments, **named)
            step()
            return found
    else:
        def call(*arguments, **named):
            step()
            found = real(*arguments, **named)
            step()
            return found
    setattr(owner, name, call)

for name in ("take_events", "save_attempts", "due_deliveries", "settle_unsure"):
    watch(Database, name)
watch(webhook_rows, "_add")  # within the transaction, after the cursor was moved
watch(WebhookSender, "_post_to")

context = Context(ServerHome(Path(sys.argv[1])))

async def main():
    with context.database() as database:
        sender = webhook_dispatcher.webhook_sender(context.home, context.settings().webhooks)
        sending = webhook_dispatcher.WebhookDispatcher(context, database, sender, "hq", look_seconds=0.01)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sending.run)
            while True:
                await trio.sleep(0.02)
                (hook,) = database.webhooks()
                if hook.cursor == database.audit_size() and database.open_count(hook.number) == 0:
                    nursery.cancel_scope.cancel()

for line in sys.stdin:
    left = int(line)
    child = os.fork()
    if child == 0:
        trio.run(main)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Senders:
    """Processes that send, one after the other, with what they load loaded once."""

    def __init__(self, context: Context) -> None:
        words = [sys.executable, "-c", KILLED_AT, str(context.home.root)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, nth: int) -> bool:
        """Send, killed at the ``nth`` step; return whether it came so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{nth}\n")
        self.process.stdin.flush()
        ended = int(self.process.stdout.readline())
        assert ended in {0, -signal.SIGKILL}
        return ended != 0


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = copied_home(webhook_home(tmp_path / "made"), tmp_path)
    return Context(made.home, SystemClock())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


@pytest.fixture
def senders(context: Context) -> Iterator[Senders]:
    made = Senders(context)
    with made.process:
        yield made
        assert made.process.stdin is not None
        made.process.stdin.close()


def test_killed_at_every_step_none_is_lost_and_one_that_comes_again_is_the_same(
    context: Context, receiver: Receiver, senders: Senders
) -> None:
    add(context, receiver)
    wanted: list[str] = []
    for nth in range(MOST_STEPS):
        wanted += happen(context, EVENTS_EACH)
        if not senders.run(nth):
            break
        assert not senders.run(MOST_STEPS), "the next one sends all that is left"
        assert sorted(subjects(receiver)) == sorted(wanted), f"killed at step {nth}"
    else:
        pytest.fail("it never comes to its end")
    assert nth > 20, "taken, in the transaction, taken from there, sent, recorded"
    assert sorted(subjects(receiver)) == sorted(wanted)
    bodies = {one.event_id: one.body for one in receiver.requests}
    assert all(one.body == bodies[one.event_id] for one in receiver.requests)
    assert len(receiver.requests) > len(bodies) == len(wanted), "some were sent, and their answers not recorded"
    view = read_webhook(context, "chat")
    assert (view.counts.sent, view.counts.waiting, view.counts.unsure, view.behind) == (len(wanted), 0, 0, 0)


@pytest.mark.slow
async def test_a_server_whose_web_part_is_killed_again_and_again_sends_all(tmp_path: Path, receiver: Receiver) -> None:
    with trio.fail_after(90.0):
        async with running_server(tmp_path, "127.0.45.31", more=ALLOW) as server:
            context = Context(server.home)
            receiver.pause_seconds = 0.05  # some are under way when it is killed
            await trio.to_thread.run_sync(add, context, receiver)
            wanted: list[str] = []
            for _ in range(3):
                part = server.parts()["web"]
                wanted += await trio.to_thread.run_sync(happen, context, 5)
                while not set(subjects(receiver)) & set(wanted[-5:]):  # noqa: ASYNC110 - another process
                    await trio.sleep(0.005)
                os.kill(part, signal.SIGKILL)
                while server.parts().get("web", part) == part:  # noqa: ASYNC110
                    await trio.sleep(0.02)
            server.process.kill()
            await server.process.wait()
            wanted += await trio.to_thread.run_sync(happen, context, 5)
            await server.start()
            while read_webhook(context, "chat").counts.sent < len(wanted):  # noqa: ASYNC110
                await trio.sleep(0.05)
    assert sorted(subjects(receiver)) == sorted(wanted)
    assert {one.delivery.event_id for one in read_deliveries(context, "chat")} == set(receiver.ids)
