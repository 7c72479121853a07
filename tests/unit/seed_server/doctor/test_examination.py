"""A whole examination of a server, and what hangs."""

import threading

import msgspec
import pytest

from seed_server.doctor import looks_state
from seed_server.doctor.examination import look_at_server
from seed_server.doctor.looks_ports import LookSeconds
from seed_server.doctor.server_findings import judge_server
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.store.serve_lock import serve_lock
from tests.helpers.fake_clock import FakeClock
from tests.unit.seed_server.doctor.conftest import MADE_AT

SHORT = LookSeconds(connect=0.5, handshake=0.5, provider=0.5, disk=5.0)


def context_of(home: ServerHome) -> Context:
    return Context(home, FakeClock(MADE_AT + 60.0))


async def wrong(home: ServerHome, seconds: LookSeconds = SHORT) -> dict[str, str]:
    findings = judge_server(await look_at_server(context_of(home), seconds))
    return {one.code: one.observed for one in findings if one.verdict == "wrong"}


@pytest.fixture(autouse=True)
def free_ports(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name ports on which nobody listens."""
    settings = msgspec.structs.replace(load_settings(home), web_port=1, origin_port=2)
    monkeypatch.setattr(Context, "settings", lambda _: settings)


async def test_a_server_that_is_off(home: ServerHome) -> None:
    assert list(await wrong(home)) == ["server-running"]


async def test_a_server_whose_lock_is_held_and_whose_ports_are_closed(home: ServerHome) -> None:
    with serve_lock(home, timeout_seconds=1.0).held():
        assert list(await wrong(home)) == ["server-running", "server-web-port", "server-origin-port"]


async def test_a_home_that_is_none(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    home.settings.unlink()
    said = await wrong(home)
    assert list(said) == ["server-home"]
    assert "seed-server init" in said["server-home"]


async def test_a_disk_that_hangs_holds_nothing_else_up(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(looks_state, "look_at_state", lambda *_: released.wait())
    try:
        facts = await look_at_server(context_of(home), LookSeconds(0.1, 0.1, 0.1, 0.2))
    finally:
        released.set()
    said = {one.code: one.verdict for one in judge_server(facts)}
    assert said["server-database"] == "unknown"
    assert said["server-rights"] == "fine"
