"""The database's ten minutes of each site's line, and the hours that they become. Blocking.

Rows are found by their site: a site's days stand together, and whatever goes over all sites names them in portions.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from seed_server.store.engines import upsert
from seed_server.store.interned import parts, site_numbers
from seed_server.store.minute_rows import (
    HOUR_SLOTS,
    HOURS_KEPT_SECONDS,
    MAX_SLOT_BYTES,
    SLOT_SECONDS,
    SLOTS_KEPT_SECONDS,
    LineSlot,
    WatchedSlot,
    cause_at,
    code_of,
    joined,
    slot_of,
)
from seed_server.store.tables import SITES
from seed_server.store.tables_lines import LINE_MINUTES, LINE_WATCHES
from seed_server.store.transactions import Transactions

SITES_AT_ONCE = 200  # in one transaction of `fold_line_minutes`: 1,400 rows at most
_MS, _US = 1_000, 1_000_000
_T = LINE_MINUTES.c


class LineMinuteTable(Transactions):
    """The part of `Database` that is about what lines did lately; raises as all of it."""

    def add_line_minutes(self, rows: Iterable[LineSlot], watched: Iterable[WatchedSlot] = ()) -> None:
        """Add what lines did in ten minutes that are over, or in parts of them, and that somebody watched them."""
        new: dict[tuple[str, int], LineSlot] = {}
        for row in rows:  # by a clock that was set back, one may come twice
            before = new.get((row.site, row.slot))
            new[row.site, row.slot] = row if before is None else joined([before, row], row.slot, row.slots)
        looks: dict[int, float] = {}
        for one in watched:
            looks[one.slot] = looks.get(one.slot, 0.0) + one.watched
        if not new and not looks:
            return
        with self._writing() as connection:
            numbers = site_numbers(connection, {site for site, _ in new})
            slots = sorted({slot for _, slot in new})
            known: dict[tuple[int, int], LineSlot] = {}
            for part in parts(sorted(numbers.values())):
                query = select(LINE_MINUTES).where(_T.site.in_(part), _T.slot.in_(slots))
                for found in connection.execute(query).mappings():
                    known[found["site"], found["slot"]] = _slot(found, "")
            values = []
            for (site, slot), row in sorted(new.items()):
                kept = known.get((numbers[site], slot))
                # of ten minutes that are an hour by now, which a clock that was set back says anew, the hour has it
                whole = row if kept is None else joined([kept, row], slot, kept.slots)
                values.append(_values(whole, numbers[site]))
            for portion in parts(values):
                connection.execute(upsert(connection, LINE_MINUTES), list(portion))
            _add_watched(connection, looks)

    def line_minutes(self, site: int, since: float) -> list[LineSlot]:
        """Return what the line of the site with this number did from ``since`` on, the oldest first."""
        query = select(LINE_MINUTES).where(_T.site == site, _T.slot > slot_of(since) - HOUR_SLOTS)
        with self.reading() as connection:
            name = connection.scalar(select(SITES.c.name).where(SITES.c.number == site)) or ""
            rows = [_slot(row, name) for row in connection.execute(query.order_by(_T.slot)).mappings()]
        return [row for row in rows if (row.slot + row.slots) * SLOT_SECONDS > since]

    def watched_slots(self, since: float) -> list[WatchedSlot]:
        """Return in which ten minutes and hours from ``since`` on a server watched, the oldest first."""
        table = LINE_WATCHES.c
        query = select(table.slot, table.slots, table.watched_ms).where(table.slot > slot_of(since) - HOUR_SLOTS)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(table.slot)).all()
        found = [WatchedSlot(slot, slots, watched / _MS) for slot, slots, watched in rows]
        return [one for one in found if (one.slot + one.slots) * SLOT_SECONDS > since]

    def harm_of_sites(self, sites: Collection[str], since: float) -> dict[str, float]:
        """Return for how many seconds business suffered at these sites from ``since`` on; without those with none."""
        found: dict[str, float] = {}
        with self.reading() as connection:
            for part in parts(sorted(sites)):
                numbers = connection.scalars(select(SITES.c.number).where(SITES.c.name.in_(part))).all()
                query = (
                    select(SITES.c.name, func.sum(_T.harm_ms))
                    .join_from(LINE_MINUTES, SITES)
                    .where(_T.site.in_(numbers), _T.slot >= slot_of(since))
                )
                for name, harm in connection.execute(query.group_by(SITES.c.name)):
                    if harm:
                        found[name] = harm / _MS
        return found

    def fold_line_minutes(self, now: float) -> bool:
        """Make hours of the oldest ten minutes that have had their time, and let go of hours that have had theirs.

        One hour a call, in several transactions; return whether there may be more.
        """
        gone = slot_of(now - HOURS_KEPT_SECONDS)
        due = slot_of(now - SLOTS_KEPT_SECONDS)
        due -= due % HOUR_SLOTS
        table = LINE_WATCHES.c
        single = and_(table.slots == 1, table.slot < due)
        with self.reading() as connection:
            oldest = connection.scalar(select(func.min(table.slot)).where(or_(single, table.slot < gone)))
            numbers = connection.scalars(select(SITES.c.number).order_by(SITES.c.number)).all()
        if oldest is None:
            return False
        hour = oldest - oldest % HOUR_SLOTS
        for start in range(0, len(numbers), SITES_AT_ONCE):
            with self._writing() as connection:
                _fold(connection, numbers[start : start + SITES_AT_ONCE], hour, keep=hour >= gone)
        with self._writing() as connection:
            _fold_watched(connection, hour, keep=hour >= gone)
        return True


def _add_watched(connection: Connection, looks: Mapping[int, float]) -> None:
    if not looks:
        return
    table = LINE_WATCHES.c
    query = select(table.slot, table.slots, table.watched_ms).where(table.slot.in_(sorted(looks)))
    known = {slot: (slots, watched) for slot, slots, watched in connection.execute(query)}
    values = []
    for slot, seconds in sorted(looks.items()):
        slots, before = known.get(slot, (1, 0))
        watched = min(slots * SLOT_SECONDS * _MS, before + round(seconds * _MS))
        values.append({"slot": slot, "slots": slots, "watched_ms": watched})
    connection.execute(upsert(connection, LINE_WATCHES), values)


def _fold(connection: Connection, sites: Sequence[int], hour: int, *, keep: bool) -> None:
    ours = and_(_T.site.in_(sites), _T.slot >= hour, _T.slot < hour + HOUR_SLOTS)
    found: dict[int, list[LineSlot]] = {}
    for row in connection.execute(select(LINE_MINUTES).where(ours)).mappings():
        found.setdefault(row["site"], []).append(_slot(row, ""))
    if not found:
        return
    connection.execute(LINE_MINUTES.delete().where(ours))
    if keep:
        values = [_values(joined(rows, hour, HOUR_SLOTS), site) for site, rows in sorted(found.items())]
        connection.execute(LINE_MINUTES.insert(), values)


def _fold_watched(connection: Connection, hour: int, *, keep: bool) -> None:
    table = LINE_WATCHES.c
    ours = and_(table.slot >= hour, table.slot < hour + HOUR_SLOTS)
    watched = connection.scalar(select(func.sum(table.watched_ms)).where(ours)) or 0
    connection.execute(LINE_WATCHES.delete().where(ours))
    if keep:
        connection.execute(LINE_WATCHES.insert(), {"slot": hour, "slots": HOUR_SLOTS, "watched_ms": int(watched)})


def _slot(row: RowMapping, site: str) -> LineSlot:
    return LineSlot(
        site=site,
        slot=row["slot"],
        slots=row["slots"],
        active=row["active_ms"] / _MS,
        sent=row["sent"],
        allowed=float(row["allowed"]),
        cause=cause_at(row["cause"]),
        cause_seconds=row["cause_ms"] / _MS,
        business=row["business"],
        business_seconds=row["business_ms"] / _MS,
        harm_seconds=row["harm_ms"] / _MS,
        queue=None if row["queue_us"] is None else row["queue_us"] / _US,
    )


def _values(row: LineSlot, site: int) -> dict[str, int | None]:
    most = row.slots * SLOT_SECONDS * _MS  # whatever clocks did meanwhile
    return {
        "site": site,
        "slot": row.slot,
        "slots": row.slots,
        "active_ms": min(most, round(row.active * _MS)),
        "sent": min(MAX_SLOT_BYTES, row.sent),
        "allowed": min(MAX_SLOT_BYTES, round(row.allowed)),
        "cause": code_of(row.cause),
        "cause_ms": min(most, round(row.cause_seconds * _MS)),
        "business": min(MAX_SLOT_BYTES, row.business),
        "business_ms": min(most, round(row.business_seconds * _MS)),
        "harm_ms": min(most, round(row.harm_seconds * _MS)),
        "queue_us": None if row.queue is None else round(row.queue * _US),
    }
