"""`p2pdist.neighbours.callers`: one caller shows that callers come in."""

from p2pdist.neighbours.callers import MAX_REMEMBERED, Callers


def test_a_caller_is_remembered_and_who_was_called_is_counted_where_it_lacked_pieces_too() -> None:
    callers = Callers()
    assert callers.status(5.0).reached == 0
    assert callers.status(5.0).last_seconds is None
    callers.connected("10.0.0.2", 10.0, opened_here=True, lacks=True)
    callers.connected("10.0.0.3", 20.0, opened_here=True, lacks=False)
    callers.connected("10.0.0.2", 30.0, opened_here=True, lacks=True)
    seen = callers.status(40.0)
    assert (seen.callers, seen.reached, seen.watched_seconds) == (0, 1, 30.0)
    callers.connected("10.0.0.4", 50.0, opened_here=False, lacks=True)
    seen = callers.status(53.0)
    assert (seen.callers, seen.last_seconds, seen.reached) == (1, 3.0, 1)


def test_a_flood_of_addresses_takes_no_memory() -> None:
    callers = Callers()
    for number in range(3 * MAX_REMEMBERED):
        callers.connected(f"a{number}", float(number), opened_here=False, lacks=True)
        callers.connected(f"b{number}", float(number), opened_here=True, lacks=True)
    seen = callers.status(1_000.0)
    assert (seen.callers, seen.reached) == (MAX_REMEMBERED, MAX_REMEMBERED)
    assert seen.last_seconds == 1_000.0 - (3 * MAX_REMEMBERED - 1)
