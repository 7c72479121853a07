"""The database's record of payloads that nobody needs, and of PCs that fetch one all the same. Blocking."""

from collections.abc import Collection, Iterable

from sqlalchemy import and_, not_, or_, select

from p2pdist.shared.identifiers import PatchRef
from seed_server.store.engines import insert_into
from seed_server.store.tables import ENDPOINTS, PATCH_CODES, PATCHES, REPORTED_SINCE, SAID_PLACES, STANDING
from seed_server.store.tables_content import IDLE_CONTENT
from seed_server.store.transactions import Transactions

MAX_REFS_AT_ONCE = 200  # of two values each: SQLite's expressions have a depth of 1,000 at most
FETCHING_CODES = tuple(PATCH_CODES.index(state) for state in ("checking", "fetching", "verifying"))


class IdleContentTable(Transactions):
    """The part of `Database` that is about content which nobody needs; raises as all of it."""

    def idle_content(self) -> dict[str, float]:
        """Return since when each payload (SHA-256) is known to be needed by nobody."""
        with self.reading() as connection:
            return dict(connection.execute(select(IDLE_CONTENT.c.sha256, IDLE_CONTENT.c.since)).all())

    def note_idle_content(self, sha256s: Collection[str], now: float) -> dict[str, float]:
        """Let exactly these be needed by nobody, those that are new from ``now`` on; return as `idle_content`.

        What is known since later than ``now``, by a clock that was ahead, is new too.
        """
        known = {sha256: since for sha256, since in self.idle_content().items() if since <= now}
        wanted = {sha256: known.get(sha256, now) for sha256 in sha256s}
        if wanted == self.idle_content():
            return wanted
        with self._writing() as connection:
            connection.execute(IDLE_CONTENT.delete())
            if wanted:
                rows = [{"sha256": sha256, "since": since} for sha256, since in sorted(wanted.items())]
                connection.execute(insert_into(connection, IDLE_CONTENT), rows)
        return wanted

    def forget_idle_content(self, sha256: str) -> None:
        """Let a payload that has come again be as one that nobody has looked at."""
        with self._writing() as connection:
            connection.execute(IDLE_CONTENT.delete().where(IDLE_CONTENT.c.sha256 == sha256))

    def fetched_since(self, refs: Iterable[PatchRef], since: float) -> set[PatchRef]:
        """Return which of these patches a PC that is not denied has said it fetches, at ``since`` or later."""
        named, found = sorted(set(refs)), set()
        said = or_(*(STANDING.c.said.between(one * SAID_PLACES, (one + 1) * SAID_PLACES - 1) for one in FETCHING_CODES))
        lately = STANDING.c.reported_at >= max(0, int(since) - REPORTED_SINCE)
        query = select(PATCHES.c.patch_id, PATCHES.c.version).distinct().join_from(PATCHES, STANDING).join(ENDPOINTS)
        query = query.where(said, lately, not_(ENDPOINTS.c.denied))
        for start in range(0, len(named), MAX_REFS_AT_ONCE):
            some = named[start : start + MAX_REFS_AT_ONCE]
            ours = or_(*(and_(PATCHES.c.patch_id == one.patch_id, PATCHES.c.version == one.version) for one in some))
            with self.reading() as connection:
                found |= {PatchRef(*row) for row in connection.execute(query.where(ours))}
        return found
