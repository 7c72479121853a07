"""The TUF repository's files: removes those that no client can need any more, and words its errors. Blocking."""

import re
from collections.abc import Collection
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Document
from seed_server.settings.home import ServerHome

_SHA256 = re.compile(rb"[0-9a-f]{64}")  # a target's file is named HASH.NAME, its metadata holds the same digits

MAX_NAMED_CHARS = 200  # of unknown fields: a line or two of a terminal
KEEP_VERSIONS = 16  # of each role: a client in the middle of a refresh must find what it started with


def prune(home: ServerHome, roles: Collection[str], rollouts: Collection[str]) -> None:
    """Remove all but the newest `KEEP_VERSIONS` of each of these roles and of the rollouts. Raises `OSError`.

    ``rollouts`` are the paths of the rollouts in force, below the targets: they stay,
    also when the clock was set back and they look like the oldest, or others have changed since more often.
    """
    versions: dict[str, list[tuple[int, Path]]] = {role: [] for role in roles}
    for path in home.tuf_metadata.iterdir():
        number, _, name = path.name.partition(".")
        role = name.removesuffix(".json")
        if number.isdigit() and role in versions:
            versions[role].append((int(number), path))
    for found in versions.values():
        for _, path in sorted(found)[:-KEEP_VERSIONS]:
            path.unlink(missing_ok=True)
    in_force = {home.tuf_targets / path for path in rollouts}
    older: dict[str, list[Path]] = {}
    for path in sorted({path.parent for path in in_force}):
        for other in sorted(set(path.iterdir()) - in_force, key=lambda other: other.stat().st_mtime_ns):
            older.setdefault(other.name.partition(".")[2], []).append(other)
    for found_files in older.values():
        for path in found_files[: -(KEEP_VERSIONS - 1)]:
            path.unlink(missing_ok=True)


def remove_leftovers(home: ServerHome) -> int:
    """Remove what killed writers left: temporary files, and targets that no kept metadata names; return how many.

    The caller holds the write lock. Raises `OSError`.
    """
    removed = durable_files.remove_leftovers(home.tuf_metadata.parent)
    named: set[bytes] = set()
    for path in home.tuf_metadata.glob("*.json"):
        named |= set(_SHA256.findall(path.read_bytes()))
    for path in home.tuf_targets.rglob("*"):
        digest = path.name.partition(".")[0].encode()
        if _SHA256.fullmatch(digest) and digest not in named and path.is_file():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def check_size(role: str, size_bytes: int, max_bytes: int) -> None:
    """Raise `UserError` (REFUSED) for metadata that endpoints would not accept."""
    if size_bytes > max_bytes:
        raise UserError(
            f"The repository's {role} role would have {size_bytes} bytes, and endpoints accept "
            f"{max_bytes}; nothing was announced. Start a new repository for further patches.",
            FaultKind.REFUSED,
        )


def check_all_known(target: str, data: bytes, document: Document) -> None:
    """Raise `UserError` (REFUSED) where ``data`` holds more than the ``document`` that was decoded from it.

    What is signed anew must not lose what a newer release has put there.
    """
    if unknown := codec.unknown_fields(data, document):
        raise UserError(
            f"A newer release of seed-server wrote {target}: this one does not know "
            f"{printable(', '.join(unknown)[:MAX_NAMED_CHARS])}. Install that release again.",
            FaultKind.REFUSED,
        )


def newer_layout() -> UserError:
    """Return the error for a `patches` role that is divided in a way that this release does not know."""
    return UserError(
        "A newer release of seed-server divided the patches of this repository. Install that release again.",
        FaultKind.REFUSED,
    )


def outdated(what: str) -> UserError:
    """Return the error for a document of a kind that the repository's older delegations do not cover."""
    return UserError(
        f"This repository was made before there were {what}: endpoints would not trust one. Run 'seed-server renew' "
        "with all offline keys once, then try again.",
        FaultKind.REFUSED,
    )


def untrusted(key: str) -> UserError:
    """Return the error for a key that endpoints do not trust."""
    return UserError(
        f"The {key} key is not the one that this repository trusts; nothing was announced. "
        "Use the offline folder that 'seed-server init' made for this server.",
        FaultKind.REFUSED,
    )


def more_signatures(role: str, threshold: int) -> UserError:
    """Return the error for one signature where endpoints want several."""
    return UserError(
        f"Endpoints accept {role} only with {threshold} signatures, and here is one key; nothing was announced. "
        "Write a bundle with --prepare BUNDLE, have each signer run 'seed-server sign BUNDLE', then run "
        "'seed-server finish BUNDLE'.",
        FaultKind.REFUSED,
    )


def missing(home: ServerHome) -> UserError:
    """Return the error where there is no repository."""
    return UserError(
        f"There is no repository in {home.root}. Name the right directory with --home.", FaultKind.NOT_SET_UP
    )


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the error for a file that cannot be read."""
    return UserError(f"Cannot read {path}: {error.strerror}. Check permissions.", FaultKind.STORAGE)


def unwritable(home: ServerHome, error: OSError) -> UserError:
    """Return the error for a change that cannot be written."""
    return UserError(
        f"Cannot write to the repository in {home.root}: {error.strerror}. Nothing was announced; "
        "check the disk's space and permissions, then try again.",
        FaultKind.STORAGE,
    )


def damaged(what: str) -> UserError:
    """Return the error for a part of the repository that is not as it was signed."""
    return UserError(
        f"The repository's {what} is damaged or was tampered with. Restore the tuf folder from a backup.",
        FaultKind.STORAGE,
    )
