"""Whatever becomes of a PC, its server and what is between them: in the end the server knows what the PC is and has."""

import tempfile
from pathlib import Path
from unittest.mock import patch

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.shared.manifest.facts import Facts
from tests.helpers.inventory_pc import Pc, Server, Store, has, inline, told

PACE = 120.0
PCS = 3
NAMES = ("vim", "bash", "openssl", "linux-image")

packages = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("1", "2", "3")), max_size=4)
acts = st.tuples(
    st.integers(0, PCS - 1),
    st.one_of(
        packages.map(lambda found: ("changes", found)),
        st.sampled_from(
            [
                "connects", "disconnects", "loses its connection unnoticed", "is restarted", "loses its file",
                "the server is restarted", "the server is backed up", "the server is restored", "the server loses all",
            ]
        ).map(lambda what: (what, None)),
    ),
    st.sampled_from([0.0, 0.3, 1.0, 5.0, 61.0, 200.0]),
)  # fmt: skip


class World:
    def __init__(self, home: Path) -> None:
        self.store = Store()
        self.backup = dict(self.store.kept)
        self.server = Server(self.store, pace_seconds=PACE)
        self.pcs = [Pc(f"pc{n}", home, has({"vim": "1"}), site=f"site{n % 2}") for n in range(PCS)]
        self.tasks: dict[object, trio.CancelScope] = {}

    async def run(self, what: object, task: object) -> None:
        with trio.CancelScope() as scope:
            self.tasks[what] = scope
            await task()  # type: ignore[operator]

    def start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.run, "server", self.server.inventories.run)
        for pc in self.pcs:
            nursery.start_soon(self.run, pc, pc.news.run)

    def restart_server(self, nursery: trio.Nursery) -> None:
        for pc in self.pcs:
            pc.disconnect()
        self.tasks["server"].cancel()
        self.server = Server(self.store, pace_seconds=PACE)
        nursery.start_soon(self.run, "server", self.server.inventories.run)

    def act(self, nursery: trio.Nursery, pc: Pc, what: str, found: dict[str, str] | None) -> None:
        if what == "changes":
            pc.change(has(found or {}, arch="amd64"))
        elif what == "connects":
            pc.connect(self.server)
        elif what == "disconnects":
            pc.disconnect()
        elif what == "loses its connection unnoticed":
            if pc.connection is not None:
                pc.connection.lost = True
        elif what in ("is restarted", "loses its file"):
            if what == "loses its file":
                pc.file.unlink(missing_ok=True)
            pc.disconnect()
            self.tasks[pc].cancel()
            pc.start()
            nursery.start_soon(self.run, pc, pc.news.run)
        else:
            if what == "the server is backed up":
                self.backup = dict(self.store.kept)
            elif what != "the server is restarted":
                self.store.kept = dict(self.backup) if what == "the server is restored" else {}
            self.restart_server(nursery)


async def lives_through(history: list[tuple[int, tuple[str, dict[str, str] | None], float]], home: Path) -> None:
    world = World(home)
    async with trio.open_nursery() as nursery:
        world.start(nursery)
        await trio.sleep(1)
        for number, (what, found), seconds in history:
            world.act(nursery, world.pcs[number], what, found)
            await trio.sleep(seconds)
        for pc in world.pcs:
            pc.connect(world.server)
        await trio.sleep(2 * PACE + 700)  # what was given up meanwhile is asked for again
        for pc in world.pcs:
            assert world.store.kept[pc.endpoint] == present(pc.facts)
        nursery.cancel_scope.cancel()


def present(facts: Facts) -> object:
    return told(
        {name: str(version) for name, version in facts.packages.items()},
        **{name: str(value) for name, value in facts.values.items()},
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(acts, max_size=25))
def test_any_history_ends_with_the_servers_inventory_equal_to_the_pcs(
    history: list[tuple[int, tuple[str, dict[str, str] | None], float]],
) -> None:
    with tempfile.TemporaryDirectory() as home, patch("trio.to_thread.run_sync", inline):
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(lives_through, history, Path(home), clock=clock)
