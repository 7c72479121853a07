"""What the audit log says of one rollout. Blocking; nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from seed_server.fleet.audit_queries import READ_AT_A_TIME, LoggedEntry, entries_between, log_size
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.store.audit_entry import AuditEntry

MOST_LOG_ENTRIES = 3_000  # entries of the whole log, the newest ones: a page of one rollout waits for no more
CLOCK_SECONDS = 600.0  # that the log's clock may have been ahead when it began


@dataclass(frozen=True)
class RolloutLog:
    """Entries about one rollout."""

    entries: Sequence[LoggedEntry]
    """The newest first."""
    whole: bool
    """Whether these are all, from its start on; else older ones are further back in the log."""


def read_rollout_log(context: Context, kept: KeptRollout, *, most: int = MOST_LOG_ENTRIES) -> RolloutLog:
    """Return what was done about a rollout, of the newest ``most`` entries of the log. Raises `UserError`."""
    found: list[LoggedEntry] = []
    size = end = log_size(context)
    while end > 0 and size - end < most:
        start = max(0, end - min(READ_AT_A_TIME, most - (size - end)))
        for one in reversed(entries_between(context, start, end)):
            if is_about(one.entry, kept.row.number):
                found.append(one)
                if one.entry.operation == "start rollout":
                    return RolloutLog(found, whole=True)
            elif one.entry.at < kept.row.created_at - CLOCK_SECONDS:
                return RolloutLog(found, whole=True)
        end = start
    return RolloutLog(found, whole=end <= 0)


def is_about(entry: AuditEntry, number: int) -> bool:
    """Whether an entry is about the rollout with this number."""
    of_rollouts = entry.operation.endswith(" rollout") or entry.operation.startswith("rollout")
    named = entry.subject if of_rollouts and entry.operation != "start rollout" else entry.details.get("rollout", "")
    return named == str(number)
