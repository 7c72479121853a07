"""`seed_server.store.audit_rows`: one order, hashes that grow with the log, and holes that are found."""

import concurrent.futures
from collections.abc import Callable

import pytest
from sqlalchemy import event

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.merkle_log import EMPTY_ROOT, Node, leaf_hash, log_root, proves_consistency, proves_inclusion
from seed_server.store.database import Database
from seed_server.store.tables import METADATA
from tests.unit.p2pdist.shared.test_merkle_log import Log


def entry_of(number: int) -> bytes:
    return b"entry %d" % number


def appended(database: Database, count: int) -> list[bytes]:
    with database.batch():
        for _ in range(count):
            database.append_audit(entry_of)
    return [entry_of(number) for number in range(database.audit_size())]


def test_an_empty_log(database: Database) -> None:
    assert database.audit_state() == (0, EMPTY_ROOT)
    assert (database.audit_checkpoint(), database.pending(), database.audit_entry(0)) == (b"", [], None)


def test_the_kept_hashes_are_those_of_the_tree(database: Database) -> None:
    log = Log([])
    for count in (1, 1, 5, 26):
        data = appended(database, count)
        log = Log(data)
        assert database.audit_state() == (len(data), log_root(len(data), log.hash_of))
    assert database.audit_entries(3, 5) == [(3, entry_of(3)), (4, entry_of(4))]
    assert database.audit_node_counts() == {1: 16, 2: 8, 3: 4, 4: 2, 5: 1}
    assert database.audit_nodes(3, 1, 3) == [(1, log.nodes[Node(3, 1)]), (2, log.nodes[Node(3, 2)])]


def test_proofs(database: Database) -> None:
    data = appended(database, 21)
    log = Log(data)
    root = log_root(21, log.hash_of)
    for number in range(21):
        assert proves_inclusion(leaf_hash(data[number]), number, 21, database.audit_inclusion(number, 21), root)
        first = log_root(number, log.hash_of)
        assert proves_consistency(number, first, 21, root, database.audit_consistency(number, 21))
    assert database.audit_consistency(8, 20) != []
    with pytest.raises(ValueError, match="never had"):
        database.audit_consistency(22, 21)
    for more in (lambda: database.audit_consistency(8, 22), lambda: database.audit_inclusion(8, 22)):
        with pytest.raises(ValueError, match="does not have 22 entries"):
            more()


def test_what_fails_leaves_no_entry_and_no_gap(database: Database) -> None:
    appended(database, 3)

    def fail() -> None:
        with database.batch():
            database.append_audit(entry_of)
            database.add_pending(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (database.audit_size(), database.pending()) == (3, [])
    assert database.append_audit(entry_of) == 3


def test_writers_at_once_make_one_order(place: object, database: Database) -> None:
    def append(_: int) -> list[int]:
        with Database.open(place) as other:  # type: ignore[arg-type]
            return [other.append_audit(entry_of) for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        numbers = [number for found in pool.map(append, range(3)) for number in found]
    assert sorted(numbers) == list(range(15))
    log = Log([entry_of(number) for number in range(15)])
    assert database.audit_state() == (15, log_root(15, log.hash_of))


def test_a_long_log_costs_few_statements(database: Database) -> None:
    appended(database, 255)
    statements: list[str] = []
    event.listen(database._engines.writer, "before_cursor_execute", lambda *said: statements.append(said[2]))
    event.listen(database._engines.reader, "before_cursor_execute", lambda *said: statements.append(said[2]))

    def cost(act: Callable[[], object]) -> int:
        statements.clear()
        act()
        return len(statements)

    assert cost(lambda: database.append_audit(entry_of)) <= 16, "the worst of all 256: it completes eight subtrees"
    assert cost(lambda: database.append_audit(entry_of)) <= 5
    assert cost(lambda: database.audit_inclusion(100, 257)) <= 20
    assert cost(lambda: database.audit_consistency(100, 257)) <= 20


def test_checkpoints_and_what_is_pending(database: Database) -> None:
    database.save_audit_checkpoint(3, b"three")
    database.save_audit_checkpoint(4, b"four")
    assert (database.audit_checkpoint(), database.audit_checkpoints()) == (b"four", [(4, b"four")])
    database.add_pending(7)
    database.add_pending(2)
    assert list(database.pending()) == [2, 7]
    database.remove_pending(2)
    assert list(database.pending()) == [7]


@pytest.mark.parametrize("table", ["audit_entries", "audit_nodes"])
def test_a_hole_is_said(database: Database, table: str) -> None:
    appended(database, 6)
    with database._writing() as connection:
        connection.execute(METADATA.tables[table].delete())
    with database._writing() as connection:
        connection.execute(METADATA.tables["audit_entries"].insert(), {"number": 9, "entry": b""})
    with pytest.raises(UserError, match="has a hole") as caught:
        database.audit_state()
    assert caught.value.kind is FaultKind.STORAGE
