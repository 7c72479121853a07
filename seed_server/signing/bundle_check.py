"""What a bundle would have a signer sign: verified from the root that the signer trusts, and compared. Blocking.

The server that prepared the bundle may be an attacker's. So nothing in it counts but what the trusted root's keys have
signed, and the differences to that, which the signer is shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, Key, Signature, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Delegations, Metadata, Root, TargetFile, Targets

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import TORRENTS_PREFIX
from p2pdist.shared.printable_text import printable
from seed_server.signing import bins
from seed_server.signing.bundle import Bundle, OfflineRole, RoleSignature
from seed_server.signing.metadata import is_signed, parse, public_key
from seed_server.signing.role_policy import PATCHES_LIFETIME_SECONDS, ROOT_LIFETIME_SECONDS, may_follow
from seed_server.signing.thresholds import Proposed, RoleSigning, short, signing_of, together

MAX_CLOCK_DIFFERENCE_SECONDS = DAY_SECONDS  # between server and signer; a life that is longer by more is refused

_LIFETIMES: Mapping[str, float] = {
    "root": ROOT_LIFETIME_SECONDS,
    "targets": ROOT_LIFETIME_SECONDS,
    "patches": PATCHES_LIFETIME_SECONDS,
    "profiles": PATCHES_LIFETIME_SECONDS,
}


@dataclass(frozen=True)
class RoleChange:
    """What the next version of one role changes; `patches` and all among which it is divided count as one."""

    role: OfflineRole
    version: int
    """The lowest of its roles; likewise ``expires_at``."""
    expires_at: float
    """Seconds since 1970."""
    added: Mapping[str, bytes]
    """New targets with their content, by path; likewise ``replaced``, which were there with another content."""
    replaced: Mapping[str, bytes]
    removed: tuple[str, ...]
    powers: tuple[str, ...]
    """Changes of keys, thresholds and paths, in words."""
    before: Mapping[str, bytes]
    """What those of ``replaced`` held before."""
    kept: frozenset[str]
    """The targets that stay as they are."""
    versions: Mapping[OfflineRole, int] = field(default_factory=dict)
    """The version of each of its roles."""

    @property
    def superseded(self) -> tuple[str, ...]:
        """What a new version takes the place of: the manifests of the same patch, and torrents that go with them."""
        patches = {_patch_of(name) for name in self.added if name.endswith(".manifest")}
        older = tuple(name for name in self.removed if name.endswith(".manifest") and _patch_of(name) in patches)
        torrents = tuple(name for name in self.removed if name.startswith(TORRENTS_PREFIX))
        return older + torrents if older else ()


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle that extends what the trusted root's keys have signed."""

    bundle: Bundle
    root: bytes
    """The newest root, to be trusted from now on."""
    changes: tuple[RoleChange, ...]
    signing: tuple[RoleSigning, ...]

    def with_bundle(self, bundle: Bundle) -> "CheckedBundle":
        """Return it with the signatures of ``bundle``, which is the same but for these."""
        proposed = {role: _parsed(role, data) for role, data in bundle.proposed.items()}
        current = {role: _parsed(role, data) for role, data in bundle.current.items()}
        root = _parsed("root", self.root).signed
        return replace(self, bundle=bundle, signing=tuple(_signed_so_far(bundle, proposed, root, current)))

    def sign(self, keys: Mapping[str, Ed25519PrivateKey]) -> Bundle:
        """Return the bundle, signed by those of ``keys`` (by role) that may. Raises `UserError` (REFUSED) for none."""
        made, may = [], {state.role: {*state.signed, *state.unsigned} for state in self.signing}
        for role, data in self.bundle.proposed.items():
            key = keys.get(bins.key_of(role))
            shown = bins.PATCHES_ROLE if role in bins.DIVIDED_ROLES else role
            if key is not None and public_key(key).keyid in may[shown]:
                signature = _parsed(role, data).sign(CryptoSigner(key))
                made.append(RoleSignature(role, signature.keyid, signature.signature))
        if not made:
            wanted = "\n".join(state.in_words() for state in self.signing)
            raise UserError(f"None of these keys may sign this bundle. It needs others:\n{wanted}", FaultKind.REFUSED)
        return self.bundle.with_signatures(tuple(made))


