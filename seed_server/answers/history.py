"""What `report history` and `archive` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds


class HistoryRowDocument(Struct, frozen=True):
    """One step of a PC with a patch; with `--json-lines`, a line."""

    at: UnixSeconds
    """When the PC said so, by the server's clock. Since 0.3."""
    endpoint_id: str
    """The PC; empty: nobody knows any more who it was. Since 0.3."""
    hostname: str
    """What it called itself, also where it is forgotten since. Since 0.3."""
    site: str | None
    """The site where it was then; null: not known. Since 0.3."""
    patch_id: str
    """The patch. Since 0.3."""
    version: str
    """Its version. Since 0.3."""
    state: str
    """State of the file from then on, as in `patches[].endpoints[]` of `status`. Since 0.3."""
    install: str | None
    """State of the installation from then on; null: nothing was installed from this patch. Since 0.3."""
    because: str | None
    """Why it failed, was rolled back or did not apply, in the PC's words; null: nothing is kept of that. Since 0.3."""


class HistoryPageDocument(Struct, frozen=True):
    """Some of what was asked for."""

    rows: tuple[HistoryRowDocument, ...]
    """By month, then by PC in the order of enrolment, then by time. Since 0.3."""
    next: str | None
    """For `--after`: where the next page begins; null: these are the last. Since 0.3."""
    unread: tuple[str, ...]
    """Archives of that time that could not be read, and why; the command ends with 1. Since 0.3."""
    removed: tuple[str, ...]
    """Months of that time whose archives were removed after their time, such as 2026-01. Since 0.3."""


class ArchiveDocument(Struct, frozen=True):
    """The file of a month."""

    month: str
    """Such as 2026-11; 2026-11.1 is what came after that was archived, by a clock that was set back. Since 0.3."""
    file: str
    """Its name in the home's `archive`. Since 0.3."""
    state: Literal["present", "intact", "changed", "missing", "unknown", "removed"]
    """Present: it is there, and only `archive verify` looks into it. Intact: as the audit log says. Changed: it is not.
    Missing: it is not there. Unknown: the audit log says nothing of it. Removed: after its time. Since 0.3."""
    events: Count
    """How many steps of PCs are in it. Since 0.3."""
    bytes: Bytes
    """How large it is. Since 0.3."""
    sha256: str
    """Its hash as the audit log has it, hexadecimal; of an unknown one, its own, or empty. Since 0.3."""
    archived_at: UnixSeconds | None
    """When it was written; null: not known. Since 0.3."""
    entry: int | None
    """The entry of the audit log that has its hash; null: there is none. Since 0.3."""


class LegalHoldDocument(Struct, frozen=True):
    """A legal hold: while one holds, nothing that happened goes after its time."""

    number: int
    """Its number, for `archive release`. Since 0.3."""
    reason: str
    """Why. Since 0.3."""
    begun_by: str
    """Who has made it. Since 0.3."""
    begun_at: UnixSeconds
    """When. Since 0.3."""
    released_by: str | None
    """Who has released it; null: it holds. Since 0.3."""
    released_at: UnixSeconds | None
    """When; null: it holds. Since 0.3."""


class ArchivesDocument(Struct, frozen=True):
    """All archives, and what holds them."""

    archives: tuple[ArchiveDocument, ...]
    """The oldest month first, then files that nobody knows. Since 0.3."""
    holds: tuple[LegalHoldDocument, ...]
    """Legal holds, also those that were released. Since 0.3."""


class ArchiveVerifyDocument(Struct, frozen=True):
    """Whether every archive is what the audit log vouches for."""

    whole: bool
    """Whether each one is intact, or was removed after its time. Since 0.3."""
    archives: tuple[ArchiveDocument, ...]
    """As of `archive list`. Since 0.3."""
