"""Changes of the offline roles that are signed on other machines: proposed here, and finished here. Blocking.

Between the two the repository stays free for other changes. What is proposed extends exactly the metadata that was in
force; where that has changed meanwhile, it is never finished.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace
from securesystemslib.signer import Signature, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.log_anchor import ANCHOR_TARGET
from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, Rollouts, encode_rollouts
from p2pdist.shared.manifest.staged import STAGED_TARGET
from seed_server.signing import bins, repository_files, staged
from seed_server.signing.bundle import MAX_BUNDLED_ROOTS, Bundle, OfflineRole, RoleSignature
from seed_server.signing.listed_documents import ListedDocuments
from seed_server.signing.log_checkpoint import witnessed
from seed_server.signing.metadata import DELEGATED_PATHS, CurrentMetadata, MetadataReader, parse
from seed_server.signing.repository_files import damaged
from seed_server.signing.repository_writer import RepositoryWriter, make_next
from seed_server.signing.role_policy import OFFLINE_ROLES
from seed_server.signing.thresholds import SHORT_KEY_CHARS, Proposed, signing_of, together

Change = Callable[[CurrentMetadata], Collection[OfflineRole]]
"""Changes the metadata, and returns the roles that must be signed for it."""


@dataclass(frozen=True)
class Preparation:
    """Who proposes a change, when, and what for."""

    purpose: str
    actor: str
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class KeyChange:
    """What changes in the keys that may sign a role."""

    role: Literal["patches", "profiles"]
    add: tuple[Ed25519PublicKey, ...] = ()
    remove: tuple[str, ...] = ()
    """Ids of keys, or their first digits."""
    threshold: int | None = None
    """How many signatures the role needs; None: as before."""


@dataclass(frozen=True)
class RoleKeys:
    """The keys that endpoints trust for a role."""

    role: str
    threshold: int
    keyids: tuple[str, ...]


class Proposals:
    """Proposes changes of one repository, and finishes those that enough keys have signed."""

    def __init__(self, server: str, files: MetadataReader, writer: RepositoryWriter) -> None:
        """For `Repository.proposals`, whose reader and writer it uses; ``server`` is the server's name, for people."""
        self._server = server
        self._files = files
        self._writer = writer

    def role_keys(self) -> list[RoleKeys]:
        """Return the keys of every offline role. Raises `UserError`."""
        current = self._files.load()
        roles = [(name, current.root.signed.get_delegated_role(name)) for name in ("root", "targets")]
        roles += [(name, current.delegated(name)) for name in ("patches", "profiles")]
        return [RoleKeys(name, role.threshold, tuple(role.keyids)) for name, role in roles]

    # --- to propose --------------------------------------------------------------------------

    def propose_documents(
        self,
        preparation: Preparation,
        role: Literal["patches", "profiles"],
        documents: Mapping[str, bytes | None],
        *,
        withdraws: str = "",
        reason: str = "",
    ) -> Bundle:
        """Propose targets of ``role``, or their removal (None); ``withdraws`` and ``reason`` as in `Bundle`.

        Raises `UserError`: REFUSED where a renewal must come first or the role is full, NOT_SET_UP, STORAGE.
        """
        in_force = self._files.load()
        present = in_force.listed() if role == bins.PATCHES_ROLE else in_force.targets[role].signed.targets
        fresh = {
            name: data
            for name, data in documents.items()
            if data is not None
            and not bins.same_content(present.get(name), TargetFile.from_data(name, data, ["sha256"]))
        }

        def change(current: CurrentMetadata) -> Collection[OfflineRole]:
            for name in fresh:
                if not current.delegated(role).is_delegated_path(name):
                    raise repository_files.outdated(name.partition("/")[0])
            if role == bins.PATCHES_ROLE:
                return self._patches_changed(current, documents, preparation.now)
            targets = current.targets[role].signed.targets
            for name in documents.keys() - fresh.keys():
                if documents[name] is None:
                    targets.pop(name, None)
            targets |= {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in fresh.items()}
            return (role,)

        bundle = self._propose(preparation, change, fresh)
        before = {name: self._files.read_target(name, present[name]) for name in sorted(fresh) if name in present}
        return replace(bundle, before=before, withdraws=withdraws, reason=reason)

    def _patches_changed(
        self, current: CurrentMetadata, documents: Mapping[str, bytes | None], now: float
    ) -> set[OfflineRole]:
        return bins.change(current.targets, documents, self._files.read_target) | current.half_spent(now)

    def propose_renewal(self, preparation: Preparation, *, young_too: bool = False) -> Bundle:
        """Propose every offline role anew, content unchanged, for the target paths of this version.

        ``young_too`` as in `Repository.renew_offline_roles`.
        """

        def change(current: CurrentMetadata) -> Collection[OfflineRole]:
            for role, paths in DELEGATED_PATHS.items():
                current.delegated(role).paths = list(paths)
            whole = bins.PATCHES_FAMILY if young_too else ()
            return {*OFFLINE_ROLES, *whole, *self._patches_changed(current, {}, preparation.now)}

        return self._propose(preparation, change, {})

    def propose_keys(self, preparation: Preparation, wanted: KeyChange) -> Bundle:
        """Propose other keys for a role, which is signed anew by them. Raises `UserError` (BAD_INPUT)."""

        def change(current: CurrentMetadata) -> Collection[OfflineRole]:
            _change_keys(current, wanted)
            changed = self._patches_changed(current, {}, preparation.now) if wanted.role == bins.PATCHES_ROLE else set()
            return {"targets", wanted.role, *changed}

        return self._propose(preparation, change, {})

    def _propose(self, preparation: Preparation, change: Change, documents: Mapping[str, bytes]) -> Bundle:
        current = self._files.load()
        in_force = {role: metadata.to_bytes() for role, metadata in current.targets.items()}
        roles = change(current)
        delegators = {"targets", *map(bins.delegator_of, roles)}
        proposed: dict[OfflineRole, bytes] = {}
        for role in sorted(roles):
            metadata: Metadata[Any] = current.root if role == "root" else current.targets[role]
            make_next(role, metadata, preparation.now, self._writer.online)
            proposed[role] = metadata.to_bytes()
            self._writer.check_size(role, len(proposed[role]))
        newest = self._files.current().root.signed.version
        versions = range(max(1, newest - MAX_BUNDLED_ROOTS + 1), newest + 1)
        return Bundle(
            format=1,
            server=self._server,
            purpose=preparation.purpose,
            prepared_by=preparation.actor,
            prepared_at=int(preparation.now),
            roots=tuple(self._files.read(f"{version}.root", Root).to_bytes() for version in versions),
            current={role: in_force[role] for role in sorted({*roles, *delegators} & in_force.keys())},
            proposed=proposed,
            documents=dict(sorted(documents.items())),
        )

    # --- to finish ---------------------------------------------------------------------------

    def is_outdated(self, bundle: Bundle) -> bool:
        """Whether what it extends has changed meanwhile, so that it can no longer be finished. Raises `UserError`."""
        return bool(_changed_roles(self._files.load(), bundle))

    def check(self, bundle: Bundle, signatures: Collection[RoleSignature], now: float) -> None:
        """Raise `UserError` (REFUSED) where `finish` would: it is outdated, or signatures are missing."""
        _signed(self._files.load(), bundle, signatures, now)

    def finish(
        self, bundle: Bundle, signatures: Collection[RoleSignature], rollouts: Rollouts | None, now: float
    ) -> int:
        """Put a change in force that enough keys have signed, and ``rollouts``; return the new timestamp's version.

        ``bundle`` is this server's own copy: of what comes back, the signatures alone are used. Endpoints see all of
        it or nothing. Raises `UserError`: REFUSED where signatures are missing or the repository has changed, BUSY,
        STORAGE.
        """
        with self._writer.writing():
            current = self._files.load()
            proposed = _signed(current, bundle, signatures, now)
            for name, data in bundle.documents.items():
                self._writer.write_target(name, data)
            roles = [role for role in proposed if role != "root"]
            current.targets.update({role: proposed[role] for role in roles})
            if rollouts is not None:
                self._writer.add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, encode_rollouts(rollouts))
            anchored = ANCHOR_TARGET in bundle.documents
            if anchored:
                self._tell_newest_checkpoint(current)
            renewal = "root" in proposed  # after a restore, PCs have seen newer rollouts
            online = ("rollouts",) if renewal or anchored or rollouts is not None else ()
            return self._writer.commit(current, online, {}, now, signed=roles, root=proposed.get("root"))

    def _tell_newest_checkpoint(self, current: CurrentMetadata) -> None:
        """List a checkpoint by the key that PCs know from now on: an older one would be an alarm, which stays."""
        documents = ListedDocuments(self._files)
        known = documents.staged(current)
        wanted = witnessed(known, known.checkpoint, self._writer.home, documents.log_anchor(current))
        self._writer.add_target(current.targets["rollouts"].signed, STAGED_TARGET, staged.checked(wanted))