def newest_root(trusted: bytes, offered: tuple[bytes, ...]) -> bytes:
    """Return the newest root that ``trusted`` leads to by way of ``offered``, oldest first.

    Raises `UserError`: REFUSED for roots of another repository and for older ones, BAD_INPUT for damaged ones.
    """
    root = _parsed("root", trusted)
    for data in offered:
        step = _parsed("root", data)
        if step.signed.version < root.signed.version:
            continue
        if step.signed.version == root.signed.version:
            if step.signed_bytes != root.signed_bytes:
                raise _refused("it is of another repository than the root that you trust")
            continue
        if step.signed.version != root.signed.version + 1:
            raise _refused(f"it lacks root version {root.signed.version + 1}, which follows the root that you trust")
        for delegator in (root.signed, step.signed):
            _verify(delegator, "root", step)
        root = step
    if _parsed("root", offered[-1]).signed.version < root.signed.version:
        raise _refused("its root is older than the one that you trust")
    return root.to_bytes()


def check_bundle(bundle: Bundle, trusted: bytes, now: float) -> CheckedBundle:
    """Verify ``bundle`` from the root ``trusted``, and return what it changes. ``now`` is in seconds since 1970.

    Raises `UserError`: REFUSED for what the trusted keys have not signed or what must not be signed, BAD_INPUT for
    what is not whole.
    """
    root_bytes = newest_root(trusted, bundle.roots)
    root = _parsed("root", root_bytes)
    current: dict[str, Metadata[Any]] = {role: _parsed(role, data) for role, data in bundle.current.items()}
    for role in ("targets", *sorted(current.keys() - {"targets"}, key=lambda role: role in bins.DIVIDED_ROLES)):
        delegator = bins.delegator_of(role)
        if role not in current or delegator not in current:
            raise _not_whole(f"there is no {delegator} metadata")
        _verify(root.signed if role == "targets" else current[delegator].signed, role, current[role])
    current["root"] = root
    proposed = {role: _parsed(role, data) for role, data in bundle.proposed.items()}
    _add_first_versions(current, proposed)
    documents, before = dict(bundle.documents), dict(bundle.before)
    changes = []
    for shown, roles in _shown_together(proposed).items():
        for role in roles:
            if role not in current or proposed[role].signatures:
                raise _not_whole(
                    f"the metadata of {role} that it replaces is missing, or what is to be signed is signed"
                )
            _check_role(role, current[role].signed, proposed[role].signed, now)
        pairs = {role: (current[role], proposed[role]) for role in roles}
        changes.append(_change(shown, pairs, (documents, before)))
        granted = (proposed if "targets" in proposed else current)["targets"].signed.delegations
        _check_paths(changes[-1], granted)
        if bins.PATCHES_ROLE in pairs:
            _check_division(pairs[bins.PATCHES_ROLE][1].signed, granted)
    if stray := sorted({*documents, *before}):
        raise _not_whole(f"nothing refers to {', '.join(stray)[:200]}")
    states = _signed_so_far(bundle, proposed, root.signed, current)
    return CheckedBundle(bundle, root_bytes, tuple(changes), tuple(states))


def _add_first_versions(current: dict[str, Metadata[Any]], proposed: Proposed) -> None:
    """Put nothing in the place of roles that are new: `patches` may be divided now."""
    patches = current.get(bins.PATCHES_ROLE)
    if patches is not None and patches.signed.delegations is None and bins.PATCHES_ROLE in proposed:
        for role in proposed.keys() & bins.DIVIDED_ROLES:
            if role not in current:
                current[role] = Metadata(Targets())
                current[role].signed.version = 0


def _shown_together(proposed: Proposed) -> dict[str, list[OfflineRole]]:
    shown: dict[str, list[OfflineRole]] = {}
    for role in proposed:
        shown.setdefault(bins.PATCHES_ROLE if role in bins.DIVIDED_ROLES else role, []).append(role)
    return shown


