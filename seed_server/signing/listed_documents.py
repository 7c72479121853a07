"""The documents that the repository's metadata lists: read, decoded, and known to this release. Blocking."""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar, cast

from tuf.api.metadata import TargetFile

from p2pdist.shared.errors import UserError
from p2pdist.shared.log_anchor import ANCHOR_TARGET, LogAnchor, decode_anchor
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, decode_approvers
from p2pdist.shared.manifest.complete import COMPLETE_TARGETS, CompleteRollouts, decode_complete
from p2pdist.shared.manifest.denied import DENIED_TARGET, NOBODY_DENIED, DeniedPcs, decode_denied
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    DecodeError,
    Manifest,
    Rollouts,
    decode_manifest,
    decode_rollouts,
)
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED, ORDER_TARGET, PublicationOrder, decode_order
from p2pdist.shared.manifest.recalls import NOTHING_RECALLED, RECALLS_TARGET, Recalls, decode_recalls
from p2pdist.shared.manifest.staged import NOTHING_STAGED, STAGED_TARGET, StagedRollouts, decode_staged
from p2pdist.shared.wire.codec import Document
from seed_server.signing import repository_files
from seed_server.signing.metadata import CurrentMetadata, MetadataReader
from seed_server.signing.repository_files import damaged

Listed: TypeAlias = Mapping[str, TargetFile]
"""What the `patches` keys have signed, by target path."""

D = TypeVar("D", bound=Document)
R = TypeVar("R")


class ListedDocuments:
    """Reads documents of one repository. Each method raises `UserError`.

    STORAGE when one is damaged, REFUSED when a newer release wrote it: what is signed anew must lose nothing.
    """

    def __init__(self, files: MetadataReader) -> None:
        self._files = files
        self._decoded: dict[str, Manifest] = {}
        """The manifests that were listed last, by the SHA-256 of their bytes."""
        self._newest: dict[str, tuple[str, Document]] = {}
        """Of each other document the one that was read last, with the SHA-256 of its bytes."""

    def rollouts(self, current: CurrentMetadata) -> Rollouts:
        """Return what every PC is offered."""
        return self._known(
            ROLLOUTS_TARGET, current.targets["rollouts"].signed.targets.get(ROLLOUTS_TARGET), decode_rollouts
        )

    def staged(self, current: CurrentMetadata) -> StagedRollouts:
        """Return what is offered by rings; nothing where no rollout by rings was ever begun."""
        entry = current.targets["rollouts"].signed.targets.get(STAGED_TARGET)
        return NOTHING_STAGED if entry is None else self._known(STAGED_TARGET, entry, decode_staged)

    def complete(self, current: CurrentMetadata) -> dict[str, CompleteRollouts]:
        """Return the parts of the complete rollouts that are listed, by target path."""
        listed = current.targets["rollouts"].signed.targets
        return {
            target: self._known(target, listed[target], decode_complete)
            for target in COMPLETE_TARGETS
            if target in listed
        }

    def denied(self, current: CurrentMetadata) -> DeniedPcs:
        """Return which PCs are denied, as PCs keep it."""
        entry = current.targets["rollouts"].signed.targets.get(DENIED_TARGET)
        return NOBODY_DENIED if entry is None else self._known(DENIED_TARGET, entry, decode_denied)

    def approvers(self, current: CurrentMetadata) -> Approvers | None:
        """Return whose approvals PCs want; None: nobody's."""
        entry = current.targets["patches"].signed.targets.get(APPROVERS_TARGET)
        return None if entry is None else self._read(APPROVERS_TARGET, entry, decode_approvers)

    def log_anchor(self, current: CurrentMetadata) -> LogAnchor | None:
        """Return by which key PCs know the audit log; None: by that which they saw first."""
        entry = current.targets["patches"].signed.targets.get(ANCHOR_TARGET)
        return None if entry is None else self._read(ANCHOR_TARGET, entry, decode_anchor)

    def recalls(self, listed: Listed) -> Recalls:
        """Return what goes back where it is installed."""
        entry = listed.get(RECALLS_TARGET)
        return NOTHING_RECALLED if entry is None else self._read(RECALLS_TARGET, entry, decode_recalls)

    def order(self, listed: Listed) -> PublicationOrder:
        """Return the numbers of all publications."""
        if ORDER_TARGET not in listed:  # nothing has been published yet
            return NOTHING_PUBLISHED
        return self._known(ORDER_TARGET, listed[ORDER_TARGET], decode_order)

    def _read(self, target: str, entry: TargetFile, decode: Callable[[bytes], R]) -> R:
        try:
            return decode(self._files.read_target(target, entry))
        except DecodeError as error:
            raise damaged(target) from error

    def _known(self, target: str, entry: TargetFile | None, decode: Callable[[bytes], D]) -> D:
        digest = "" if entry is None else entry.hashes["sha256"]
        known_digest, known = self._newest.get(target, ("", None))
        if known is not None and known_digest == digest:
            return cast("D", known)
        data = self._files.read_target(target, entry)
        try:
            document = decode(data)
        except DecodeError as error:
            raise damaged(target) from error
        repository_files.check_all_known(target, data, document)
        self._newest[target] = (digest, document)
        return document

    def manifests(self, listed: Listed) -> list[Manifest]:
        """Return the manifest of every patch in ``listed``."""
        found = {
            entry.hashes["sha256"]: self.manifest(name, entry)
            for name, entry in listed.items()
            if name.endswith(".manifest")
        }
        self._decoded = found
        return list(found.values())

    def readable_manifests(self, listed: Listed) -> tuple[list[Manifest], frozenset[str]]:
        """Return the manifests that can be read, and the target paths of those that cannot."""
        found: dict[str, Manifest] = {}
        lost = set()
        for name, entry in listed.items():
            if name.endswith(".manifest"):
                try:
                    found[entry.hashes["sha256"]] = self.manifest(name, entry)
                except UserError:
                    lost.add(name)
        self._decoded = found
        return list(found.values()), frozenset(lost)

    def manifest(self, name: str, entry: TargetFile) -> Manifest:
        """Return one manifest."""
        if known := self._decoded.get(entry.hashes["sha256"]):
            return known
        return self._read(name, entry, decode_manifest)
