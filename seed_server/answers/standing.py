"""What `status` prints of PCs one by one, with `--json` or `--json-lines`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, Seconds, UnixSeconds


class StandingDocument(Struct, frozen=True):
    """How one PC stands to one patch; with `--json-lines`, a line."""

    patch: str
    """The patch's id. Since 0.3."""
    version: str
    """Its version. Since 0.3."""
    id: str
    """The endpoint's id. Since 0.3."""
    hostname: str
    """The PC's host name. Since 0.3."""
    site: str | None
    """The site where it was seen last; null: it has never connected. Since 0.3."""
    connected: bool
    """Whether it is connected now. Since 0.3."""
    last_seen_at: UnixSeconds | None
    """When it was connected last; null: never. Since 0.3."""
    reached: Literal["installed", "delivered", "under_way", "failed", "away", "silent", "not_applicable"]
    """How far it is, named as the counts in `patches[].reached`. Since 0.3."""
    state: str | None
    """State of the file, as in `patches[].endpoints[]`; null: it has never said a word of the patch. Since 0.3."""
    progress: float
    """How much of the file is on its disk, from 0 to 1. Since 0.3."""
    bytes_from_origin: Bytes
    """Bytes that it has fetched from this server: what crossed the line. Since 0.3."""
    bytes_from_peers: Bytes
    """Bytes that it has got from its neighbours. Since 0.3."""
    bytes_wasted: Bytes
    """Bytes that it got twice, or damaged. Since 0.3."""
    bytes_built: Bytes
    """Bytes of pieces from this server that did not cross the line: built of what the PC had, and by compression.
    Since 0.3."""
    seconds: Seconds
    """Time from first seen to verified, or to now. Since 0.3."""
    error: str | None
    """What went wrong, for people; null: nothing. Since 0.3."""
    install: str | None
    """State of the installation; null: nothing is installed from this patch. Since 0.3."""
    install_reason: str | None
    """Why the installation is in this state, for people; null: no reason is needed. Since 0.3."""
    install_output: str | None
    """The end of what its installer wrote; null: it wrote nothing, or has not failed. Since 0.3."""
    reported_at: UnixSeconds | None
    """When it reported this; null: never. Since 0.3."""


class StandingPageDocument(Struct, frozen=True):
    """With `--endpoint`, `--site`, `--reason`, `--state`, `--lacking`, `--page-size` or `--after`: a page of PCs."""

    server: str
    """This server's name. Since 0.3."""
    serving: bool
    """Whether `seed-server serve` runs on this home. Since 0.3."""
    total: Count | None
    """Rows of all pages; null: not counted, as that would take to look at each PC for each patch. Since 0.3."""
    rows: tuple[StandingDocument, ...]
    """Those of this page: by patch, the newest first; of each patch those that failed first. Since 0.3."""
    next: str | None
    """What to give to `--after` for the next page; null: this is the last one. A page may
    have few rows, or none, and not be
    the last one. Since 0.3."""