def _changed_roles(current: CurrentMetadata, bundle: Bundle) -> list[OfflineRole]:
    """Return the roles that are not in force as ``bundle`` extends them."""
    in_force = {role: metadata.to_bytes() for role, metadata in current.targets.items()}
    changed = [role for role, data in bundle.current.items() if in_force.get(role) != data]
    if current.root.to_bytes() != bundle.roots[-1]:
        changed.append("root")
    return changed


def _signed(
    current: CurrentMetadata, bundle: Bundle, signatures: Collection[RoleSignature], now: float
) -> dict[OfflineRole, Metadata[Any]]:
    """Return what is proposed, with enough signatures. Raises `UserError` (REFUSED)."""
    if changed := _changed_roles(current, bundle):
        raise UserError(
            f"This was prepared for an older state of {' and '.join(changed)}, which has changed since; nothing was "
            "announced. Prepare it again, and drop this one: "
            f"seed-server prepared --drop {bundle.bundle_id}.",
            FaultKind.REFUSED,
        )
    proposed = {role: _metadata(role, data) for role, data in bundle.proposed.items()}
    for one in signatures:
        if one.role in proposed:
            proposed[one.role].signatures[one.keyid] = Signature(one.keyid, one.signature)
    _check_signatures(current, proposed, now)
    return proposed


