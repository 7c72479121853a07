"""A signer looks at a bundle, then signs it with the keys of one folder. Needs no server and no network. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import Payload
from seed_server.signer.memory import SignerMemory
from seed_server.signer.payloads import OnBytes, compare_payloads
from seed_server.signer.words import ALARM, manifests_of, review_lines
from seed_server.signing.bins import key_of
from seed_server.signing.bundle import MAX_BUNDLED_ROOT_BYTES, Bundle, OfflineRole, read_bundle, write_bundle
from seed_server.signing.bundle_check import CheckedBundle, check_bundle, newest_root
from seed_server.signing.key_files import OfflineKeys


@dataclass(frozen=True)
class Review:
    """A bundle that was verified, and what a person must see before it is signed."""

    path: Path
    checked: CheckedBundle
    memory: SignerMemory
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    """What is unusual, and no reason to refuse it."""
    not_compared: tuple[Payload, ...]
    """Files of the patch that are not at hand: their content is not proven to this signer."""

    @property
    def only_adds(self) -> bool:
        """Whether all that was signed before stays as it is, but for what a new version takes the place of."""
        return not any(line.startswith(ALARM) for line in self.lines)

    @property
    def bundle(self) -> Bundle:
        """The bundle, as it was read."""
        return self.checked.bundle

    @property
    def key_names(self) -> tuple[str, ...]:
        """The keys that can sign it; no other is opened."""
        return tuple(dict.fromkeys(key_of(change.role) for change in self.checked.changes))

    def sign(self, keys: OfflineKeys) -> CheckedBundle:
        """Sign with each key of the folder that may, write the bundle in its place, and return what it has now.

        Raises `UserError`: REFUSED where no key may sign, or for a key, STORAGE.
        """
        found = {name: keys.load(name) for name in self.key_names if keys.has(name)}
        signed = self.checked.sign(found)
        self.memory.remember(self.checked.root, _versions(self.checked))
        write_bundle(self.path, signed)
        return self.checked.with_bundle(signed)


def open_review(
    path: Path, folder: Path, *, root: Path | None, files: Sequence[Path], now: float, on_bytes: OnBytes
) -> Review:
    """Read and verify the bundle at ``path`` for the keys in ``folder``, and compare it with the payload ``files``.

    ``root`` is a root to trust where the folder has none. ``now`` is in seconds since 1970. Raises `UserError`: REFUSED
    for what must not be signed, BAD_INPUT, STORAGE.
    """
    memory = SignerMemory(folder)
    checked = check_bundle(read_bundle(path), _trusted(memory, root), now)
    notes = _check_versions(memory, checked)
    lines = review_lines(checked)
    not_compared = compare_payloads(manifests_of(checked), checked.bundle.documents, files, on_bytes)
    return Review(path, checked, memory, tuple(lines), tuple(notes), tuple(not_compared))


def _trusted(memory: SignerMemory, given: Path | None) -> bytes:
    trusted = memory.trusted_root()
    if given is None:
        if trusted is None:
            raise UserError(
                f"{memory.folder} trusts no root yet. Give one once with --root FILE: tuf/metadata/1.root.json of the "
                "server's home, copied when the server was made, or compared with another signer's copy.",
                FaultKind.REFUSED,
            )
        return trusted
    try:
        offered = read_capped(given, MAX_BUNDLED_ROOT_BYTES)
    except OSError as error:
        raise UserError(
            f"Cannot read the root {given}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT
        ) from error
    except FileTooLargeError as error:
        raise UserError(f"{given} is no root: {error}.", FaultKind.BAD_INPUT) from error
    return newest_root(offered, (offered,)) if trusted is None else newest_root(trusted, (offered,))


def _versions(checked: CheckedBundle) -> dict[OfflineRole, int]:
    return {role: version for change in checked.changes for role, version in change.versions.items()}


def _check_versions(memory: SignerMemory, checked: CheckedBundle) -> list[str]:
    notes, signed = [], memory.signed_versions()
    for role, version in _versions(checked).items():
        newest = signed.get(role, 0)
        if version < newest:
            raise UserError(
                f"This bundle must not be signed: it has version {version} of {role}, and these keys "
                f"have signed version {newest} already. The server was set back, or somebody replays an older state.",
                FaultKind.REFUSED,
            )
        if version == newest:
            notes.append(
                f"These keys have signed a version {newest} of {role} before. That is right where that bundle "
                "was dropped and prepared again, or is this one; otherwise do not sign."
            )
    return notes
