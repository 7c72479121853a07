"""What somebody does to an audit log who has its database, and perhaps more; each is to be found."""

import random
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, func, select

from p2pdist.shared.audit_checkpoint import signed_checkpoint
from p2pdist.shared.merkle_log import Node, completed, leaf_hash, log_root
from seed_server.store.audit_check import CHUNK_LEVEL, Anchor, AuditVerdict, check_log
from seed_server.store.database import Database
from seed_server.store.tables_audit import AUDIT_CHECKPOINTS, AUDIT_ENTRIES, AUDIT_NODES

ORIGIN = "p2pdist-audit/" + "ab" * 16
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)

Mutation = Callable[[Connection, random.Random], None]


def made_log(database: Database, size: int) -> bytes:
    """Append ``size`` entries, and sign the log; return the checkpoint."""
    with database.batch():
        for _ in range(size):
            database.append_audit(lambda number: b"entry %d" % number + b"x" * (number % 50))
        return signed_now(database)


def signed_now(database: Database) -> bytes:
    """Sign the log as it is; return the checkpoint."""
    with database.batch():
        size, root = database.audit_state()
        note = signed_checkpoint(ORIGIN, size, root, KEY)
        database.save_audit_checkpoint(size, note)
    return note


class _TakenBackError(Exception):
    pass


def verdict_after(
    database: Database,
    mutation: Mutation,
    rng: random.Random,
    anchors: list[Anchor],
    *,
    chunk_level: int = CHUNK_LEVEL,
) -> AuditVerdict:
    """Return what is found after a mutation, which is taken back."""
    verdict = None
    try:
        with database._writing() as connection:
            mutation(connection, rng)
            verdict = check_log(database, anchors, ORIGIN, PUBLIC, chunk_level=chunk_level)
            raise _TakenBackError
    except _TakenBackError:
        assert verdict is not None
        return verdict


def _entries(connection: Connection) -> list[bytes]:
    return list(connection.scalars(select(AUDIT_ENTRIES.c.entry).order_by(AUDIT_ENTRIES.c.number)))


def _size(connection: Connection) -> int:
    return int(connection.scalar(select(func.count()).select_from(AUDIT_ENTRIES)) or 0)


def rewritten(connection: Connection, entries: list[bytes], key: Ed25519PrivateKey | None) -> None:
    """Put another log in the place of this one, with all its hashes, and a checkpoint where there is a ``key``."""
    for table in (AUDIT_ENTRIES, AUDIT_NODES):
        connection.execute(table.delete())
    nodes: dict[Node, bytes] = {}
    for number, entry in enumerate(entries):
        nodes[Node(0, number)] = leaf_hash(entry)
        nodes.update(completed(number, leaf_hash(entry), nodes.__getitem__))
    connection.execute(AUDIT_ENTRIES.insert(), [{"number": n, "entry": entry} for n, entry in enumerate(entries)])
    kept = [{"level": one.level, "place": one.place, "hash": found} for one, found in nodes.items() if one.level]
    if kept:
        connection.execute(AUDIT_NODES.insert(), kept)
    if key is not None:
        connection.execute(AUDIT_CHECKPOINTS.delete())
        root = log_root(len(entries), nodes.__getitem__)
        note = signed_checkpoint(ORIGIN, len(entries), root, key)
        connection.execute(AUDIT_CHECKPOINTS.insert(), {"size": len(entries), "note": note})


def _flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def edit_entry(connection: Connection, rng: random.Random) -> None:
    number = rng.randrange(_size(connection))
    entry = connection.scalar(select(AUDIT_ENTRIES.c.entry).where(AUDIT_ENTRIES.c.number == number)) or b""
    changed = rng.choice([_flipped(entry, rng), entry[:-1], entry + b"\0", b""])
    connection.execute(AUDIT_ENTRIES.update().where(AUDIT_ENTRIES.c.number == number).values(entry=changed))


def drop_entry(connection: Connection, rng: random.Random) -> None:
    connection.execute(AUDIT_ENTRIES.delete().where(AUDIT_ENTRIES.c.number == rng.randrange(_size(connection))))


def swap_entries(connection: Connection, rng: random.Random) -> None:
    first, second = rng.sample(range(_size(connection)), 2)
    for before, after in ((first, -1), (second, first), (-1, second)):
        connection.execute(AUDIT_ENTRIES.update().where(AUDIT_ENTRIES.c.number == before).values(number=after))


