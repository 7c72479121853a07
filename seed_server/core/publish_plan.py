"""May this file be published, in which pieces, and what do the rollouts then say? Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from p2pdist.errors import ExitCode, UserError
from p2pdist.identifiers import (
    InvalidIdentifierError,
    PatchId,
    PatchVersion,
    Sha256Hex,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
)
from p2pdist.manifest import MAX_PAYLOAD_BYTES, MAX_ROLLOUT_ENTRIES, Manifest, RolloutEntry, Rollouts, Severity
from p2pdist.wire.messages import MAX_PIECE_BYTES, MAX_PIECES

MIN_PIECE_BYTES = 256 << 10  # smaller pieces help a fast LAN by spreading sooner; below this, overhead wins
TARGET_PIECES = 16_384  # keeps bitfields at 2 KiB and a torrent's hashes at 512 KiB
MAX_TITLE_CHARS = 200  # as in the manifest
LARGEST_FILE_BYTES = min(MAX_PAYLOAD_BYTES, MAX_PIECE_BYTES * MAX_PIECES)


@dataclass(frozen=True)
class PatchDescription:
    """What the operator says about a patch, checked."""

    patch_id: PatchId
    version: PatchVersion
    title: str
    severity: Severity
    cvss: float | None
    file_name: str


def describe_patch(
    *, patch_id: str, version: str, title: str, severity: Severity, cvss: float | None, file_name: str
) -> PatchDescription:
    """Return the checked description. Raises `UserError` (BAD_INPUT) that names the wrong value."""
    try:
        checked_id, checked_version = parse_patch_id(patch_id), parse_patch_version(version)
        parse_file_name(file_name)
    except InvalidIdentifierError as error:
        raise _refused(str(error)) from error
    if len(title) > MAX_TITLE_CHARS or not title.isprintable():
        raise _refused(f"The title must be one line of at most {MAX_TITLE_CHARS} characters. Shorten it.")
    if cvss is not None and not 0.0 <= cvss <= 10.0:
        raise _refused(f"A CVSS score is from 0.0 to 10.0, not {cvss}. Correct --cvss.")
    return PatchDescription(checked_id, checked_version, title, severity, cvss, file_name)


def choose_piece_length(length_bytes: int) -> int:
    """Return the piece length in bytes: the smallest that keeps to `TARGET_PIECES`, within the protocol's caps.

    Raises `UserError` (BAD_INPUT) for an empty file and one over `LARGEST_FILE_BYTES`.
    """
    if length_bytes < 1:
        raise _refused("The file is empty; there is nothing to publish. Check that its download or copy has finished.")
    if length_bytes > LARGEST_FILE_BYTES:
        raise _refused(
            f"The file has {length_bytes} bytes; the largest that can be published has {LARGEST_FILE_BYTES}. Split it."
        )
    piece_length = MIN_PIECE_BYTES
    while piece_length < MAX_PIECE_BYTES and -(-length_bytes // piece_length) > TARGET_PIECES:
        piece_length *= 2
    return piece_length


def check_new_name(description: PatchDescription, published: Iterable[Manifest], rollouts: Rollouts) -> None:
    """Raise `UserError` (BAD_INPUT) when this id and version exist already, or the rollouts are full.

    Needs no file content, so that a refusal comes before a long copy.
    """
    for manifest in published:
        if (manifest.patch_id, manifest.version) == (description.patch_id, description.version):
            raise _refused(
                f"{manifest.patch_id} {manifest.version} is published already, and a published version never "
                "changes. Choose another --version."
            )
    others = [entry for entry in rollouts.entries if entry.patch_id != description.patch_id]
    if len(others) >= MAX_ROLLOUT_ENTRIES:
        raise _refused(
            f"The fleet is offered {len(others)} patches already, the most that endpoints accept. "
            "Publish a newer version of one of them instead."
        )


def check_new_content(sha256: Sha256Hex, published: Iterable[Manifest]) -> None:
    """Raise `UserError` (BAD_INPUT) when this very file is published already."""
    for manifest in published:
        for payload in manifest.payloads:
            if payload.sha256 == sha256:
                raise _refused(
                    f"This very file is published already as {manifest.patch_id} {manifest.version} "
                    f"({payload.file_name}). Endpoints have it or get it; nothing needs to be done."
                )


def next_sequence(rollouts: Rollouts) -> int:
    """Return the sequence number of the next publication."""
    return max((entry.sequence for entry in rollouts.entries), default=0) + 1


def with_patch(rollouts: Rollouts, patch_id: PatchId, version: PatchVersion) -> Rollouts:
    """Return the rollouts with ``version`` as the one current version of ``patch_id``, last in sequence."""
    entry = RolloutEntry(patch_id=patch_id, version=version, sequence=next_sequence(rollouts))
    return Rollouts(format=1, entries=[*(e for e in rollouts.entries if e.patch_id != patch_id), entry])


def _refused(message: str) -> UserError:
    return UserError(message, ExitCode.BAD_INPUT)
