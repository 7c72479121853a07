"""The database's audit log: entries in one order, the hashes above them, and the newest checkpoint. Blocking.

One process writes at a time, so the order is that of the transactions, and no number is ever missing.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, func, select

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.merkle_log import (
    HashOf,
    Node,
    completed,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    log_root,
)
from seed_server.store.tables_audit import AUDIT_CHECKPOINTS, AUDIT_ENTRIES, AUDIT_NODES, AUDIT_PENDING
from seed_server.store.transactions import Transactions


class AuditTable(Transactions):
    """The part of `Database` that is about the audit log; raises as all of it, and STORAGE for a log with holes."""

    def append_audit(self, encoded: Callable[[int], bytes]) -> int:
        """Append the entry that ``encoded`` returns for its number; return that.

        Within a `batch` it is part of its transaction.
        """
        with self._writing() as connection:
            number = _size(connection)
            entry = encoded(number)
            nodes = [
                {"level": node.level, "place": node.place, "hash": found}
                for node, found in completed(number, leaf_hash(entry), _hash_of(connection))
            ]
            connection.execute(AUDIT_ENTRIES.insert(), {"number": number, "entry": entry})
            if nodes:
                connection.execute(AUDIT_NODES.insert(), nodes)
            return number

    def audit_size(self) -> int:
        """Return how many entries there are."""
        with self.reading() as connection:
            return _size(connection)

    def audit_count(self) -> int:
        """Return how many rows of entries there are, whatever their numbers."""
        with self.reading() as connection:
            return connection.scalar(select(func.count()).select_from(AUDIT_ENTRIES)) or 0

    def audit_state(self) -> tuple[int, bytes]:
        """Return how many entries there are, and the root over them, by the kept hashes."""
        with self.reading() as connection:
            size = _size(connection)
            return size, log_root(size, _hash_of(connection))

    def audit_entry(self, number: int) -> bytes | None:
        """Return an entry's bytes; None: there is none with this number."""
        with self.reading() as connection:
            return connection.scalar(select(AUDIT_ENTRIES.c.entry).where(AUDIT_ENTRIES.c.number == number))

    def audit_entries(self, first: int, end: int) -> list[tuple[int, bytes]]:
        """Return the entries from ``first`` to before ``end``, with their numbers."""
        numbered = AUDIT_ENTRIES.c.number
        query = select(numbered, AUDIT_ENTRIES.c.entry).where(numbered >= first, numbered < end).order_by(numbered)
        with self.reading() as connection:
            return [(number, entry) for number, entry in connection.execute(query)]

    def audit_nodes(self, level: int, first: int, end: int) -> list[tuple[int, bytes]]:
        """Return the kept hashes of a level, with their places from ``first`` to before ``end``."""
        place = AUDIT_NODES.c.place
        query = select(place, AUDIT_NODES.c.hash).where(AUDIT_NODES.c.level == level, place >= first, place < end)
        with self.reading() as connection:
            return [(at, found) for at, found in connection.execute(query.order_by(place))]

    def audit_node_counts(self) -> dict[int, int]:
        """Return how many hashes are kept of each level."""
        query = select(AUDIT_NODES.c.level, func.count()).group_by(AUDIT_NODES.c.level)
        with self.reading() as connection:
            return dict(connection.execute(query).all())

    def audit_inclusion(self, number: int, size: int) -> list[bytes]:
        """Return the proof that an entry is among the first ``size``. Raises `ValueError` where it is not."""
        with self.reading() as connection:
            _check_size(connection, size)
            return inclusion_proof(number, size, _hash_of(connection))

    def audit_consistency(self, first: int, size: int) -> list[bytes]:
        """Return the proof that the log of ``size`` entries begins with that of ``first``; `ValueError` as above."""
        with self.reading() as connection:
            _check_size(connection, size)
            return consistency_proof(first, size, _hash_of(connection))

    # --- checkpoints ---------------------------------------------------------------------

    def audit_checkpoint(self) -> bytes:
        """Return the newest checkpoint, a signed note; empty: there is none."""
        query = select(AUDIT_CHECKPOINTS.c.note).order_by(AUDIT_CHECKPOINTS.c.size.desc()).limit(1)
        with self.reading() as connection:
            return connection.scalar(query) or b""

    def audit_checkpoints(self) -> list[tuple[int, bytes]]:
        """Return what is kept of checkpoints, with the size under which each is kept."""
        with self.reading() as connection:
            return [(size, note) for size, note in connection.execute(select(AUDIT_CHECKPOINTS))]

    def save_audit_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a checkpoint in place of the one before."""
        with self._writing() as connection:
            connection.execute(AUDIT_CHECKPOINTS.delete())
            connection.execute(AUDIT_CHECKPOINTS.insert(), {"size": size, "note": note})

    # --- what is carried out after its entry ---------------------------------------------

    def add_pending(self, number: int) -> None:
        """Note that what an entry says is carried out after it."""
        with self._writing() as connection:
            connection.execute(AUDIT_PENDING.insert(), {"number": number})

    def pending(self) -> Sequence[int]:
        """Return the entries of which it is not known yet that they were carried out."""
        with self.reading() as connection:
            return connection.scalars(select(AUDIT_PENDING.c.number).order_by(AUDIT_PENDING.c.number)).all()

    def remove_pending(self, number: int) -> None:
        """Note that it is known of an entry."""
        with self._writing() as connection:
            connection.execute(AUDIT_PENDING.delete().where(AUDIT_PENDING.c.number == number))


def _size(connection: Connection) -> int:
    newest = connection.scalar(select(func.max(AUDIT_ENTRIES.c.number)))
    return 0 if newest is None else newest + 1


def _check_size(connection: Connection, size: int) -> None:
    if size > _size(connection):
        raise ValueError(f"the log does not have {size} entries")


def _hash_of(connection: Connection) -> HashOf:
    def found(node: Node) -> bytes:
        if node.level == 0:
            entry = connection.scalar(select(AUDIT_ENTRIES.c.entry).where(AUDIT_ENTRIES.c.number == node.place))
            known = None if entry is None else leaf_hash(entry)
        else:
            ours = (AUDIT_NODES.c.level == node.level) & (AUDIT_NODES.c.place == node.place)
            known = connection.scalar(select(AUDIT_NODES.c.hash).where(ours))
        if known is None:
            raise UserError(
                "The audit log has a hole: it was damaged or tampered with. Look at it with 'seed-server audit "
                "verify', and restore the database from a backup.",
                FaultKind.STORAGE,
            )
        return known

    return found