def _signed_so_far(bundle: Bundle, proposed: Proposed, root: Root, current: Proposed) -> list[RoleSigning]:
    for one in bundle.signatures:
        if one.role not in proposed:
            raise _not_whole(f"it has a signature of {one.role}, which it does not change")
        proposed[one.role].signatures[one.keyid] = Signature(one.keyid, one.signature)
    try:
        states = signing_of(proposed, root, current)
    except (RepositoryError, ValueError) as error:
        raise _not_whole(str(error)) from error
    good = {(state.role, key) for state in states for key in state.signed}
    for one in bundle.signatures:
        if (one.role, one.keyid) not in good:
            raise _refused(f"the signature of {one.role} by the key {short(one.keyid)} is not right")
    return together(states)


def _check_role(role: OfflineRole, old: Any, new: Any, now: float) -> None:
    """Refuse a version that may not follow, a life that is too long, and changes that nobody makes."""
    if not may_follow(role, new.version, old.version, now + MAX_CLOCK_DIFFERENCE_SECONDS):
        raise _refused(f"it has version {new.version} of {role}, which does not follow {old.version}")
    life = _LIFETIMES[bins.PATCHES_ROLE if role in bins.DIVIDED_ROLES else role]
    if new.expires.timestamp() > now + life + MAX_CLOCK_DIFFERENCE_SECONDS:
        raise _refused(
            f"{role} would be valid for longer than it may be; look at this machine's clock and the server's"
        )
    if _rest(role, old) != _rest(role, new):
        raise _refused(f"it changes parts of {role} that no publication changes")


def _change(
    shown: OfflineRole,
    pairs: Mapping[OfflineRole, tuple[Metadata[Any], Metadata[Any]]],
    content: tuple[dict[str, bytes], dict[str, bytes]],
) -> RoleChange:
    """Compare two versions of each role; takes what they refer to out of ``content``, the new and the old targets."""
    before, after = _listed(shown, pairs, 0), _listed(shown, pairs, 1)
    fresh = {name: target for name, target in after.items() if not bins.same_content(before.get(name), target)}
    said_anew = [target for name, target in after.items() if before.get(name) != target]
    if not all(bins.names_its_torrents(target, after) for target in said_anew):
        raise _refused("what it says of torrents beside a manifest is not what it lists")
    documents = _taken(content[0], fresh, "what is to be signed")
    replaced = {name: before[name] for name in fresh if name in before}
    signed = {role: new.signed for role, (_, new) in pairs.items()}
    return RoleChange(
        role=shown,
        version=min(one.version for one in signed.values()),
        expires_at=min(one.expires.timestamp() for one in signed.values()),
        added={name: data for name, data in documents.items() if name not in before},
        replaced={name: data for name, data in documents.items() if name in before},
        removed=tuple(sorted(before.keys() - after.keys())),
        powers=() if shown == bins.PATCHES_ROLE else tuple(_powers(*(one.signed for one in pairs[shown]))),
        before=_taken(content[1], replaced, "what is in force"),
        kept=frozenset(after.keys() - fresh.keys()),
        versions={role: one.version for role, one in signed.items()},
    )


def _taken(documents: dict[str, bytes], targets: Mapping[str, TargetFile], what: str) -> dict[str, bytes]:
    """Take the content of ``targets`` out of ``documents``."""
    taken = {}
    for name, target in targets.items():
        taken[name] = documents.pop(name, b"")
        try:
            target.verify_length_and_hashes(taken[name])
        except (RepositoryError, ValueError) as error:
            raise _not_whole(f"{name} is missing, or not {what}") from error
    return taken


def _patch_of(manifest: str) -> str:
    return manifest.rpartition("@")[0]


def _listed(
    shown: OfflineRole, pairs: Mapping[OfflineRole, tuple[Metadata[Any], ...]], which: int
) -> dict[str, TargetFile]:
    if shown == bins.PATCHES_ROLE:
        try:
            return bins.listed({role: pair[which] for role, pair in pairs.items()})
        except ValueError as error:
            raise _refused(str(error)) from error
    return getattr(pairs[shown][which].signed, "targets", {})


