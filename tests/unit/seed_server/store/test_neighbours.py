"""`seed_server.store.neighbours`: machines that are no enrolled PCs, on both databases."""

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.wire.neighbours_seen import MAX_NEIGHBOURS_SEEN, NeighbourSeen, NeighboursSeen
from seed_server.store.database import Database
from seed_server.store.neighbours import NEIGHBOURS_KEPT_DAYS, STALE_SECONDS, NeighbourTellers, UnmanagedRow
from seed_server.store.rows import SeenRow

PRINTER, PHONE, CARD_A, CARD_B = (f"52:54:00:00:00:{number:02x}" for number in range(4))
NOW = 1_000 * DAY_SECONDS


def said(*seen: tuple[str, str], own: tuple[str, ...] = ()) -> NeighboursSeen:
    return NeighboursSeen(own, tuple(NeighbourSeen(card, address) for card, address in seen))


def enrol(database: Database, *names: str, site: str = "leeds") -> None:
    for number, name in enumerate(names, 1):
        database.add_endpoint(name, name, 1.0)
        database.save_seen({name: SeenRow(site, f"10.0.0.{number}", "", connected=True, last_seen_at=1.0)})


def test_machines_are_counted_by_the_pcs_that_see_them_and_enrolled_ones_are_none(database: Database) -> None:
    enrol(database, "a", "b", "c")
    site = database.site_number("leeds")
    seen = ((PRINTER, "10.0.0.7"), (CARD_A, "10.0.0.1"), (CARD_B, "10.0.0.99"))
    database.save_neighbours({"a": said(*seen, own=(CARD_A,))}, NOW)
    assert [row.card for row in database.unmanaged(site, 9)] == [PRINTER, CARD_B], "b has not told its card"
    database.save_neighbours({"b": said(*seen, (PHONE, "10.0.0.3"), own=(CARD_B,))}, NOW + 9)
    rows = [UnmanagedRow("leeds", PRINTER, "10.0.0.7", 2, NOW, NOW + 9)]
    assert database.unmanaged(site, 9) == database.unmanaged(None, 9) == rows, "c has the address 10.0.0.3"
    assert database.neighbour_tellers(site) == NeighbourTellers(2, 3)
    database.save_neighbours({"c": said(own=("52:54:00:00:00:0c",))}, NOW)
    assert [row.card for row in database.unmanaged(site, 9)] == [PRINTER, PHONE], "c has told, and this is not its card"
    assert database.unmanaged(site, 1) == rows
    database.forget_endpoint("b", NOW)
    assert [(row.card, row.seen_by) for row in database.unmanaged(site, 9)] == [(PRINTER, 1), (CARD_B, 1)]


def test_a_pc_that_moves_takes_no_machine_along(database: Database) -> None:
    enrol(database, "a")
    database.save_neighbours({"a": said((PRINTER, "10.0.0.7"))}, NOW)
    database.save_seen({"a": SeenRow("osaka", "10.9.0.1", "", connected=True, last_seen_at=2.0)})
    database.save_neighbours({"a": said((PHONE, "10.9.0.8"))}, NOW)
    assert [(row.site, row.card) for row in database.unmanaged(None, 9)] == [("leeds", PRINTER), ("osaka", PHONE)]


def test_times_are_the_first_and_the_last(database: Database) -> None:
    enrol(database, "a")
    for later in (0.0, STALE_SECONDS - 1, STALE_SECONDS):
        database.save_neighbours({"a": said((PRINTER, "10.0.0.7"))}, NOW + later)
    (row,) = database.unmanaged(None, 9)
    assert (row.first_at, row.last_at) == (NOW, NOW + STALE_SECONDS)
    database.save_neighbours({"a": said((PRINTER, "10.0.0.8"))}, NOW + STALE_SECONDS + 1)
    assert database.unmanaged(None, 9)[0].address == "10.0.0.8", "an address that has changed is written at once"
    database.save_neighbours({"a": said()}, NOW + 2 * NEIGHBOURS_KEPT_DAYS * DAY_SECONDS)
    assert database.unmanaged(None, 9) == []


def test_a_pc_that_makes_up_machines_fills_only_its_own_rows(database: Database) -> None:
    enrol(database, "a", "b")
    database.save_neighbours({"b": said((PRINTER, "10.0.0.7"))}, NOW)
    for hour in range(4):
        made_up = ((f"02:00:00:{hour:02x}:00:{n:02x}", "10.0.0.9") for n in range(MAX_NEIGHBOURS_SEEN))
        database.save_neighbours({"a": said((PRINTER, "10.0.0.7"), *list(made_up)[1:])}, NOW + hour)
    rows = database.unmanaged(None, 10_000)
    assert len(rows) <= MAX_NEIGHBOURS_SEEN + 1
    assert rows[0].card == PRINTER, "what two PCs see goes first"
    database.save_neighbours({"nobody": said((PHONE, "10.0.0.9"))}, NOW)
    assert PHONE not in {row.card for row in database.unmanaged(None, 10_000)}
