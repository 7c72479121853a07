"""What `disk` prints with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds


class UsedRoomDocument(Struct, frozen=True):
    """What one kind of files in the home takes."""

    kind: Literal[
        "content", "coded", "signed", "database", "archive", "prepared", "presented", "keys", "leftovers", "other"
    ]
    """Files of patches; pieces of them, coded by former versions or compressed, which the server makes again where they
    are missing; `tuf/`; the database, unless that is PostgreSQL; months of history; bundles that wait for signatures;
    signed files that PCs have handed in; keys; temporary files, of which one may be in use; all else. Since 0.3."""
    files: Count
    """How many. Since 0.3."""
    bytes: Bytes
    """What they take together. Since 0.3."""


class ContentUseDocument(Struct, frozen=True):
    """What a file is to one publication."""

    patch: str
    """ID@VERSION of it. Since 0.3."""
    use: Literal["offered", "rollout", "returns", "fetched", "prepared", "superseded", "withdrawn for good"]
    """Needed: PCs may be sent it; a rollout of it is under way; it may be offered again; PCs say they fetch it; it
    waits for signatures. Not needed: superseded; withdrawn for good. Since 0.3."""
    superseded_by: str | None
    """ID@VERSION of what has taken its place; null: nothing. Since 0.3."""


class ContentFileDocument(Struct, frozen=True):
    """A file of a patch, with the hashes of its pieces."""

    sha256: str
    """Its hash, and its name in `content`. Since 0.3."""
    bytes: Bytes
    """What it takes. Since 0.3."""
    uses: tuple[ContentUseDocument, ...]
    """The publications that have it; none: no publication that is known here. Since 0.3."""
    needed: bool
    """Whether any of them needs it, or that cannot be told now (`unknown`). Since 0.3."""
    idle_since: UnixSeconds | None
    """When the server first saw that nobody needs it; null: somebody does, or it has not looked since. Since 0.3."""
    goes: Literal["unlisted", "retention", "quota", "asked"] | None
    """Why it goes: no publication has it; it has had its time; there is no room for it; `--all` asks for it. Null: it
    stays. Since 0.3."""


class DiskDocument(Struct, frozen=True):
    """What takes room on the server's disk, and what for."""

    free_bytes: Bytes
    """Free on the disk of the home. Since 0.3."""
    disk_bytes: Bytes
    """The size of that disk. Since 0.3."""
    used: tuple[UsedRoomDocument, ...]
    """By kind, the largest first. Since 0.3."""
    content: tuple[ContentFileDocument, ...]
    """Files of patches, the largest first. Since 0.3."""
    idle_bytes: Bytes
    """What all files take that nobody needs: `disk clean --all` removes them. Since 0.3."""
    going_bytes: Bytes
    """What of that goes by itself at the server's next look. Since 0.3."""
    most_bytes: Bytes | None
    """What files of patches may take, by `content_gb`; null: there is no bound. Since 0.3."""
    over_bytes: Bytes
    """By how much they take more, when all has gone that goes. Since 0.3."""
    content_free_bytes: Bytes | None
    """Free on the disk of `content`; null: it is that of the home. Since 0.3."""
    expired_roles: tuple[str, ...]
    """Signed roles that have expired, by this machine's clock, which may be far ahead: while there are any, nothing
    goes by itself. Since 0.3."""
    unknown: str | None
    """Why it cannot be told what rollouts and PCs need, as on a full disk: then any file may be needed, and `uses` is
    by the signed files alone; null: it can. Since 0.3."""


class DiskCleanDocument(Struct, frozen=True):
    """What is removed, or would be."""

    dry_run: bool
    """Whether nothing was done. Since 0.3."""
    content: tuple[ContentFileDocument, ...]
    """The files, each with why it goes. Since 0.3."""
    bytes: Bytes
    """What they take. Since 0.3."""
    coded_bytes: Bytes
    """What coded pieces take that go, too: of files that have gone, what the disk has no room for, or all by `--all`.
    They are made again where they are missing. Since 0.3."""
    idle_bytes: Bytes
    """What is left that nobody needs: it goes in its time. Since 0.3."""
    over_bytes: Bytes
    """By how much what is left is more than `content_gb`. Since 0.3."""
    expired_roles: tuple[str, ...]
    """As of `disk`: why nothing has gone but by `--all`. Since 0.3."""