def _rest(role: OfflineRole, signed: Any) -> dict[str, Any]:
    """Return what stays the same from version to version: all but what is compared elsewhere."""
    compared = {"version", "expires", "targets", "delegations", "keys", "roles"}
    rest = {name: value for name, value in signed.to_dict().items() if name not in compared}
    if role == bins.PATCHES_ROLE:  # see `_check_division`
        return rest
    delegations = signed.to_dict().get("delegations") or {}
    rest["delegations"] = {name: value for name, value in delegations.items() if name not in compared}
    return rest | {"order of delegations": list(_grants(signed))}


def _powers(old: Any, new: Any) -> Iterator[str]:
    _check_keys(_keys_of(old), _keys_of(new))
    before, after = _grants(old), _grants(new)
    for role in sorted(before.keys() | after.keys()):
        was, becomes = before.get(role, {}), after.get(role, {})
        had, has = set(was.pop("keyids", ())), set(becomes.pop("keyids", ()))
        yield from (f"the key {short(key)} may sign {role} ({key})" for key in sorted(has - had))
        yield from (f"the key {short(key)} may no longer sign {role}" for key in sorted(had - has))
        for name in sorted(was.keys() | becomes.keys()):
            if was.get(name) != becomes.get(name):
                yield f"{name} of {role}: {was.get(name)} → {becomes.get(name)}"


def _grants(signed: Any) -> dict[str, dict[str, Any]]:
    """Return what each role may do by the word of ``signed``, its keys among it."""
    source = signed if isinstance(signed, Root) else signed.delegations
    roles = source.roles if source is not None else None
    return {name: role.to_dict() for name, role in (roles or {}).items()}


def _keys_of(signed: Any) -> dict[str, Key]:
    source = signed if isinstance(signed, Root) else signed.delegations
    return source.keys if source is not None else {}


def _check_keys(before: Mapping[str, Key], after: Mapping[str, Key]) -> None:
    """Refuse a key under the id of another: what a signer is shown are ids."""
    for keyid, key in after.items():
        known = before.get(keyid)
        if known is not None and known != key:
            raise _refused(f"it puts another key in the place of {short(keyid)}")
        if known is None and _own_id(key) != keyid:
            raise _refused(f"the key that it calls {short(keyid)} is another one")


def _own_id(key: Key) -> str:
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    except (KeyError, TypeError, ValueError):
        return ""
    honest = SSlibKey.from_crypto(public)
    return honest.keyid if honest == key else ""


def _check_paths(change: RoleChange, delegations: Delegations | None) -> None:
    """Refuse targets that endpoints would not believe of this role."""
    roles = delegations.roles if delegations is not None else None
    for name in (*change.added, *change.replaced):
        if not roles or change.role not in roles or not roles[change.role].is_delegated_path(name):
            raise _refused(f"{name} is nothing that {change.role} may sign")


def _check_division(patches: Targets, granted: Delegations | None) -> None:
    """Refuse a division of `patches` that is not the one that follows from who may sign it."""
    roles = granted.roles if granted is not None else None
    if granted is None or not roles or patches.delegations != bins.delegations(roles[bins.PATCHES_ROLE], granted.keys):
        raise _refused("it divides patches among other roles or keys than it may")


def _parsed(role: str, data: bytes) -> Metadata[Any]:
    metadata = parse(data)
    if metadata is None:
        raise _not_whole(f"its metadata of {role} cannot be read")
    if not isinstance(metadata.signed, Root if role == "root" else Targets):
        raise _not_whole(f"its metadata of {role} is of another kind")
    return metadata


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> None:
    if not is_signed(delegator, role, metadata):
        raise _refused(f"its {role} metadata is not signed by the keys that you trust")


def _refused(why: str) -> UserError:
    return UserError(
        f"This bundle must not be signed: {printable(why)}. Nothing was signed. "
        "If you expected this bundle, find out what happened on the server that prepared it.",
        FaultKind.REFUSED,
    )


def _not_whole(why: str) -> UserError:
    return UserError(
        f"This bundle is not whole: {printable(why)}. Nothing was signed. Prepare it again, and copy it again.",
        FaultKind.BAD_INPUT,
    )
