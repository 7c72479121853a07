"""Computes the whole audit log anew, and compares it with what is kept of it and with what vouches for it. Blocking."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from p2pdist.shared.audit_checkpoint import Checkpoint, read_checkpoint
from p2pdist.shared.merkle_log import EMPTY_ROOT, Node, leaf_hash, log_root, node_hash
from p2pdist.shared.wire.codec import DecodeError
from seed_server.store.database import Database

CHUNK_LEVEL = 13  # 8,192 entries at a time: some megabytes
MOST_SAID = 20  # of a log that was rewritten, nearly all is wrong


@dataclass(frozen=True)
class Anchor:
    """A checkpoint that vouches for the log."""

    place: str
    """Where it lies, for people."""
    note: bytes


@dataclass(frozen=True)
class AuditVerdict:
    """The outcome of a check."""

    size: int
    root: bytes
    problems: tuple[str, ...]
    """What is wrong, in words; empty: the log is what its checkpoints vouch for."""


def check_log(
    database: Database,
    anchors: Sequence[Anchor],
    origin: str,
    key: bytes,
    *,
    earlier: Collection[bytes] = (),
    chunk_level: int = CHUNK_LEVEL,
) -> AuditVerdict:
    """Compute the log anew, in one state of the database. Raises `UserError` where it cannot be read.

    ``anchors`` lie outside the database. ``origin`` and ``key`` are those of this server; keys from before may have
    signed what lies outside. Two to the ``chunk_level`` entries are read at a time.
    """
    with database.one_state():
        check = _Check(database, chunk_level)
        kept = database.audit_checkpoints()
        found = [_anchored(anchor, origin, {key, *earlier}) for anchor in anchors]
        found += [_anchored(Anchor("the database", note), origin, {key}, size) for size, note in kept]
        vouched = [(place, one) for place, one in found if isinstance(one, Checkpoint)]
        check.problems += [f"{place}: {one}" for place, one in found if isinstance(one, str)]
        check.run({one.size for _, one in vouched})
        for place, one in vouched:
            if one.size > check.size:
                check.says(f"{place}: the log has {check.size} entries, and had {one.size} when this was signed.")
            elif check.roots.get(one.size) != one.root:
                check.says(f"{place}: of the first {one.size} entries, some are not those that were signed.")
        if len(kept) != (check.size > 0) or any(size != check.size for size, _ in kept):
            check.says("the database: its checkpoint is not that of the newest entry.")
    return AuditVerdict(check.size, check.roots[check.size], tuple(check.problems))


def _anchored(
    anchor: Anchor, origin: str, keys: Collection[bytes], size: int | None = None
) -> tuple[str, Checkpoint | str]:
    try:
        checkpoint = read_checkpoint(anchor.note)
    except DecodeError as error:
        return anchor.place, f"{error}."
    if checkpoint.origin != origin:
        return anchor.place, "the checkpoint is of the log of another server."
    if checkpoint.key not in keys:
        return anchor.place, "the checkpoint is signed with another key than this server's audit key."
    if size is not None and checkpoint.size != size:
        return anchor.place, f"the checkpoint that is kept for {size} entries is one of {checkpoint.size}."
    return anchor.place, checkpoint


class _Check:
    def __init__(self, database: Database, chunk_level: int) -> None:
        self._database = database
        self._chunk_level, self._chunk_entries = chunk_level, 1 << chunk_level
        self.size = database.audit_size()
        self.problems: list[str] = []
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        """Of the sizes that were asked for, and of the whole."""
        self._nodes: dict[Node, bytes] = {}
        """Of the chunk that was read last, and above all chunks before."""

    def says(self, problem: str) -> None:
        if len(self.problems) < MOST_SAID:
            self.problems.append(problem)

    def run(self, sizes: set[int]) -> None:
        entries = self._database.audit_count()
        if entries != self.size:
            self.says(f"the log has {entries} entries, and their numbers go up to {self.size - 1}.")
            self.size = entries  # a number that is far too high makes no work
        wanted = sorted({size for size in sizes if 0 < size <= self.size} | {self.size} - {0})
        tops: dict[Node, bytes] = {}
        for start in range(0, self.size, self._chunk_entries):
            levels = self._chunk(start)
            self._nodes = {
                Node(level, (start >> level) + at): found
                for level, hashes in enumerate(levels)
                for at, found in enumerate(hashes)
            } if any(start < size <= start + self._chunk_entries for size in wanted) else {}  # fmt: skip
            if len(levels) > self._chunk_level and levels[self._chunk_level]:
                self._grow(tops, start >> self._chunk_level, levels[self._chunk_level][0])
            self._nodes |= tops
            for size in wanted:
                if start < size <= start + self._chunk_entries:
                    self.roots[size] = log_root(size, self._nodes.__getitem__)
        self._compare_tops(tops)
        self._compare_counts()

    def _chunk(self, start: int) -> list[list[bytes]]:
        """Return the hashes of the complete subtrees of a chunk by level, compared with those that are kept."""
        end = min(start + self._chunk_entries, self.size)
        rows = self._database.audit_entries(start, end)
        entries = dict(rows)
        if len(rows) != end - start:
            first = next(number for number in range(start, end) if number not in entries)
            self.says(f"entry {first} is missing.")
        level = [leaf_hash(entries.get(number, b"")) for number in range(start, end)]
        levels = [level]
        while len(level) > 1:
            level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
            self._compare(len(levels), start >> len(levels), level)
            levels.append(level)
        return levels

    def _grow(self, tops: dict[Node, bytes], place: int, found: bytes) -> None:
        level = self._chunk_level
        tops[Node(level, place)] = found
        while place & 1:
            found = node_hash(tops[Node(level, place - 1)], found)
            level, place = level + 1, place >> 1
            tops[Node(level, place)] = found

    def _compare_tops(self, tops: dict[Node, bytes]) -> None:
        for level in sorted({node.level for node in tops if node.level > self._chunk_level}):
            hashes = [tops[node] for node in sorted(tops) if node.level == level]
            self._compare(level, 0, hashes)

    def _compare(self, level: int, first: int, hashes: list[bytes]) -> None:
        kept = self._database.audit_nodes(level, first, first + len(hashes))
        if kept == list(enumerate(hashes, first)):
            return
        places = dict(kept)
        at = next(place for place, found in enumerate(hashes, first) if places.get(place) != found)
        numbers = f"{at << level} to {((at + 1) << level) - 1}"
        self.says(f"entries {numbers} do not have the hash that is kept of them: one was changed, or the hash was.")

    def _compare_counts(self) -> None:
        counts = self._database.audit_node_counts()
        expected = {level: self.size >> level for level in range(1, self.size.bit_length())}
        if counts != expected:
            self.says("hashes are kept of entries that there are not, or lack.")
