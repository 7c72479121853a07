"""`seed_server.store.known_servers` on both databases: who knows where the server is, and who does not."""

from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

ONE, TWO, THREE, DENIED = (letter * 26 for letter in "abcd")


def test_those_without_the_newest_list_are_named_in_order_and_counted(database: Database) -> None:
    for number, endpoint in enumerate((ONE, TWO, THREE, DENIED)):
        database.add_endpoint(endpoint, f"pc-{3 - number}", 1.0)
    database.set_denied(DENIED, True)
    database.save_seen({TWO: SeenRow("oslo", "192.0.2.1", "p2pdist 0.2.0", connected=True, last_seen_at=5.0)})
    assert database.informed_count(1) == (0, 3)
    database.save_known_servers({})
    database.save_known_servers({ONE: 1, TWO: 1, "e" * 26: 1})
    assert database.informed_count(1) == (2, 3)
    assert [pc.hostname for pc in database.uninformed(1, 10)] == ["pc-1"]
    database.save_known_servers({ONE: 2})
    assert database.informed_count(2) == (1, 3)
    first, second = database.uninformed(2, 10)
    assert (first.hostname, first.endpoint_id, first.software, first.connected, first.last_seen_at) == (
        "pc-1", THREE, "", False, 0.0
    )  # fmt: skip
    assert (second.hostname, second.software, second.connected, second.last_seen_at) == (
        "pc-2", "p2pdist 0.2.0", True, 5.0
    )  # fmt: skip
    assert database.uninformed(2, 1) == [first]
    assert database.uninformed(2, 10, (first.hostname, first.endpoint_id)) == [second]
    database.forget_endpoint(TWO)
    assert database.informed_count(1) == (1, 2)
