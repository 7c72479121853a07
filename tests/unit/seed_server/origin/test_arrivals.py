"""`seed_server.origin.arrivals`: what is believed of who comes, and what the operator is shown."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from p2pdist.shared.identifiers import EndpointId, SiteName
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello
from seed_server.line.site_map import parse_site_map
from seed_server.origin.arrivals import UPTIME_COUNTED_SECONDS, Arrivals
from seed_server.origin.connection import OriginConnection, RefusedError
from seed_server.origin.message_budgets import MessageBudgets, MessageLimits
from seed_server.origin.outbox import Outbox
from seed_server.origin.records import OriginRecords
from seed_server.origin.session import Session
from seed_server.origin.shared_identities import FORGET_SECONDS
from seed_server.store.database import Database
from tests.helpers.fake_clock import FakeClock

MAP = """
[[site]]
name = "hq"
networks = ["10.1.0.0/16"]
[[site]]
name = "leeds"
networks = ["10.2.0.0/16"]
"""
ENDPOINT = EndpointId("a" * 26)


def connection(address: str) -> OriginConnection:
    return cast("OriginConnection", SimpleNamespace(endpoint=ENDPOINT, address=address, least_rtt_seconds=None))


def hello(*addresses: str, **changes: Any) -> ControlHello:
    values: dict[str, Any] = {
        "protocol": PROTOCOL_VERSION, "software": "test", "hostname": "pc", "addresses": list(addresses),
        "lan_port": 7691, "on_mains": True, "wired": True, "uptime_seconds": 1, "instance": "0" * 32,
    }  # fmt: skip
    return ControlHello(**(values | changes))


def arrive(arrivals: Arrivals, seen: str, said: ControlHello) -> Session:
    budgets = MessageBudgets(MessageLimits(), 0.0)
    placement = arrivals.place(connection(seen), said)
    return arrivals.session(connection(seen), said, placement, cast("Outbox", None), budgets)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.create(tmp_path / "state.db")


def arrivals_into(database: Database) -> tuple[Arrivals, OriginRecords]:
    records = OriginRecords(database, FakeClock())
    return Arrivals(parse_site_map(MAP, source="sites.toml"), records, FakeClock()), records


async def test_wrong_claim_is_not_believed_but_shown_and_logged_once(database: Database) -> None:
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    arrivals, records = arrivals_into(database)
    with capture_logs() as logged:
        session, *_ = [arrive(arrivals, "10.1.0.7", hello("10.2.0.9")) for _ in range(3)]
    assert [(entry["site"], entry["claimed_site"], entry["address"]) for entry in logged] == [
        ("hq", "leeds", "10.1.0.7")
    ]
    assert (session.peer.address, session.claimed_site) == ("10.1.0.7", "leeds")
    arrivals.record(session, SiteName("hq"), connected=True)
    await records.flush()
    row = database.endpoint(ENDPOINT)
    assert row is not None
    assert (row.site, row.address, row.claimed_site, row.connected) == ("hq", "10.1.0.7", "leeds", True)
    # when it comes home, nothing is left of it
    arrivals.record(arrive(arrivals, "10.2.0.9", hello("10.2.0.9")), SiteName("leeds"), connected=True)
    await records.flush()
    row = database.endpoint(ENDPOINT)
    assert row is not None
    assert (row.site, row.claimed_site) == ("leeds", "")


def test_uptime_counts_up_to_a_day(database: Database) -> None:
    arrivals, _ = arrivals_into(database)
    for said, counted in ((1, 1), (UPTIME_COUNTED_SECONDS, UPTIME_COUNTED_SECONDS), (1 << 40, UPTIME_COUNTED_SECONDS)):
        session = arrive(arrivals, "10.1.0.7", hello("10.1.0.7", uptime_seconds=said))
        assert session.rank.uptime_seconds == counted


def test_own_address_that_is_none_is_refused(database: Database) -> None:
    arrivals, _ = arrivals_into(database)
    with pytest.raises(RefusedError, match="not an IP address"):
        arrivals.place(connection("10.1.0.7"), hello("pc17"))


def live(name: str) -> Any:
    return SimpleNamespace(site=SimpleNamespace(name=SiteName(name)))


@pytest.mark.parametrize("gone", [False, True])
async def test_copies_are_logged_once_told_and_shown_until_one_pc_alone_is_left(database: Database, gone: bool) -> None:
    database.add_endpoint(ENDPOINT, "pc", 1.0)
    arrivals, records = arrivals_into(database)
    told: list[list[str]] = []
    now = 0.0
    connected: tuple[Session, Any] | None = None
    refused: OriginConnection | None = None
    with capture_logs() as logged:
        for number in (1, 2, 1, 2, 2, 2):
            now += 1.0
            said = hello(f"10.1.0.{number}", hostname=f"pc-{number}", instance=str(number) * 32)
            caller = connection(f"10.1.0.{number}")
            try:
                arrivals.admit(caller, said, now, connected)
            except RefusedError:
                refused = caller
                continue
            outbox = cast("Outbox", SimpleNamespace(put=lambda _, news: told.append([o.hostname for o in news.others])))
            session = arrivals.session(
                caller, said, arrivals.place(caller, said), outbox, MessageBudgets(MessageLimits(), now)
            )
            connected = (session, live("hq"))
            arrivals.joined(*connected)
    (line,) = logged
    assert (line["log_level"], line["pcs"]) == ("warning", ["pc-1 at 10.1.0.1", "pc-2 at 10.1.0.2"])
    assert "enrol --force --new-key" in line["cure"]
    assert refused is not None
    assert (refused.cause, [other.hostname for other in refused.others]) == ("shared_identity", ["pc-1"])
    assert told == [["pc-2"]]
    await records.flush()
    row = database.endpoint(ENDPOINT)
    assert row is not None
    assert row.shared_with == "pc-2 at 10.1.0.2"
    assert connected is not None
    still_there = {} if gone else {ENDPOINT: connected}
    with capture_logs() as logged:
        arrivals.tell_single(still_there, now + FORGET_SECONDS)
    assert [entry["event"] for entry in logged] == ["one PC alone shows its identity again"]
    assert told == [["pc-2"]] if gone else [["pc-2"], []]
    await records.flush()
    row = database.endpoint(ENDPOINT)
    assert row is not None
    assert row.shared_with == ""
