"""What is seen of database, content and signatures."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.doctor import looks_state
from seed_server.doctor.facts import ServerFacts
from seed_server.doctor.server_findings import SERVER_CHECKS
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.intelligence_records import IntelligenceSource
from seed_server.store.rows import SeenRow, ServedPayload
from tests.helpers.fake_clock import FakeClock
from tests.unit.seed_server.doctor.conftest import MADE_AT

PAYLOAD = ServedPayload(
    patch_id="office", version="1", title="", severity="high", cvss=None, file_name="f", sha256="ab" * 32,
    length_bytes=10, torrent_hash="cd" * 32, piece_length_bytes=262_144, piece_count=1, sequence=1, published_at=1.0,
)  # fmt: skip


def looked(home: ServerHome, now: float = MADE_AT + 60.0, *, serving: bool = False) -> ServerFacts:
    facts = ServerFacts(now, serving=serving)
    looks_state.look_at_state(facts, Context(home, FakeClock(now)))
    return facts


def verdicts(facts: ServerFacts, *codes: str) -> dict[str, str]:
    return {code: SERVER_CHECKS[code](facts).verdict for code in codes}  # type: ignore[index]


def test_a_new_home_is_well(home: ServerHome) -> None:
    codes = (
        "server-database", "server-content", "server-signatures", "server-audit", "server-rollouts", "server-site-map",
        "server-time-zones",
    )  # fmt: skip
    assert verdicts(looked(home), *codes) == dict.fromkeys(codes, "fine")


def test_a_damaged_database(home: ServerHome) -> None:
    home.database.write_bytes(b"no database" * 400)
    facts = looked(home)
    assert facts.database is not None
    assert "damaged" in facts.database.problem
    assert verdicts(facts, "server-database", "server-audit") == {"server-database": "wrong", "server-audit": "unknown"}


def test_a_database_of_a_newer_release_and_of_another_home(home: ServerHome, tmp_path: Path) -> None:
    with sqlite3.connect(home.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    facts = looked(home)
    assert facts.database is not None
    assert "newer seed-server" in facts.database.problem
    home.database.unlink()
    with Database.create(home.database) as database:
        database.belong_to("ab" * 32)
    facts = looked(home)
    assert facts.database is not None
    assert "belongs to another seed server" in facts.database.problem


def test_a_database_of_an_earlier_release_is_left_as_it_is(home: ServerHome) -> None:
    with sqlite3.connect(home.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    before = home.database.read_bytes()
    facts = looked(home)
    assert facts.database is not None
    assert facts.database.outdated
    assert home.database.read_bytes() == before


def test_a_database_that_another_process_holds(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Database.open
    monkeypatch.setattr(Database, "open", lambda place: opened(place, lock_seconds=0.1))
    holder = sqlite3.connect(home.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        facts = looked(home)
    finally:
        holder.close()
    assert facts.database is not None
    assert "Another process" in facts.database.problem


def test_signatures_that_have_expired_and_a_file_that_was_changed(home: ServerHome) -> None:
    late = looked(home, MADE_AT + 2 * 86_400.0)
    assert "timestamp metadata expired" in SERVER_CHECKS["server-signatures"](late).observed
    (home.tuf_metadata / "1.root.json").write_bytes(b"{}")
    assert verdicts(looked(home), "server-signatures") == {"server-signatures": "wrong"}


def test_a_clock_that_has_gone_back(home: ServerHome) -> None:
    facts = looked(home, MADE_AT - 7_200.0)
    assert "the newest signature is 2 hours later than now" in SERVER_CHECKS["server-clock"](facts).observed
    with Database.open(home.database) as database:
        database.add_endpoint("pc", "pc", MADE_AT)
        database.save_seen({"pc": SeenRow("osaka", "10.0.0.1", "p2pdist/1", False, MADE_AT + 9 * 3_600.0)})
    assert "when a PC was seen last is 9 hours later" in SERVER_CHECKS["server-clock"](looked(home, MADE_AT)).observed


def test_a_zone_of_which_there_are_no_data(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_state, "_zones", lambda _: ["UTC", "Asia/Nowhere"])
    assert "Asia/Nowhere" in SERVER_CHECKS["server-time-zones"](looked(home)).observed


def test_a_site_map_that_cannot_be_used(home: ServerHome) -> None:
    home.sites.write_text("[[site]]\nname = 3\n")
    assert verdicts(looked(home), "server-site-map") == {"server-site-map": "wrong"}


def test_a_pc_that_has_seen_another_audit_log(home: ServerHome) -> None:
    with Database.open(home.database) as database:
        database.add_endpoint("pc", "pc-7", MADE_AT)
        database.save_witness_alarms({"pc": AuditAlarm(fault="shorter", known=9, told=5)}, MADE_AT)
    assert "pc-7" in SERVER_CHECKS["server-audit"](looked(home)).observed


def test_what_is_known_of_weaknesses_and_is_old(home: ServerHome) -> None:
    assert verdicts(looked(home), "server-intelligence") == {"server-intelligence": "fine"}
    with Database.open(home.database) as database:
        kev = IntelligenceSource("kev", MADE_AT, MADE_AT, 0, "", "", "ada")
        database.replace_exploited_cves(kev._replace(dated_at=MADE_AT + 60.0 - 7 * DAY_SECONDS), [])
        assert verdicts(looked(home), "server-intelligence") == {"server-intelligence": "fine"}
        database.replace_exploited_cves(kev._replace(dated_at=MADE_AT + 59.0 - 7 * DAY_SECONDS), [])
    facts = looked(home)
    assert verdicts(facts, "server-intelligence") == {"server-intelligence": "wrong"}
    assert facts.intelligence is not None
    assert [one.mend for one in facts.intelligence] == ["seed-server intelligence import FILE"]


def test_files_that_are_missing_cut_off_or_marked(tmp_path: Path) -> None:
    store = ContentStore(tmp_path)
    (tmp_path / PAYLOAD.sha256).write_bytes(bytes(10))
    (tmp_path / f"{PAYLOAD.sha256}.pieces").write_bytes(bytes(32))
    assert looks_state.look_at_content(store, [PAYLOAD]).lacking == ()
    marked = msgspec.structs.replace(PAYLOAD, damaged="a piece is not what was published")
    missing = msgspec.structs.replace(PAYLOAD, sha256="ef" * 32)
    longer = msgspec.structs.replace(PAYLOAD, length_bytes=11)
    lacking = looks_state.look_at_content(store, [PAYLOAD, marked, missing, longer]).lacking
    assert [one.why for one in lacking] == [
        "a piece is not what was published",
        "its file, or that with its pieces' hashes, is missing",
        "its file, or that with its pieces' hashes, has another length than was published",
    ]
    assert replace(lacking[0], why="").ref == PAYLOAD.ref
