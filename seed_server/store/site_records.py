"""The database's sites: how fast each is sent to, and what was sent. Blocking."""

import json
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import select

from seed_server.store.engines import insert_into, upsert
from seed_server.store.interned import site_numbers
from seed_server.store.rows import SiteLimitRow
from seed_server.store.tables import SITE_LIMITS, SITES, THIS_SERVER, WAN_BYTES
from seed_server.store.transactions import Transactions


class SiteTable(Transactions):
    """The part of `Database` that is about sites; raises as all of it."""

    def save_site_limits(self, rows: Iterable[SiteLimitRow]) -> None:
        """Record the newest limit of each site."""
        limits = {row.site: msgspec.structs.asdict(row) for row in rows}
        if not limits:
            return
        with self._writing() as connection:
            numbers = site_numbers(connection, limits)
            values = [
                row | {"server": THIS_SERVER, "site": numbers[site], "seconds": json.dumps(row["seconds"])}
                for site, row in limits.items()
            ]
            connection.execute(upsert(connection, SITE_LIMITS), values)

    def site_limits(self) -> list[SiteLimitRow]:
        """Return the newest limit of each site, by name."""
        columns = [SITE_LIMITS.c[name] for name in SiteLimitRow.__struct_fields__[1:]]
        query = select(SITES.c.name.label("site"), *columns).join_from(SITE_LIMITS, SITES)
        with self.reading() as connection:
            rows = connection.execute(query.where(SITE_LIMITS.c.server == THIS_SERVER)).mappings().all()
        found = [SiteLimitRow(**dict(row) | {"seconds": json.loads(row["seconds"])}) for row in rows]
        return sorted(found, key=lambda row: row.site)  # here, for each database has an order of its own

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

    def site_names(self) -> list[str]:
        """Return the sites where a PC was ever seen, or to which anything was sent."""
        with self.reading() as connection:
            return sorted(name for name in connection.scalars(select(SITES.c.name)) if name)

    def wan_bytes(self) -> dict[tuple[str, str], int]:
        """Return payload bytes sent by the origin, by (site, torrent hash)."""
        query = select(SITES.c.name, WAN_BYTES.c.torrent_hash, WAN_BYTES.c.bytes).join_from(WAN_BYTES, SITES)
        with self.reading() as connection:
            return {(site, torrent): count for site, torrent, count in connection.execute(query)}
