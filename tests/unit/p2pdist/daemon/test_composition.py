"""`p2pdist.daemon.composition`: what must not end it, and where it can be reached."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from p2pdist.daemon import tasks
from p2pdist.daemon.composition import hold_lock
from p2pdist.daemon.tasks import Daemon
from p2pdist.identity.store import Identity
from p2pdist.pc import system
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.wire.messages import SiteLimit
from p2pdist.transfer.manager import Transfers
from p2pdist.trust.store import TrustStore


def identity(home: Path) -> Identity:
    return Identity(
        home=home,
        endpoint_id=cast("Any", "a" * 26),
        server_address="127.0.2.20",
        web_port=1,
        origin_port=1,
        server_name="hq",
        control_certificate="",
        swarm_certificate="",
        control_ca="",
        swarm_ca="",
        key="",
        tuf_root=b"",
        not_before=0.0,
        not_after=0.0,
    )


def daemon(home: Path, fixed_address: str | None, *addresses: str) -> Daemon:
    made = Daemon(EndpointHome(home), DaemonSettings(), identity(home), fixed_address)
    made.facts = replace(system.UNKNOWN, addresses=addresses)
    return made


@pytest.mark.parametrize(
    ("fixed", "addresses", "listens_on", "announces"),
    [
        pytest.param("192.0.2.7", ("192.0.2.1",), "192.0.2.7", "192.0.2.7", id="fixed"),
        pytest.param(None, ("192.0.2.1", "2001:db8::1"), "0.0.0.0", "192.0.2.1", id="IPv4 first"),
        pytest.param(None, ("2001:db8::1",), "::", "2001:db8::1", id="IPv6 only"),
        pytest.param(None, (), "0.0.0.0", "0.0.0.0", id="no network"),
    ],
)
def test_listens_where_the_announced_address_leads(
    tmp_path: Path, fixed: str | None, addresses: tuple[str, ...], listens_on: str, announces: str
) -> None:
    made = daemon(tmp_path, fixed, *addresses)
    assert made.listen_address == listens_on
    assert made.announcement(7691).address == announces


async def test_own_addresses_that_cannot_be_read_end_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ADDRESS_CHECK_SECONDS", 0.01)
    again = trio.Event()
    looked = 0

    def out_of_descriptors(*_arguments: object) -> system.LocalFacts:
        nonlocal looked
        looked += 1
        if looked > 1:
            trio.from_thread.run_sync(again.set)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(system, "read_local_facts", out_of_descriptors)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon(tmp_path, None).watch_address, cast("Any", None), cast("Any", None))
        with trio.fail_after(5):
            await again.wait()
        nursery.cancel_scope.cancel()


async def test_trust_that_cannot_be_read_at_start_is_a_problem_in_words(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blocked = tmp_path / "trust"
    blocked.write_bytes(b"")
    store = TrustStore(blocked, base_url="https://127.0.2.20:1", root=b"", http=cast("Any", None))
    made = daemon(tmp_path, None)
    with trio.move_on_after(5):
        await made.follow_trust(store, cast("Transfers", SimpleNamespace(held=frozenset)), cast("Any", None))
    assert "cannot be read or written" in made.trust_problem


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    home.lock.mkdir()
    with pytest.raises(UserError, match="cannot be made") as caught, hold_lock(home):
        pass
    assert caught.value.kind is FaultKind.STORAGE


def test_limiter_says_what_the_server_said_last(tmp_path: Path) -> None:
    made = daemon(tmp_path, None)
    origin = cast("Any", SimpleNamespace(status="connected"))
    assert made.limiter(origin) == {"site": None, "server_connection": "connected", "line": None, "profile": None}
    made.site = "oslo"
    made.site_profile = SiteProfile(format=1, site="oslo", text='name = "Office"\ntime_zone = "UTC"\n')
    made.site_limit = SiteLimit(
        rate=1, capacity=None, configured=False, state="ramp", reason="ramping up", seconds={"ramping up": 1.0},
        yield_seconds=0.0,
    )  # fmt: skip
    answer = json.loads(json.dumps(made.limiter(origin)))
    assert (answer["profile"], answer["line"]["reason"], answer["line"]["capacity"]) == ("Office", "ramping up", None)
