from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from seed_server.store.tables import REPORTED_SINCE
from tests.helpers.stored_fleet import NOW, store
from tests.helpers.varied_fleet import varied_fleet


def test_counts_of_nothing_are_nothing(database: Database) -> None:
    assert database.done_counts([]) == {}
    assert database.said_counts([]) == {}
    assert database.lacking_counts([], []) == {}
    assert database.done_counts([(7, 3)])[7, 3] == (0, 0)
    assert database.done_by_hour(7) == []


def test_whoever_lacks_a_patch_is_who_is_not_done_and_needs_it(database: Database) -> None:
    fleet = varied_fleet()
    store(database, fleet)
    heads = [head.number for head in database.patch_heads()]
    pcs = [row.number for row in database.ring_pcs() if row.allowed]
    lacking = database.lacking_counts(heads, pcs)
    said, done = database.said_counts(heads), database.done_counts([(head, 0) for head in heads])
    assert lacking == {head: said[head].all - said[head].not_for_it - done[head, 0].all for head in heads}
    hours = {head: sum(number for _, number in database.done_by_hour(head)) for head in heads}
    assert hours == {head: done[head, 0].all for head in heads}
    hour = int(NOW - 60 - REPORTED_SINCE) // 3_600
    assert database.done_counts([(heads[0], hour), (heads[0], hour + 1)])[heads[0], hour + 1].in_time == hours[heads[0]]
    assert database.done_counts([(heads[0], hour)])[heads[0], hour].in_time == 0


def test_who_was_not_seen_is_not_whoever_is_connected(database: Database) -> None:
    for name in ("a", "b", "c"):
        database.add_endpoint(name, name, 1.0)
    database.save_seen({
        "a": SeenRow("oslo", "192.0.2.1", "x", connected=True, last_seen_at=5.0),
        "b": SeenRow("oslo", "192.0.2.1", "x", connected=False, last_seen_at=5.0),
    })  # fmt: skip
    assert database.unseen_pcs(5.0) == [2, 3]
    assert database.unseen_pcs(4.9) == [3]
    assert database.unseen_pcs(5.0, serving=False) == [1, 2, 3]


def test_what_a_pc_lacks(database: Database) -> None:
    fleet = varied_fleet()
    store(database, fleet)
    heads = [head.number for head in database.patch_heads()]
    pc = database.ring_pcs()[9]
    number, lacked = database.lacked_by(pc.endpoint_id, heads)
    assert number == pc.number
    assert lacked == [head for head in heads if any(row.endpoint == number for row in database.lacking_page(head))]
