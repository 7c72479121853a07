"""`seed_server.store.witness_alarms` on both databases: which PCs have seen another audit log."""

from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.store.database import Database
from seed_server.store.witness_alarms import WitnessAlarmRow
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

ONE, OTHER = "a" * 26, "b" * 26


def test_what_pcs_say_last_is_kept_until_it_is_over(database: Database) -> None:
    database.add_endpoint(ONE, "pc-2", 1.0)
    database.add_endpoint(OTHER, "pc-1", 1.0)
    database.save_witness_alarms({}, 5.0)
    said = {
        ONE: AuditAlarm("shorter", 9, 4),
        OTHER: AuditAlarm("no_proof", 9, 12),
        "c" * 26: AuditAlarm("shorter", 1, 0),
    }
    database.save_witness_alarms(said, 5.0)
    database.save_witness_alarms({ONE: AuditAlarm("shorter", 9, 7)}, 8.0)
    other = WitnessAlarmRow(OTHER, "pc-1", "no_proof", 9, 12, 5.0)
    assert database.witness_alarms() == [other, WitnessAlarmRow(ONE, "pc-2", "shorter", 9, 7, 8.0)]
    assert (database.witness_alarm_count(), database.witness_alarms(1)) == (2, [other])
    database.save_witness_alarms({ONE: AuditAlarm(None, 7, 0)}, 9.0)
    assert database.witness_alarms() == [other]
    database.forget_endpoint(OTHER)
    assert database.witness_alarm_count() == 0