def renumber_entry(connection: Connection, rng: random.Random) -> None:
    size = _size(connection)
    far = rng.choice([-1, -size, size, size + 1, 1 << 40])
    ours = AUDIT_ENTRIES.c.number == rng.randrange(size - 1)
    connection.execute(AUDIT_ENTRIES.update().where(ours).values(number=far))


def add_entry(connection: Connection, rng: random.Random) -> None:
    connection.execute(AUDIT_ENTRIES.insert(), {"number": rng.choice([-1, _size(connection)]), "entry": b"added"})


def truncate(connection: Connection, rng: random.Random) -> None:
    """Cut off the end, of the entries alone or of all that belongs to them."""
    entries = _entries(connection)
    size = rng.randrange(1, len(entries))
    if rng.random() < 0.5:
        connection.execute(AUDIT_ENTRIES.delete().where(AUDIT_ENTRIES.c.number >= size))
    else:
        rewritten(connection, entries[:size], None)


def fork(connection: Connection, rng: random.Random) -> None:
    """Go on otherwise from some entry on, with all hashes right; without the key, with another one."""
    entries = _entries(connection)
    start = rng.randrange(len(entries))
    other = [*entries[:start], *(b"forked" + entry for entry in entries[start:])]
    rewritten(connection, other[: rng.randint(start + 1, len(other))], rng.choice([None, OTHER_KEY]))


def fork_with_the_key(connection: Connection, rng: random.Random) -> None:
    """Do it with the server's own key: only what lies elsewhere tells."""
    entries = _entries(connection)
    start = rng.randrange(len(entries))
    rewritten(connection, [*entries[:start], *(b"forked" + entry for entry in entries[start:]), b"more"], KEY)


def truncate_with_the_key(connection: Connection, rng: random.Random) -> None:
    entries = _entries(connection)
    rewritten(connection, entries[: rng.randrange(1, len(entries))], KEY)


def _node(connection: Connection, rng: random.Random) -> tuple[int, int, bytes]:
    rows = connection.execute(select(AUDIT_NODES.c.level, AUDIT_NODES.c.place, AUDIT_NODES.c.hash)).all()
    level, place, found = rng.choice(rows)
    return level, place, found


def edit_node(connection: Connection, rng: random.Random) -> None:
    level, place, found = _node(connection, rng)
    ours = (AUDIT_NODES.c.level == level) & (AUDIT_NODES.c.place == place)
    connection.execute(AUDIT_NODES.update().where(ours).values(hash=_flipped(found, rng)))


def move_node(connection: Connection, rng: random.Random) -> None:
    level, place, _ = _node(connection, rng)
    ours = (AUDIT_NODES.c.level == level) & (AUDIT_NODES.c.place == place)
    connection.execute(AUDIT_NODES.update().where(ours).values(place=place + (1 << 20)))


def drop_node(connection: Connection, rng: random.Random) -> None:
    level, place, _ = _node(connection, rng)
    connection.execute(AUDIT_NODES.delete().where((AUDIT_NODES.c.level == level) & (AUDIT_NODES.c.place == place)))


def add_node(connection: Connection, rng: random.Random) -> None:
    level, place, found = _node(connection, rng)
    level, place = rng.choice([(level, place + (1 << 20)), (0, place), (level + 12, place)])
    connection.execute(AUDIT_NODES.insert(), {"level": level, "place": place, "hash": found})


def edit_checkpoint(connection: Connection, rng: random.Random) -> None:
    note = connection.scalar(select(AUDIT_CHECKPOINTS.c.note)) or b""
    connection.execute(AUDIT_CHECKPOINTS.update().values(note=_flipped(note, rng)))


def move_checkpoint(connection: Connection, rng: random.Random) -> None:
    connection.execute(AUDIT_CHECKPOINTS.update().values(size=rng.randrange(_size(connection))))


def drop_checkpoint(connection: Connection, _rng: random.Random) -> None:
    connection.execute(AUDIT_CHECKPOINTS.delete())


MUTATIONS: tuple[Mutation, ...] = (
    edit_entry, drop_entry, swap_entries, renumber_entry, add_entry, truncate, fork, fork_with_the_key,
    truncate_with_the_key, edit_node, move_node, drop_node, add_node, edit_checkpoint, move_checkpoint,
    drop_checkpoint,
)  # fmt: skip
