"""Hold the records of rollouts to the audit log: each entry changes the state that the one before has left. Blocking.

Whoever writes to the database behind the log changes no entry: but the next one says what state it found.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.wire.codec import DecodeError
from seed_server.store.audit_entry import AuditEntry, decode_entry

if TYPE_CHECKING:
    from seed_server.store.database import Database

READ_AT_ONCE = 8_192  # entries: some megabytes


@dataclass(frozen=True)
class _Left:
    entry: int
    state: bytes


def rollout_problems(database: "Database") -> list[str]:
    """Return which rollouts are not what their entries have left, in words, in one state of the database.

    What was changed before a rollout's first step has no entry to be held to. Raises `UserError`.
    """
    problems: dict[int, str] = {}
    left: dict[int, _Left] = {}
    with database.one_state():
        for start in range(0, database.audit_size(), READ_AT_ONCE):
            for number, data in database.audit_entries(start, start + READ_AT_ONCE):
                try:
                    entry = decode_entry(data)
                except DecodeError:  # the log's own check says so
                    continue
                rollout = _changed(entry)
                if rollout is None:
                    continue
                before = left.get(rollout)
                if before is not None and before.state != entry.before:
                    problems.setdefault(rollout, _words(rollout, before.entry, f"entry {number} has found"))
                left[rollout] = _Left(number, entry.after)
        for row in database.rollouts():
            before = left.get(row.number)
            if before is not None and before.state != hashlib.sha256(row.progress).digest():
                problems.setdefault(row.number, _words(row.number, before.entry, "the database has"))
    return [problem for _, problem in sorted(problems.items())]


def _changed(entry: AuditEntry) -> int | None:
    """Return the rollout whose progress an entry has changed; None: none."""
    if not entry.before or not entry.after:
        return None
    of_rollouts = entry.operation.endswith(" rollout") or entry.operation.startswith("rollout: ")
    number = entry.subject if of_rollouts else entry.details.get("rollout", "")
    return int(number) if number.isascii() and number.isdigit() else None


def _words(rollout: int, entry: int, found: str) -> str:
    return (
        f"rollout {rollout}: what {found} is not what entry {entry} has left: its record was changed behind the log. "
        "Abort the rollout, and look at who can write to the database."
    )
