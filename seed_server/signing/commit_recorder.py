"""What is told of each change of the repository, before its files are written and after. Pure."""

from typing import Protocol


class CommitRecorder(Protocol):
    """Keeps a record of commits; both methods are called under the repository's lock.

    What is in force is named by the SHA-256 of ``timestamp.json``, to which everything else leads.
    """

    def begins(self, in_force: bytes, next_one: bytes) -> None:
        """Record what is about to be written. Raises `UserError`; then nothing is."""
        ...

    def ends(self, in_force: bytes) -> None:
        """Record what is in force now: the next one, or that of before, where writing has failed."""
        ...
