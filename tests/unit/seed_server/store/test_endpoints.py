"""`seed_server.store.endpoints`: nothing but what is promised stays of a PC that is forgotten, on both databases."""

from collections.abc import Collection

import pytest
from sqlalchemy import inspect, text

from p2pdist.shared.manifest.inventory import NOTHING, Inventory, difference, digest_of
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer, PatchReport
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.store.database import Database
from seed_server.store.inventory import InventoryTold
from seed_server.store.rows import Recorded, SeenRow, ServedPayload
from seed_server.store.step_pace import StepPace
from seed_server.store.tables import REPORTED_SINCE

GONE, STAYS = "g" * 26, "s" * 26
NOW = REPORTED_SINCE + 86_400.0
STAYING = {"alembic_version", "counters", "forgotten_endpoints", "event_months", "event_texts", "sites", "tokens"}
"""Tables that may be others afterwards: what the PC did stays, as do a site's name and the token. Events too."""


def all_rows(database: Database) -> dict[str, Collection[tuple[object, ...]]]:
    with database.reading() as connection:
        names = inspect(connection).get_table_names()
        return {
            name: sorted(map(tuple, connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in names
            if name not in STAYING and not name.startswith("events_")
        }


def patch() -> ServedPayload:
    return ServedPayload(
        patch_id="p", version="1", title="", severity="high", cvss=None, file_name="file", sha256="cd" * 32,
        length_bytes=1, torrent_hash="p" * 64, piece_length_bytes=262_144, piece_count=1, sequence=1,
        published_at=5.0,
    )  # fmt: skip


def report(why: str, wasted: int = 0) -> PatchReport:
    return PatchReport(
        patch_id="p", version="1", state="verified", progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=wasted, seconds=1.0, error=why, install="failed" if why else "retrying",
        install_reason=why, install_output=why,
    )  # fmt: skip


def say_all(database: Database, pc: str, words: str, site: str) -> None:
    """Say everything that a PC can say, and enrol by a token."""
    secret = pc.encode()
    database.add_token(secret, 1, NOW + 9, NOW)
    assert database.spend_token(secret, NOW, pc) == "accepted"
    database.add_enrolment(pc, database.tokens()[0].token_id, NOW)
    database.save_seen({pc: SeenRow(site, "10.0.0.7", "p2pdist 0.3", connected=False, last_seen_at=NOW)})
    database.save_refusals({pc: words})
    database.save_recorded({pc: Recorded("run", 7)})
    database.save_facts({pc: {"os.id": words}})
    database.save_witness_alarms({pc: AuditAlarm(fault="shorter", known=5, told=4)}, NOW)
    database.save_findings({pc: ("clock",)})
    database.save_known_servers({pc: 3})
    card = "52:54:00:00:00:0" + pc[0].translate(str.maketrans("gs", "12"))
    database.save_neighbours({pc: NeighboursSeen((card,), (NeighbourSeen("52:54:00:00:00:0f", "10.0.0.9"),))}, NOW)
    for step in range(3):
        database.save_reports({pc: [report(words) if step % 2 == 0 else report("", wasted=1)]}, NOW + step)
    diagnosis = Diagnosis(
        template="t", answers=(DiagnosisAnswer(label=words, applies=True, needed=True, reason=words),)
    )
    database.save_diagnosis(pc, diagnosis, NOW)
    has = Inventory({"hostname": words}, {(Ecosystem.DEB, words): "1", (Ecosystem.DEB, "vim"): "1"})
    database.store_inventories([InventoryTold(pc, None, digest_of(has), difference(NOTHING, has), NOW)])


@pytest.mark.parametrize("denied", [False, True])
def test_nothing_is_left_of_a_pc_that_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch, denied: bool
) -> None:
    monkeypatch.setattr(database, "_pace", StepPace(at_once=1, a_day=0))
    database.add_patch(patch())
    database.add_endpoint(STAYS, "pc-stays", 1.0)
    say_all(database, STAYS, "stays", "leeds")
    database.forget_what_nobody_says()
    before = all_rows(database)
    database.add_endpoint(GONE, "pc-gone", 1.0)
    say_all(database, GONE, "made-up", "elsewhere")
    if denied:
        database.set_denied(GONE, denied=True)
    said = all_rows(database)
    changed = {name for name, rows in said.items() if rows != before[name]}
    assert {"standing", "standing_notes", "texts", "software", "inventories", "diagnoses", "steps_left_out"} < changed
    database.forget_endpoint(GONE, NOW)
    database.forget_what_nobody_says()
    after = all_rows(database)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}
    assert "made-up" not in repr(after)
