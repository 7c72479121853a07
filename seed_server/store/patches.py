"""The database's patches, with the payloads that are served of each. Blocking."""

import msgspec
from sqlalchemy import select

from p2pdist.shared.identifiers import PatchRef
from seed_server.store.engines import insert_into
from seed_server.store.rows import ServedPayload
from seed_server.store.tables import PATCHES, PAYLOADS
from seed_server.store.transactions import Transactions

_OF_PATCH = ("patch_id", "version", "title", "severity", "cvss", "sequence", "published_at", "emergency")
_OF_PAYLOAD = tuple(name for name in ServedPayload.__struct_fields__ if name not in {*_OF_PATCH, "number"})


class PatchTable(Transactions):
    """The part of `Database` that is about patches; raises as all of it."""

    def add_patch(self, *payloads: ServedPayload) -> None:
        """Record a published patch with all its payloads; the same id and version again replaces it."""
        rows = [msgspec.structs.asdict(row) for row in payloads]
        with self._writing() as connection:
            insert = insert_into(connection, PATCHES).values({name: rows[0][name] for name in _OF_PATCH})
            newer = {name: insert.excluded[name] for name in _OF_PATCH}
            statement = insert.on_conflict_do_update(index_elements=["patch_id", "version"], set_=newer)
            patch = connection.scalar(statement.returning(PATCHES.c.number))
            connection.execute(PAYLOADS.delete().where(PAYLOADS.c.patch == patch))
            values = [
                {name: row[name] for name in _OF_PAYLOAD} | {"patch": patch, "place": row["number"]} for row in rows
            ]
            connection.execute(PAYLOADS.insert(), values)

    def payloads(self) -> list[ServedPayload]:
        """Return every payload of every patch, in the order of the patches' sequence."""
        columns = [PATCHES.c[name] for name in _OF_PATCH] + [PAYLOADS.c[name] for name in _OF_PAYLOAD]
        query = select(*columns, PAYLOADS.c.place.label("number")).join_from(PATCHES, PAYLOADS)
        order = (PATCHES.c.sequence, PATCHES.c.patch_id, PATCHES.c.version, PAYLOADS.c.place)
        with self.reading() as connection:
            return [ServedPayload(**row) for row in connection.execute(query.order_by(*order)).mappings()]

    def patches(self) -> list[ServedPayload]:
        """Return the first payload of every patch, in the order of their sequence."""
        return [row for row in self.payloads() if row.number == 0]

    def titles(self) -> dict[PatchRef, str]:
        """Return the title of every patch, as its publisher wrote it; may be empty."""
        query = select(PATCHES.c.patch_id, PATCHES.c.version, PATCHES.c.title)
        with self.reading() as connection:
            return {PatchRef(patch_id, version): title for patch_id, version, title in connection.execute(query)}

    def payload_lengths(self, patch: int) -> dict[str, int]:
        """Return the length of each payload of the patch with this number, by its torrent's hash."""
        query = select(PAYLOADS.c.torrent_hash, PAYLOADS.c.length_bytes).where(PAYLOADS.c.patch == patch)
        with self.reading() as connection:
            return dict(connection.execute(query).all())

    def remove_patch(self, patch_id: str, version: str) -> None:
        """Forget a patch that was never announced, and the reports on it; an unknown one is ignored."""
        ours = (PATCHES.c.patch_id == patch_id) & (PATCHES.c.version == version)
        with self._writing() as connection:
            connection.execute(PATCHES.delete().where(ours))  # what is said and counted of it goes with it

    def mark_damaged(self, torrent_hash: str, reason: str) -> None:
        """Record why a payload can no longer be served; an empty ``reason`` says that it can again."""
        with self._writing() as connection:
            ours = PAYLOADS.c.torrent_hash == torrent_hash
            connection.execute(PAYLOADS.update().where(ours).values(damaged=reason))
