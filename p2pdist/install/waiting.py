"""What waits though nothing has failed: for an installer at work, for a restart, for detection's answer. Pure."""

from msgspec.structs import replace

from p2pdist.install.lifecycle import (
    LONGEST_RETRY_SECONDS,
    UNDER_WAY,
    InstallRecord,
    LifeEvent,
    PutOff,
    step,
)
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS

# the first and the longest wait, in seconds
BUSY_WAITS = (60.0, 900.0)  # while something else is at work: many a window is only an hour long
ASK_WAITS = (60.0, 3_600.0)  # for an answer of detection
HELD_WAITS = (3_600.0, 3_600.0)  # for this PC's administrator
AFTER_RESTART_SECONDS = 600.0  # after a restart, services are still starting: not finding a patch then says nothing

MAX_REPAIRS = 3  # of one installation that is interrupted again and again: its own scripts may restart the daemon
MAX_UNDOINGS = 3  # likewise


def put_off(
    record: InstallRecord,
    now: float,
    jitter: float,
    reason: str,
    waits_seconds: tuple[float, float],
    *,
    decision: int | None = None,
) -> InstallRecord:
    """Return the record with the time at which it is tried or asked for again; nothing counts as an attempt.

    ``waits_seconds``: the first and the longest wait. ``decision``: the one that came to nothing.
    """
    before = record.put_off or PutOff(count=0, since=now)
    after = PutOff(count=before.count + 1, since=before.since, decision=decision)
    first_seconds, longest_seconds = waits_seconds
    wait_seconds = Backoff(first_seconds, longest_seconds, after.count).delay_seconds(jitter)
    return replace(record, put_off=after, reason=reason[:MAX_TEXT_CHARS], retry_at=now + wait_seconds)


def waits(record: InstallRecord, now: float) -> bool:
    """Return whether ``record`` waits to be tried again; not beyond the longest wait, should the clock be set back."""
    return record.retry_at is not None and now < record.retry_at <= now + LONGEST_RETRY_SECONDS


def asked_again(record: InstallRecord, now: float) -> InstallRecord:
    """Return the record of a patch that detection is asked for once more; another one than unproven as it is."""
    return step(record, LifeEvent.ASKED_AGAIN, now) if record.state == "unproven" else record


def repairable(record: InstallRecord) -> bool:
    """Return whether an interrupted installation may be repaired once more."""
    return record.interrupted <= MAX_REPAIRS


def undoable(record: InstallRecord) -> bool:
    """Return whether an interrupted way back may be tried once more."""
    return record.interrupted <= MAX_REPAIRS + MAX_UNDOINGS


def restarted(record: InstallRecord, boot: str, now: float) -> InstallRecord:
    """Return the record of a patch that needed a restart, or was interrupted by one, once the PC has another boot id.

    What could not be proven before is asked for again.
    """
    after = record if record.restart_boot in (None, boot) else replace(record, restart_boot=None, restart_rules=None)
    if record.state in UNDER_WAY or record.state == "unproven":
        if record.restarted_at is None and record.begun_boot not in ("", boot):
            after = replace(after, restarted_at=now)
        if record.state == "unproven" and after != record:
            return step(after, LifeEvent.ASKED_AGAIN, now)
    return after


def restarted_lately(record: InstallRecord, now: float) -> bool:
    """Return whether what was installed before a restart may still be starting."""
    return record.restarted_at is not None and 0 <= now - record.restarted_at < AFTER_RESTART_SECONDS
