"""The order of a patch's publications: their numbers, and the lowest that may still be installed. Pure.

Versions are names, and cannot be ordered for sure: only the holder of the offline `patches` key knows which
publication is the newer. So each gets a number when it is published, which only grows and is never used again. The
online `rollouts` key chooses among the publications that this document allows, and cannot bring back an older one.

The numbers are signed twice: whole, for PCs of release 0.2.0, and in parts by the hash of the patch id, so that a
publication changes a small part of them alone. A PC reads the parts that it needs where there are any.
"""

import enum
import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.identifiers import InvalidIdentifierError, PatchId, PatchRef, parse_patch_id
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document

ORDER_TARGET = "patches/order"
ORDER_PARTS = 32  # of some kilobytes at thousands of ids; more would make the list of parts larger than a part
MAX_ORDERED_PATCHES = 8_000  # as many as the patches role can list (`MAX_TARGETS_ROLE_BYTES`)
MAX_ORDER_BYTES = 1 << 20  # MAX_ORDERED_PATCHES of an id and two numbers, under 100 bytes each
MAX_GONE = 8  # of an id: the next one for every PC forgets them
MAX_PUBLICATION_NUMBER = 1 << 31  # one publication a second for 68 years

PublicationNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_PUBLICATION_NUMBER)]


class OrderRefusal(enum.StrEnum):
    """Why a publication must not be installed, though it may be signed, rolled out and suitable: the closed list."""

    SUPERSEDED = "a newer one is signed, and this one may not be installed any more"
    WAS_NEWER = "this PC has had a newer one, or one that supersedes it"
    WITHDRAWN = "it was withdrawn for good"
    UNNUMBERED = "the offline patches key has given it no number"


class Publications(Document, frozen=True, omit_defaults=True):
    """The numbers of one patch id."""

    newest: PublicationNumber
    """Of the last publication."""
    lowest: Annotated[int, msgspec.Meta(ge=1, le=MAX_PUBLICATION_NUMBER + 1)]
    """The lowest that may be installed; above ``newest``: none may."""
    gone: Annotated[tuple[PublicationNumber, ...], msgspec.Meta(max_length=MAX_GONE)] = ()
    """From ``lowest`` on, those that may not be, either: withdrawn for good, while one before them is offered. Release
    0.2.0 does not read it, and knows no rings, by which alone two publications of an id are offered."""


