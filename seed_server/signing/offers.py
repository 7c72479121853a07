"""What the online key changes in the rollouts: what is offered, and what is taken back. Pure.

Taking away and offering again need no offline key, so that both are quick. Neither gives anything: what may be
installed at all, the offline key says in `publication_order`, and PCs hold the rollouts to it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, given_name, related_id
from p2pdist.shared.manifest.documents import (
    MAX_REASON_CHARS,
    MAX_ROLLOUT_ENTRIES,
    MAX_WITHDRAWALS,
    Manifest,
    RolloutEntry,
    Rollouts,
    Withdrawal,
)
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.staged import NOTHING_STAGED, StagedRollouts
from seed_server.signing.publications import SUPERSEDED_DAYS

NO_REASON = "withdrawn by the operator"  # of what is withdrawn without a word

OfferState: TypeAlias = Literal["offered", "withdrawn", "superseded"]


@dataclass(frozen=True)
class Offer:
    """One publication that the repository lists, and what PCs are told of it."""

    manifest: Manifest
    state: OfferState
    withdrawal: Withdrawal | None = None
    """What was said when it was withdrawn; None: it is not."""
    for_good: bool = False
    """Whether only a new publication can be installed from now on."""
    superseded_by: PatchRef | None = None
    """What has taken its place; None: nothing."""

    @property
    def is_open(self) -> bool:
        """Whether PCs are offered it, or it waits for its rollout."""
        waits = self.state == "withdrawn" and self.withdrawal is None and not self.for_good
        return self.state == "offered" or waits


def next_sequence(rollouts: Rollouts, staged: StagedRollouts = NOTHING_STAGED) -> int:
    """Return the sequence number of the next publication: what is withdrawn or stopped keeps its own."""
    parts = (rollouts.entries, rollouts.withdrawn, staged.entries, staged.stopped)
    return max((one.sequence for part in parts for one in part), default=0) + 1


def joined(rollouts: Rollouts, staged: StagedRollouts) -> Rollouts:
    """Return what any PC may be offered, by rings or not, and what was taken back of either: taking goes first."""
    entries = {entry.ref: entry for entry in rollouts.entries}
    for one in staged.entries:
        entries.setdefault(one.ref, RolloutEntry(one.ref.patch_id, one.ref.version, one.sequence))
    stopped = {one.ref for one in staged.stopped}
    withdrawn = (*(one for one in rollouts.withdrawn if one.ref not in stopped), *staged.stopped)
    taken = {one.ref for one in withdrawn}
    left = sorted((entry for ref, entry in entries.items() if ref not in taken), key=lambda entry: entry.sequence)
    return Rollouts(format=1, entries=left, withdrawn=withdrawn)


def parse_named(text: str) -> PatchRef:
    """Return what PATCH or PATCH@VERSION names; without a version, that is empty. Raises `UserError` (BAD_INPUT)."""
    return given_name(PatchRef.named, text)


def checked_reason(text: str) -> str:
    """Return a reason as PCs take it; empty becomes `NO_REASON`. Raises `UserError` (BAD_INPUT)."""
    reason = " ".join(text.split()) or NO_REASON
    if len(reason) > MAX_REASON_CHARS or not reason.isprintable():
        raise _bad(f"A reason has at most {MAX_REASON_CHARS} printable characters, in one line. Shorten it.")
    return reason


def with_entry(rollouts: Rollouts, ref: PatchRef, staged: StagedRollouts = NOTHING_STAGED) -> Rollouts:
    """Return the rollouts with ``ref`` as the one current version of its id, last in sequence of both documents.

    Withdrawals of the id are answered by it, and go.
    """
    entry = RolloutEntry(patch_id=ref.patch_id, version=ref.version, sequence=next_sequence(rollouts, staged))
    return Rollouts(
        format=1,
        entries=[*(other for other in rollouts.entries if other.patch_id != ref.patch_id), entry],
        withdrawn=tuple(other for other in rollouts.withdrawn if other.patch_id != ref.patch_id),
    )


def without_version(rollouts: Rollouts, ref: PatchRef) -> Rollouts:
    """Return the rollouts that say nothing of ``ref``: its next publication, of the same version, is for rings."""
    return Rollouts(
        format=1,
        entries=[one for one in rollouts.entries if one.ref != ref],
        withdrawn=tuple(one for one in rollouts.withdrawn if one.ref != ref),
    )


def without_entries(rollouts: Rollouts, named: PatchRef, reason: str, now: float) -> Rollouts:
    """Return the rollouts that offer ``named`` no more; unchanged where they do not offer it."""
    gone = [entry for entry in rollouts.entries if entry.ref.is_named(named)]
    taken = {entry.ref for entry in gone}
    fresh = (
        Withdrawal(patch_id=one.patch_id, version=one.version, sequence=one.sequence, reason=reason, at=int(now))
        for one in gone
    )
    known = (one for one in rollouts.withdrawn if one.ref not in taken)
    return Rollouts(
        format=1,
        entries=[entry for entry in rollouts.entries if entry.ref not in taken],
        withdrawn=_remembered((*known, *fresh)),
    )


def _remembered(withdrawn: tuple[Withdrawal, ...]) -> tuple[Withdrawal, ...]:
    """Return the newest withdrawals, and in any case the one whose number is not to be given again."""
    newest = withdrawn[-MAX_WITHDRAWALS:]
    last = max(withdrawn, key=lambda one: one.sequence, default=None)
    return newest if last is None or last in newest else (last, *newest[1:])


def offered_again(
    rollouts: Rollouts,
    named: PatchRef,
    order: PublicationOrder,
    listed: Collection[Manifest],
    by_rings: StagedRollouts = NOTHING_STAGED,
) -> Rollouts:
    """Return the rollouts that offer ``named`` again, as they did before it was withdrawn.

    ``order`` and ``listed`` are what the offline key has signed. What was offered ``by_rings`` is not offered to every
    PC by that. Raises `UserError`: BAD_INPUT for what is not
    withdrawn, REFUSED for what PCs would not install, or where no more can be offered.
    """
    back = [one for one in rollouts.withdrawn if one.ref.is_named(named)]
    if not back:
        if _is_gone(named, rollouts, order, listed):
            raise _bad(
                f"{_written(named)} is not kept here any more: it was superseded over {SUPERSEDED_DAYS} days ago. "
                "To go back to it, publish it again."
            )
        now = joined(rollouts, by_rings)
        raise _not_withdrawn(named, now, offers(now, order, listed))
    numbers = {manifest.ref: manifest.number for manifest in listed}
    for one in back:
        number = numbers.get(one.ref)
        if number is None or order.refusal(one.patch_id, number):
            raise _for_good(one.ref)
    if len(rollouts.entries) + len(back) > MAX_ROLLOUT_ENTRIES:
        raise UserError(
            f"The fleet is offered {len(rollouts.entries)} patches already, the most that endpoints accept. "
            "Withdraw another one first.",
            FaultKind.REFUSED,
        )
    entries = [*rollouts.entries, *(RolloutEntry(one.patch_id, one.version, one.sequence) for one in back)]
    left = tuple(one for one in rollouts.withdrawn if one not in back)
    return Rollouts(format=1, entries=sorted(entries, key=lambda entry: entry.sequence), withdrawn=left)


def _is_gone(named: PatchRef, rollouts: Rollouts, order: PublicationOrder, listed: Iterable[Manifest]) -> bool:
    """Whether nothing of an id is listed or offered any more that was published once."""
    known = {one.patch_id for part in (rollouts.entries, listed) for one in part}
    return named.patch_id in order.patches and named.patch_id not in known


def offers(rollouts: Rollouts, order: PublicationOrder, listed: Iterable[Manifest]) -> list[Offer]:
    """Return every publication in ``listed`` with its state, in the order of ids, the newest of each id first."""
    manifests = sorted(listed, key=lambda manifest: (manifest.patch_id, -manifest.number))
    offered = {entry.ref for entry in rollouts.entries}
    withdrawn = {one.ref: one for one in rollouts.withdrawn}
    replacing: dict[str, list[tuple[Manifest, str]]] = {}
    """By the id that is replaced: by which publication, as it says."""
    for manifest in manifests:
        if manifest.supersedes and manifest.ref in offered:
            for relation in manifest.supersedes:
                replacing.setdefault(related_id(relation), []).append((manifest, relation))
    newest = {manifest.patch_id: manifest for manifest in reversed(manifests)}
    found = []
    for manifest in manifests:
        ref = manifest.ref
        others = replacing.get(manifest.patch_id, ())
        by = next((other.ref for other, relation in others if other.ref != ref and ref.matches(relation)), None)
        later = newest[manifest.patch_id]
        if by is None and later is not manifest and ref not in offered:
            by = later.ref
        withdrawal = withdrawn.get(ref)
        gone = ref not in offered and by is None
        state: OfferState = "withdrawn" if withdrawal or gone else "superseded" if by else "offered"
        refused = bool(order.refusal(manifest.patch_id, manifest.number))
        found.append(Offer(manifest, state, withdrawal, state == "withdrawn" and refused, by))
    return found


def dependents(named: PatchRef, rollouts: Rollouts, listed: Iterable[Manifest]) -> list[PatchRef]:
    """Return what is still offered and requires ``named``: without it, PCs cannot install these."""
    offered = {entry.ref for entry in rollouts.entries}
    return [
        manifest.ref
        for manifest in listed
        if manifest.ref in offered
        and any(PatchRef.of_relation(relation).patch_id == named.patch_id for relation in manifest.requires)
    ]


def not_offered(named: PatchRef, listed: Iterable[Offer]) -> UserError:
    """Return the error for a patch that cannot be withdrawn: what is so of it, by what is listed."""
    of_id = [offer for offer in listed if offer.manifest.patch_id == named.patch_id]
    patch = _written(named)
    for offer in of_id:  # the newest first: of an id alone, that one is meant
        if not offer.manifest.ref.is_named(named):
            continue
        if offer.for_good:
            return _bad(f"{patch} is withdrawn for good already; nothing is to be done.")
        if offer.state == "withdrawn":
            return _bad(f"{patch} is withdrawn already; nothing is to be done.")
        if offer.superseded_by is not None:
            return _bad(f"{patch} is not offered: {offer.superseded_by} has taken its place. Withdraw that one.")
    others = [str(offer.manifest.ref) for offer in of_id if offer.state == "offered"]
    instead = f"{', '.join(others)} is. " if others else ""
    return _bad(f"No {patch} is known here, so it cannot be withdrawn. {instead}'seed-server list' lists the patches.")


def _not_withdrawn(named: PatchRef, rollouts: Rollouts, listed: Iterable[Offer]) -> UserError:
    """Return the error for a patch that cannot be offered again."""
    patch = _written(named)
    if any(entry.ref.is_named(named) for entry in rollouts.entries):
        return _bad(f"{patch} is offered already; nothing is to be done.")
    for offer in listed:
        if not offer.manifest.ref.is_named(named):
            continue
        if offer.superseded_by is not None:
            return _bad(
                f"{patch} cannot be offered again: {offer.superseded_by} has taken its place. "
                "To go back to it, publish it again."
            )
        if offer.for_good:
            return _for_good(offer.manifest.ref)
        if offer.state == "withdrawn":
            return _bad(f"{patch} goes by rings. Begin its rollout: seed-server rollout start {offer.manifest.ref}")
    return _bad(f"No {patch} is known here, so it cannot be offered again. 'seed-server list' lists the patches.")


def _for_good(ref: PatchRef) -> UserError:
    return UserError(
        f"{ref} cannot be offered again: with the offline key, it was withdrawn for good, or a newer one was "
        "published, so no PC would install it. Publish it again.",
        FaultKind.REFUSED,
    )


def _written(named: PatchRef) -> str:
    return str(named) if named.version else named.patch_id


def _bad(message: str) -> UserError:
    return UserError(message, FaultKind.BAD_INPUT)
