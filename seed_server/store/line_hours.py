"""The database's hours of the week of each site's line, forecasts of rollouts, and what became of them. Blocking."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import func, select

from seed_server.store.engines import upsert
from seed_server.store.event_months import hot_events, hot_parts
from seed_server.store.interned import parts, site_numbers
from seed_server.store.plan_rows import (
    HOURS_OF_A_WEEK,
    THIRDS,
    WEEK_HOUR_SECONDS,
    DoneWord,
    InstallWord,
    LineHour,
    PcThirds,
    WatchedHour,
    hour_of_week,
)
from seed_server.store.tables import ENDPOINTS, PATCH_CODES, REPORTED_SINCE, SITES, said_code
from seed_server.store.tables_plans import LINE_HOURS, PC_THIRDS, ROLLOUT_FORECASTS
from seed_server.store.transactions import Transactions

KEPT_A_WEEK = 0.8  # of what is known: after a month two fifths, so that a line that has become another is soon known
_WEEK_SECONDS = HOURS_OF_A_WEEK * WEEK_HOUR_SECONDS
_ALL_THIRDS = (1 << THIRDS) - 1
_SUMS = ("watched", "pc_seconds", "arrivals", "sending", "sent", "squares", "times")


class LineHourTable(Transactions):
    """The part of `Database` that is about plans; raises as all of it."""

    def add_line_hours(self, hours: Iterable[WatchedHour]) -> None:
        """Add what was watched, hours that are over or parts of them, to what is known of these hours of the week."""
        new = list(hours)
        if not new:
            return
        with self._writing() as connection:
            numbers = site_numbers(connection, {one.site for one in new})
            keys = {(numbers[one.site], hour_of_week(one.at)) for one in new}
            known: dict[tuple[int, int], dict[str, float]] = {}
            for part in parts(sorted({site for site, _ in keys})):
                query = select(LINE_HOURS).where(
                    LINE_HOURS.c.site.in_(part), LINE_HOURS.c.hour.in_({hour for _, hour in keys})
                )
                for row in connection.execute(query).mappings():
                    known[row["site"], row["hour"]] = {name: row[name] for name in ("at", *_SUMS)}
            for one in new:
                key = numbers[one.site], hour_of_week(one.at)
                known[key] = added(known.get(key), one)
            rows = [{"site": site, "hour": hour} | known[site, hour] for site, hour in sorted(keys)]
            for portion in parts(rows):
                connection.execute(upsert(connection, LINE_HOURS), list(portion))

    def line_hours(self) -> dict[str, list[LineHour]]:
        """Return what is known of each site, by its name; hours of which nothing is known are missing."""
        columns = [LINE_HOURS.c[name] for name in LineHour._fields]
        query = select(SITES.c.name, *columns).join_from(LINE_HOURS, SITES).order_by(LINE_HOURS.c.site)
        found: dict[str, list[LineHour]] = {}
        with self.reading() as connection:
            for site, *row in connection.execute(query):
                found.setdefault(site, []).append(LineHour(*row))
        return found

    def save_pc_thirds(self, seen: Mapping[str, int]) -> None:
        """Record that PCs, by their ids, were seen in a third of a UTC day; unknown PCs are skipped."""
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number, PC_THIRDS.c.thirds, PC_THIRDS.c.newest)
        query = query.join_from(ENDPOINTS, PC_THIRDS, isouter=True)
        if not seen:
            return
        with self._writing() as connection:
            rows = []
            for part in parts(sorted(seen)):
                for name, number, thirds, newest in connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part))):
                    third = seen[name]
                    # by a clock that was set back, a third of before is seen once more
                    later, back = max(0, third - (newest or third)), max(0, (newest or third) - third)
                    kept = ((thirds or 0) << min(later, THIRDS) | 1 << min(back, THIRDS)) & _ALL_THIRDS
                    rows.append({"endpoint": number, "newest": max(third, newest or 0), "thirds": kept})
            if rows:
                connection.execute(upsert(connection, PC_THIRDS), rows)

    def pc_thirds(self) -> dict[int, PcThirds]:
        """Return in which thirds each enrolled PC was seen, by its number."""
        columns = (ENDPOINTS.c.number, ENDPOINTS.c.enrolled_at, PC_THIRDS.c.thirds, PC_THIRDS.c.newest)
        with self.reading() as connection:
            return {
                number: PcThirds(enrolled_at, thirds or 0, newest or 0)
                for number, enrolled_at, thirds, newest in connection.execute(
                    select(*columns).join_from(ENDPOINTS, PC_THIRDS, isouter=True)
                )
            }

    def keep_forecast(self, rollout: int, forecast: bytes, made_at: float) -> None:
        """Keep what was planned for a rollout, in place of before."""
        values = {"rollout": rollout, "forecast": forecast, "made_at": made_at}
        with self._writing() as connection:
            connection.execute(upsert(connection, ROLLOUT_FORECASTS), values)

    def forecast(self, rollout: int) -> bytes | None:
        """Return what was planned for a rollout; None: nothing is kept."""
        query = select(ROLLOUT_FORECASTS.c.forecast).where(ROLLOUT_FORECASTS.c.rollout == rollout)
        with self.reading() as connection:
            return connection.scalar(query)

    def forecast_rollouts(self) -> set[int]:
        """Return the numbers of the rollouts with a forecast."""
        with self.reading() as connection:
            return set(connection.scalars(select(ROLLOUT_FORECASTS.c.rollout)))

    def done_since(self, patch: int, since: float, said: Collection[tuple[str, str]]) -> list[DoneWord]:
        """Return when each PC first said one of ``said`` of the patch with this number, from ``since`` on.

        Only what is in the database: months that are archived are not looked at.
        """
        codes = {said_code(*one) for one in said}
        with self.reading() as connection:
            steps = hot_events(connection, int(since) - REPORTED_SINCE)
            first = func.min(steps.c.at)
            query = select(steps.c.endpoint, first, func.max(steps.c.site)).where(
                steps.c.patch == patch, steps.c.said.in_(codes)
            )
            rows = connection.execute(query.group_by(steps.c.endpoint)).all()
            names = dict(connection.execute(select(SITES.c.number, SITES.c.name)).all())
        return [DoneWord(names.get(site, ""), float(at + REPORTED_SINCE)) for _, at, site in rows]

    def install_steps(self, most: int) -> list[InstallWord]:
        """Return the newest steps in the database by which installations began or came to a good end; at most so many.

        The oldest comes first.
        """
        begun = {said_code(state, "installing") for state in PATCH_CODES}
        ended = {said_code(state, "installed") for state in PATCH_CODES}
        found: list[InstallWord] = []
        with self.reading() as connection:
            for part in reversed(hot_parts(connection)):
                table = part.events_table
                query = (
                    select(table.c.endpoint, table.c.patch, table.c.at, table.c.said)
                    .where(table.c.said.in_(begun | ended))
                    .order_by(table.c.at.desc())
                    .limit(most - len(found))
                )
                found += [
                    InstallWord(pc, patch, at, said in ended) for pc, patch, at, said in connection.execute(query)
                ]
                if len(found) >= most:
                    break
        return found[::-1]


def added(known: dict[str, float] | None, one: WatchedHour) -> dict[str, float]:
    """Return the columns of an hour of the week, but for its key, with one more hour; ``known``: those of before."""
    new = {
        "watched": one.watched,
        "pc_seconds": one.pc_seconds,
        "arrivals": float(one.arrivals),
        "sending": one.sending,
        "sent": float(one.sent),
        "squares": one.sent**2 / one.sending if one.sending > 0 else 0.0,
        "times": 1.0 if one.sending > 0 else 0.0,
    }
    if known is None:
        return {"at": one.at} | new
    # by a clock that was set back, nothing grows
    weeks = max(0.0, round((one.at - known["at"]) / _WEEK_SECONDS))
    kept = KEPT_A_WEEK**weeks
    return {"at": max(known["at"], one.at)} | {name: kept * known[name] + new[name] for name in _SUMS}
