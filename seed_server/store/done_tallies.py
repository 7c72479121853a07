"""How many PCs are done with patches since which hour; and follow-ups, which end when a PC is done. Blocking.

Every function works within the transaction of the connection it is given. As `tallies`, this counts the PCs that are
not denied.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, select

from seed_server.store.done_times import NOT_DONE, hour_of
from seed_server.store.engines import insert_into
from seed_server.store.tables_reporting import DONE_TALLIES, FOLLOW_UPS


def count_done(connection: Connection, changes: Mapping[tuple[int, int], int]) -> None:
    """Count PCs more or less, by patch and moment (`standing.done_at`); those who are not done are in no hour."""
    hours: Counter[tuple[int, int]] = Counter()
    for (patch, done_at), number in changes.items():
        if done_at > NOT_DONE:
            hours[patch, hour_of(done_at)] += number
    rows = [
        {"patch": patch, "hour": hour, "endpoints": number} for (patch, hour), number in sorted(hours.items()) if number
    ]
    if not rows:
        return
    insert = insert_into(connection, DONE_TALLIES)
    total = {"endpoints": DONE_TALLIES.c.endpoints + insert.excluded.endpoints}
    connection.execute(insert.on_conflict_do_update(index_elements=["patch", "hour"], set_=total), rows)
    if fewer := [{"of_patch": row["patch"], "of_hour": row["hour"]} for row in rows if row["endpoints"] < 0]:
        table = DONE_TALLIES.c
        ours = and_(table.patch == bindparam("of_patch"), table.hour == bindparam("of_hour"), table.endpoints == 0)
        connection.execute(DONE_TALLIES.delete().where(ours), fewer)


def end_follow_ups(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """End what people do about PCs and patches (endpoint, patch): these are missing no more."""
    # a few of all PCs have one, and mostly none
    if not pairs or connection.scalar(select(FOLLOW_UPS.c.endpoint).limit(1)) is None:
        return
    ours = and_(FOLLOW_UPS.c.endpoint == bindparam("of_endpoint"), FOLLOW_UPS.c.patch == bindparam("of_patch"))
    connection.execute(FOLLOW_UPS.delete().where(ours), [{"of_endpoint": pc, "of_patch": patch} for pc, patch in pairs])
