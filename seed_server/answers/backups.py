"""What `backup` and `restore` print with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds


class BackupDocument(Struct, frozen=True):
    """The backup that was made."""

    directory: str
    """Where it is. Since 0.3."""
    backup_at: UnixSeconds
    """At which moment the server was as the backup has it. Since 0.3."""
    files: Count
    """How many files are in it. Since 0.3."""
    bytes: Bytes
    """How large they are. Since 0.3."""
    new_files: Count
    """How many of them were copied now: those that were not there. Since 0.3."""
    new_bytes: Bytes
    """How large those are. Since 0.3."""
    removed_bytes: Bytes
    """What the backup before had there, and this one has not. Since 0.3."""
    with_keys: bool
    """Whether the private keys are in it, encrypted. Since 0.3."""
    offline_keys: Count
    """How many offline keys are among them, since they lie in the home. Since 0.3."""
    faults: tuple[str, ...]
    """Files of the home that are missing or damaged, and not in the backup; the command ends with 1. Since 0.3."""


class BackupFaultDocument(Struct, frozen=True):
    """A file of a backup that is not as it was written."""

    path: str
    """The file, from the home on. Since 0.3."""
    problem: str
    """What is wrong with it. Since 0.3."""


class BackupVerdictDocument(Struct, frozen=True):
    """Whether a backup is whole."""

    directory: str
    """Where it is. Since 0.3."""
    whole: bool
    """Whether every file is as it was written; else the command ends with 1. Since 0.3."""
    server: str
    """Of which server it is: its name. Since 0.3."""
    release: str
    """Which release has made it. Since 0.3."""
    backup_at: UnixSeconds
    """At which moment the server was as the backup has it. Since 0.3."""
    files: Count
    """How many files are in it. Since 0.3."""
    bytes: Bytes
    """How large they are. Since 0.3."""
    with_keys: bool
    """Whether the private keys are in it, encrypted. Since 0.3."""
    proven: bool
    """Whether the passphrase was given and opens the keys: then no file was exchanged for another one. Since 0.3."""
    faults: tuple[BackupFaultDocument, ...]
    """What is wrong. Since 0.3."""
    leftovers: Count
    """Files of a backup that was cut off; the next one uses or removes them. Since 0.3."""


class RestoreDocument(Struct, frozen=True):
    """The home that was made of a backup."""

    home: str
    """Its directory. Since 0.3."""
    server: str
    """The server's name. Since 0.3."""
    backup_at: UnixSeconds
    """At which moment the server was as it is now: what came after that, it learns from its PCs. Since 0.3."""
    files: Count
    """How many files were restored. Since 0.3."""
    bytes: Bytes
    """How large they are. Since 0.3."""
    revoked_tokens: Count
    """How many tokens could still have enrolled PCs, and are void now. Since 0.3."""
    revoked_api_tokens: Count
    """How many API tokens and logins could still have been used, and are void now. Since 0.3."""
    lacking: tuple[str, ...]
    """Patches whose files are not in the backup. Since 0.3."""