def _metadata(role: str, data: bytes) -> Metadata[Any]:
    metadata = parse(data)
    if metadata is None:
        raise damaged(f"prepared {role}")
    return metadata


def _check_signatures(current: CurrentMetadata, proposed: Proposed, now: float) -> None:
    try:
        states = signing_of(proposed, current.root.signed, current.targets)
    except (RepositoryError, ValueError) as error:
        raise damaged("prepared metadata") from error
    if any(state.missing for state in states):
        words = "\n".join(state.in_words() for state in together(states))
        raise UserError(
            "There are not enough signatures yet; nothing was announced. Have the missing signers run "
            f"'seed-server sign' on the bundle, then finish it.\n{words}",
            FaultKind.REFUSED,
        )
    expired = [role for role, metadata in proposed.items() if metadata.signed.expires.timestamp() <= now]
    if expired:
        raise UserError(
            f"What was signed for {', '.join(expired)} has expired since it was prepared; nothing was announced. "
            "Prepare it again.",
            FaultKind.REFUSED,
        )


def _change_keys(current: CurrentMetadata, wanted: KeyChange) -> None:
    targets, role = current.targets["targets"].signed, current.delegated(wanted.role)
    for key in wanted.add:
        targets.add_key(SSlibKey.from_crypto(key), wanted.role)
    for text in wanted.remove:
        found = [keyid for keyid in role.keyids if keyid.startswith(text)]
        if len(found) != 1 or len(text) < SHORT_KEY_CHARS:
            raise UserError(
                f"{text[:70]!r} names no single key of {wanted.role}; give the first {SHORT_KEY_CHARS} digits of its "
                "id or more. 'seed-server keys list' shows the ids.",
                FaultKind.BAD_INPUT,
            )
        targets.revoke_key(found[0], wanted.role)
    threshold = role.threshold if wanted.threshold is None else wanted.threshold
    if not 1 <= threshold <= len(role.keyids):
        raise UserError(
            f"{wanted.role} would have {len(role.keyids)} keys and need {threshold} signatures, so nobody could sign "
            "it. Add keys, or choose a smaller --threshold.",
            FaultKind.BAD_INPUT,
        )
    role.threshold = threshold
