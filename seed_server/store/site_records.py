"""The database's sites: how fast each is sent to, and what was sent. Blocking."""

import json
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from seed_server.store.engines import insert_into, upsert
from seed_server.store.interned import site_numbers
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from seed_server.store.tables import HARM_PAUSES, PAYLOADS, SITE_LIMITS, SITES, THIS_SERVER, WAN_BYTES
from seed_server.store.transactions import Transactions

AT_WORK_SECONDS = 60.0  # a site's limit is recorded each second while it is sent to, or PCs wait there in vain
_LIMIT_COLUMNS = tuple(name for name in SiteLimitRow.__struct_fields__ if name not in ("site", "harm"))


class SiteTable(Transactions):
    """The part of `Database` that is about sites; raises as all of it."""

    def save_site_limits(self, rows: Iterable[SiteLimitRow]) -> None:
        """Record the newest limit of each site."""
        limits = {row.site: row for row in rows}
        if not limits:
            return
        with self._writing() as connection:
            numbers = site_numbers(connection, limits)
            keys = {site: {"server": THIS_SERVER, "site": numbers[site]} for site in limits}
            values = [
                {name: getattr(row, name) for name in _LIMIT_COLUMNS}
                | {"seconds": json.dumps(row.seconds)}
                | keys[site]
                for site, row in limits.items()
            ]
            connection.execute(upsert(connection, SITE_LIMITS), values)
            pauses = [msgspec.structs.asdict(row.harm) | keys[site] for site, row in limits.items() if row.harm]
            if pauses:
                connection.execute(upsert(connection, HARM_PAUSES), pauses)

    def site_limits(self, site: str | None = None) -> list[SiteLimitRow]:
        """Return the newest limit of each site, by name; or that of one site, where it is named."""
        columns = [SITE_LIMITS.c[name] for name in _LIMIT_COLUMNS]
        query = select(SITES.c.name.label("site"), *columns).join_from(SITE_LIMITS, SITES)
        if site is not None:
            query = query.where(SITES.c.name == site)
        with self.reading() as connection:
            rows = connection.execute(query.where(SITE_LIMITS.c.server == THIS_SERVER)).mappings().all()
            pauses = _pauses(connection, HARM_PAUSES.c.server == THIS_SERVER)
        found = [
            SiteLimitRow(**dict(row) | {"seconds": json.loads(row["seconds"])}, harm=pauses.get(row["site"]))
            for row in rows
        ]
        return sorted(found, key=lambda row: row.site)  # here, for each database has an order of its own

    def sites_at_work(self, now: float) -> dict[str, HarmPauseRow | None]:
        """Return the sites that are sent to now, or would be, and of those where leasing pauses now, why."""
        query = select(SITES.c.name).join_from(SITE_LIMITS, SITES)
        fresh = SITE_LIMITS.c.active & (SITE_LIMITS.c.at >= now - AT_WORK_SECONDS)
        with self.reading() as connection:
            names = connection.scalars(query.where(SITE_LIMITS.c.server == THIS_SERVER, fresh)).all()
            pauses = _pauses(connection, _pausing(now))
        return {name: pauses.get(name) for name in names}

    def harm_pauses(self, now: float) -> dict[str, HarmPauseRow]:
        """Return the sites where leasing pauses now, whether anybody waits there or not, and why."""
        with self.reading() as connection:
            return _pauses(connection, _pausing(now))

    def add_wan_bytes(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add payload bytes that the origin sent, by (site, torrent hash)."""
        if not counts:
            return
        with self._writing() as connection:
            numbers = site_numbers(connection, (site for site, _ in counts))
            insert = insert_into(connection, WAN_BYTES)
            total = {"bytes": WAN_BYTES.c.bytes + insert.excluded.bytes}
            statement = insert.on_conflict_do_update(index_elements=["site", "torrent_hash"], set_=total)
            values = [
                {"site": numbers[site], "torrent_hash": torrent, "bytes": count}
                for (site, torrent), count in counts.items()
            ]
            connection.execute(statement, values)

    def wan_bytes_of(self, torrents: Iterable[str]) -> dict[tuple[str, str], int]:
        """Return payload bytes sent by the origin of these torrents, by (site, torrent hash)."""
        query = select(SITES.c.name, WAN_BYTES.c.torrent_hash, WAN_BYTES.c.bytes).join_from(WAN_BYTES, SITES)
        # all sites are named, so that of each the rows of these torrents are found by the key, and no others are read
        ours = WAN_BYTES.c.torrent_hash.in_(sorted(torrents)) & WAN_BYTES.c.site.in_(select(SITES.c.number))
        with self.reading() as connection:
            return {(site, torrent): count for site, torrent, count in connection.execute(query.where(ours))}

    def sent_to_sites(self, site: str | None = None) -> dict[str, tuple[int, int]]:
        """Return by site what the origin sent there of what is published, and the length of these files, in bytes.

        ``site``: to this one alone.
        """
        # a file that several patches have is sent once
        files = (
            select(PAYLOADS.c.torrent_hash, func.max(PAYLOADS.c.length_bytes).label("length"))
            .group_by(PAYLOADS.c.torrent_hash)
            .subquery()
        )
        query = (
            select(SITES.c.name, func.sum(WAN_BYTES.c.bytes), func.sum(files.c.length))
            .join_from(WAN_BYTES, files, files.c.torrent_hash == WAN_BYTES.c.torrent_hash)
            .join(SITES, SITES.c.number == WAN_BYTES.c.site)
            .group_by(SITES.c.name)
        )
        if site is not None:
            query = query.where(SITES.c.name == site)
        with self.reading() as connection:
            return {name: (int(sent), int(length)) for name, sent, length in connection.execute(query)}

    def site_names(self) -> list[str]:
        """Return the sites where a PC was ever seen, or to which anything was sent."""
        with self.reading() as connection:
            return sorted(name for name in connection.scalars(select(SITES.c.name)) if name)

    def wan_bytes(self) -> dict[tuple[str, str], int]:
        """Return payload bytes sent by the origin, by (site, torrent hash)."""
        query = select(SITES.c.name, WAN_BYTES.c.torrent_hash, WAN_BYTES.c.bytes).join_from(WAN_BYTES, SITES)
        with self.reading() as connection:
            return {(site, torrent): count for site, torrent, count in connection.execute(query)}


def _pausing(now: float) -> ColumnElement[bool]:
    return (HARM_PAUSES.c.server == THIS_SERVER) & (HARM_PAUSES.c.ends_at > now)


def _pauses(connection: Connection, wanted: ColumnElement[bool]) -> dict[str, HarmPauseRow]:
    columns = [HARM_PAUSES.c[name] for name in HarmPauseRow.__struct_fields__]
    query = select(SITES.c.name, *columns).join_from(HARM_PAUSES, SITES).where(wanted)
    return {name: HarmPauseRow(*values) for name, *values in connection.execute(query)}
