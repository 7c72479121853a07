"""Names of a proven file that this daemon itself gives or takes: they change its ``ctime``, and none of its bytes.

Whoever does so says which ``ctime`` there was before and after, so that a proof that held before holds still. What
anybody else changes is noticed as before: then the ``ctime`` before is not the one of the proof. (Whoever writes to
the file between the two looks changes its ``mtime`` too, and setting that back takes another change.) Blocking.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from p2pdist.shared import durable_files
from p2pdist.shared.open_flags import READ_NO_LINK
from p2pdist.transfer.states import TransferRecord


@dataclass(frozen=True)
class NameChange:
    """A file got another name, or lost one."""

    inode: int
    before_ns: int
    """Its ``ctime`` right before, in nanoseconds."""
    after_ns: int


def give_name(source: Path, path: Path, *, lasting: bool = True) -> NameChange:
    """Make ``path`` a hard link to ``source``, as `durable_files.link_file` does. Raises `OSError`."""
    descriptor = os.open(source, READ_NO_LINK)
    try:
        before = os.fstat(descriptor)
        durable_files.link_file(source, path, descriptor, lasting=lasting)
        return _changed(before, descriptor)
    finally:
        os.close(descriptor)


def take_name(path: Path) -> NameChange | None:
    """Remove ``path``, if it is there; None: nothing is left whose ``ctime`` could count. Raises `OSError`."""
    if os.name == "nt":  # where an open file cannot be removed, and names do not change the times of a file
        path.unlink(missing_ok=True)
        return None
    try:
        descriptor = os.open(path, READ_NO_LINK)
    except OSError:  # no file of ours, or none at all
        path.unlink(missing_ok=True)
        return None
    try:
        before = os.fstat(descriptor)
        path.unlink(missing_ok=True)
        return _changed(before, descriptor)
    finally:
        os.close(descriptor)


def with_proof_after(record: TransferRecord, *changes: NameChange) -> TransferRecord:
    """Return ``record`` with the proof that holds after ``changes``; itself if they are not of its proven file."""
    for change in changes:
        if (record.verified_inode, record.verified_ctime_ns) == (change.inode, change.before_ns):
            record = replace(record, verified_ctime_ns=change.after_ns)
    return record


def _changed(before: os.stat_result, descriptor: int) -> NameChange:
    return NameChange(before.st_ino, before.st_ctime_ns, os.fstat(descriptor).st_ctime_ns)