class PublicationOrder(Document, frozen=True):
    """The numbers of every patch id that was ever published. Signed by the offline ``patches`` role."""

    format: Literal[1]
    patches: Annotated[dict[str, Publications], msgspec.Meta(max_length=MAX_ORDERED_PATCHES)]
    """By patch id."""

    def next_number(self, patch_id: PatchId) -> int:
        """Return the number of the next publication of ``patch_id``."""
        known = self.patches.get(patch_id)
        return 1 if known is None else known.newest + 1

    def with_publication(self, patch_id: PatchId, *, lowest: int) -> "PublicationOrder":
        """Return the order after the next publication of ``patch_id``, when only those from ``lowest`` on may follow.

        Raises `msgspec.ValidationError` for more patches than a document can hold, or a number over its cap.
        """
        known = self.patches.get(patch_id)
        gone = () if known is None else tuple(one for one in known.gone if one >= lowest)
        added = Publications(newest=self.next_number(patch_id), lowest=lowest, gone=gone)
        raw = msgspec.to_builtins(PublicationOrder(format=1, patches={**self.patches, patch_id: added}))
        return msgspec.convert(raw, PublicationOrder)

    def without(self, patch_id: str, *, up_to: int | None = None, stay: Collection[int] = ()) -> "PublicationOrder":
        """Return the order after which no publication of ``patch_id`` may be installed, but for later ones.

        ``up_to``: the last number that is meant; None: the newest. What was never published stays unknown. ``stay``:
        those before it that may be installed as before, as far as there are not too many between them.
        """
        known = self.patches.get(patch_id)
        if known is None:
            return self
        last = known.newest if up_to is None else min(up_to, known.newest)
        kept = [one for one in stay if one <= last and not self.refusal(patch_id, one)]
        lowest = max(known.lowest, min(kept, default=last + 1))
        gone = {*range(lowest, last + 1), *known.gone} - {*kept, *range(lowest)}
        if len(gone) > MAX_GONE:
            lowest, gone = last + 1, {one for one in known.gone if one > last}
        fewer = Publications(newest=known.newest, lowest=lowest, gone=tuple(sorted(gone)))
        return PublicationOrder(format=1, patches={**self.patches, patch_id: fewer})

    def replaced_by(self, supersedes: Iterable[str], listed: Mapping[PatchRef, int]) -> dict[str, int]:
        """Return what the relations ``supersedes`` mean now: per patch id, the last number that they name.

        ``listed`` has the numbers of publications that are named with their version; others are too old to matter.
        """
        found: dict[str, int] = {}
        for relation in supersedes:
            named = PatchRef.of_relation(relation)
            known = self.patches.get(named.patch_id)
            number = listed.get(named, 0) if named.version else 0 if known is None else known.newest
            if number > found.get(named.patch_id, 0):
                found[named.patch_id] = number
        return found

    def refusal(self, patch_id: str, number: int) -> str:
        """Return why publication ``number`` of ``patch_id`` must not be installed, in words; empty: it may be."""
        known = self.patches.get(patch_id)
        if known is None or number > known.newest:
            return str(OrderRefusal.UNNUMBERED)
        if number < known.lowest:
            return refused(OrderRefusal.SUPERSEDED, number, known.lowest)
        return str(OrderRefusal.WITHDRAWN) if number in known.gone else ""


NOTHING_PUBLISHED = PublicationOrder(format=1, patches={})

PART_TARGETS = tuple(f"{ORDER_TARGET}-{number:02x}" for number in range(ORDER_PARTS))


def is_order(target: str) -> bool:
    """Whether the target at this path is the order, or a part of it."""
    return target == ORDER_TARGET or target in PART_TARGETS


def part_target(patch_id: str) -> str:
    """Return the target path of the part that has the numbers of ``patch_id``."""
    return PART_TARGETS[hashlib.sha256(patch_id.encode()).digest()[0] % ORDER_PARTS]


def parts_of(order: PublicationOrder) -> dict[str, PublicationOrder]:
    """Return all parts of ``order`` by their target paths, empty ones too: a PC that finds one relies on all."""
    parts: dict[str, dict[str, Publications]] = {target: {} for target in PART_TARGETS}
    for patch_id, numbers in order.patches.items():
        parts[part_target(patch_id)][patch_id] = numbers
    return {target: PublicationOrder(format=1, patches=patches) for target, patches in parts.items()}


def joined(parts: Iterable[PublicationOrder]) -> PublicationOrder:
    """Return the order that has the numbers of all ``parts``."""
    patches = {patch_id: numbers for part in parts for patch_id, numbers in part.patches.items()}
    return PublicationOrder(format=1, patches=patches)


def refused(refusal: OrderRefusal, number: int, lowest: int) -> str:
    """Return a refusal in words, with the number that is refused and the lowest that is not."""
    return f"{refusal} (it is publication {number}, the lowest allowed is {lowest})"


def encode_order(order: PublicationOrder) -> bytes:
    """Return the order as a TUF target's bytes."""
    return codec.encode(order)


def decode_order(data: bytes) -> PublicationOrder:
    """Return a checked order. Raises `DecodeError`."""
    order: PublicationOrder = codec.decode(data, PublicationOrder, max_bytes=MAX_ORDER_BYTES)
    try:
        for patch_id in order.patches:
            parse_patch_id(patch_id)
    except InvalidIdentifierError as error:
        raise DecodeError(str(error)) from error
    return order
