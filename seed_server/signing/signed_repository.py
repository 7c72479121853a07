"""What the TUF repository on disk says to endpoints, and to whoever asks what they are told. Blocking."""

import hashlib
from collections.abc import Callable, Collection
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Timestamp

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_anchor import LogAnchor
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.complete import CompleteRollouts
from p2pdist.shared.manifest.denied import DeniedPcs
from p2pdist.shared.manifest.documents import Manifest, Rollouts
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.recalls import Recalls
from p2pdist.shared.manifest.servers import SERVERS_TARGET, ServerList, decode_servers
from p2pdist.shared.manifest.staged import StagedRollouts
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from p2pdist.shared.wire.codec import DecodeError
from seed_server.settings.home import ServerHome
from seed_server.signing import offers, publications
from seed_server.signing.listed_documents import ListedDocuments
from seed_server.signing.metadata import CurrentMetadata, MetadataReader, NewestTimestamp, public_key
from seed_server.signing.repository_files import more_signatures, untrusted
from seed_server.signing.role_policy import RoleExpiry

log = lazy_log()


Known: TypeAlias = "SignedRepository | None"
"""One of the same home that was opened before: what it has read is not read again while it is as it was."""


def _reading(home: ServerHome) -> tuple[MetadataReader, ListedDocuments]:
    files = MetadataReader(home)
    return files, ListedDocuments(files)


class SignedRepository:
    """The part of `Repository` that only reads; its methods may be called from any thread."""

    def __init__(self, home: ServerHome, known: Known = None) -> None:
        self._files, self._documents = known.read if known is not None else _reading(home)

    @property
    def read(self) -> tuple[MetadataReader, ListedDocuments]:
        """What reads the files, and keeps what it has verified while they are as they were."""
        return self._files, self._documents

    def timestamp_version(self) -> int:
        """Return the version of the timestamp on the disk; cheap enough to be asked every second."""
        return self._files.read("timestamp", Timestamp).signed.version

    def newest_timestamp(self) -> NewestTimestamp:
        """Return the timestamp on the disk, with what may be told of it. Raises `UserError` (STORAGE)."""
        return self._files.newest_timestamp()

    def trusted_root(self) -> str:
        """Return root version 1 as JSON text: where a new endpoint starts; it walks to later versions by itself."""
        return self._files.first_root().decode()

    def root_pin(self) -> bytes:
        """Return the SHA-256 of `trusted_root`, by which a new endpoint recognises it."""
        return hashlib.sha256(self._files.first_root()).digest()

    def current_rollouts(self) -> Rollouts:
        """Return what every PC is offered.

        Raises `UserError`: STORAGE when it is damaged, REFUSED when a newer release wrote it; so the next six.
        """
        return self._documents.rollouts(self._files.current())

    def current_staged(self) -> StagedRollouts:
        """Return what PCs are offered by rings."""
        return self._documents.staged(self._files.current())

    def current_denied(self) -> DeniedPcs:
        """Return which PCs are denied, as PCs keep it for the server."""
        return self._documents.denied(self._files.current())

    def current_complete(self) -> dict[str, CompleteRollouts]:
        """Return the complete rollouts whose approvals PCs ask for, by the target path of their part."""
        return self._documents.complete(self._files.current())

    def offered(self) -> Rollouts:
        """Return what any PC may be offered, by rings or not."""
        current = self._files.current()
        return offers.joined(self._documents.rollouts(current), self._documents.staged(current))

    def manifests(self) -> list[Manifest]:
        """Return the manifest of every patch that is listed: of each id, the last publications and what is offered."""
        current = self._files.current()
        return publications.kept(self._documents.manifests(current.listed()), self._offered_refs(current))

    def manifests_of(self, patch_ids: Collection[str]) -> list[Manifest]:
        """Return the manifests that are signed of these patches; others are not read. Raises `UserError` (STORAGE)."""
        return [
            self._documents.manifest(name, entry)
            for name, entry in self._files.current().listed().items()
            if name.endswith(".manifest") and name.removeprefix("patches/").partition("@")[0] in patch_ids
        ]

    def readable_manifests(self) -> tuple[list[Manifest], frozenset[str]]:
        """Return as `manifests` those that can be read, and the target paths of those that cannot."""
        current = self._files.current()
        found, lost = self._documents.readable_manifests(current.listed())
        return publications.kept(found, self._offered_refs(current)), lost

    def _offered_refs(self, current: CurrentMetadata) -> set[PatchRef]:
        rollouts = offers.joined(self._documents.rollouts(current), self._documents.staged(current))
        return {entry.ref for entry in rollouts.entries}

    def publication_order(self) -> PublicationOrder:
        """Return the numbers of all publications."""
        return self._documents.order(self._files.current().listed())

    def files_in_force(self) -> tuple[list[str], dict[str, str]]:
        """Return the files that what is in force consists of, from the home's ``tuf`` on.

        First the metadata, which point to each other; then the documents that they list, with their SHA-256.
        """
        current = self._files.current()
        next_root = f"{current.root.signed.version + 1}.root"
        metadata = [f"metadata/{name}.json" for name in current.file_names() if name != next_root]
        documents = {
            f"targets/{path}": target.hashes["sha256"]
            for role in current.targets.values()
            for target in role.signed.targets.values()
            for path in target.get_prefixed_paths()[:1]
        }
        return metadata, documents

    def expiries(self) -> list[RoleExpiry]:
        """Return when each role expires."""
        return self._files.current().expiries()

    def profiles(self, wanted: Callable[[str, str], bool] = lambda _path, _sha256: True) -> dict[str, bytes]:
        """Return the throttle profiles of sites, by target path; those alone that are ``wanted``, by path and SHA-256.

        What is not wanted is not read.
        """
        role = self._files.current().targets["profiles"].signed
        return {
            name: self._files.read_target(name, entry)
            for name, entry in role.targets.items()
            if name != SERVERS_TARGET and wanted(name, entry.hashes["sha256"])
        }

    def servers(self) -> ServerList | None:
        """Return the signed list of this server's addresses; None: there is none, or none that can be used."""
        entry = self._files.current().targets["profiles"].signed.targets.get(SERVERS_TARGET)
        try:
            return None if entry is None else decode_servers(self._files.read_target(SERVERS_TARGET, entry))
        except DecodeError as error:
            log.error("the signed list of addresses is not usable", reason=str(error))  # noqa: TRY400
            return None

    def templates(self) -> dict[str, bytes]:
        """Return the diagnosis templates, by target path."""
        patches = self._files.current().targets["patches"].signed
        return {
            name: self._files.read_target(name, entry)
            for name, entry in patches.targets.items()
            if name.startswith(TEMPLATES_PREFIX)
        }

    def approvers(self) -> Approvers | None:
        """Return whose approvals PCs want; None: nobody's."""
        return self._documents.approvers(self._files.current())

    def log_anchor(self) -> LogAnchor | None:
        """Return by which key PCs know the audit log; None: by that which they saw first."""
        return self._documents.log_anchor(self._files.current())

    def recalls(self) -> Recalls:
        """Return what goes back where it is installed."""
        return self._documents.recalls(self._files.current().listed())

    def check_patches_key(self, patches_key: Ed25519PrivateKey) -> None:
        """Raise `UserError` (REFUSED) when endpoints do not trust this key alone for patches."""
        patches = self._files.current().delegated("patches")
        if public_key(patches_key).keyid not in patches.keyids:
            raise untrusted("patches")
        if patches.threshold > 1:
            raise more_signatures("patches", patches.threshold)
