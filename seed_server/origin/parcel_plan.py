"""Which small payloads are parcelled with which. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from p2pdist.shared.wire.parcel import LEAST_PARCELLED, MAX_PARCEL_BYTES, MAX_PARCELLED, MAX_PARCELLED_BYTES
from seed_server.store.rows import ServedPayload


def is_small(payload: ServedPayload) -> bool:
    """Whether a payload may be parcelled; what is no published patch, damaged or an emergency may not."""
    served = bool(payload.patch_id) and not payload.damaged
    return served and not payload.emergency and payload.length_bytes <= MAX_PARCELLED_BYTES


def is_parcel(members: Sequence[ServedPayload]) -> bool:
    """Whether `cut` may have made a parcel of these small payloads, of all that there were then."""
    return (
        LEAST_PARCELLED <= len(set(members)) == len(members) <= MAX_PARCELLED
        and sum(member.length_bytes for member in members) <= MAX_PARCEL_BYTES
        and len({member.urgency for member in members}) == 1
    )


def cut(payloads: Iterable[ServedPayload]) -> Iterator[tuple[ServedPayload, ...]]:
    """Yield the parcels: payloads of one urgency, in the order of their publication. What is too few is in none."""
    members: list[ServedPayload] = []
    length_bytes = 0
    for payload in sorted(payloads, key=lambda each: (each.urgency, each.sequence, each.number)):
        full = len(members) == MAX_PARCELLED or length_bytes + payload.length_bytes > MAX_PARCEL_BYTES
        if members and (full or payload.urgency != members[0].urgency):
            if len(members) >= LEAST_PARCELLED:
                yield tuple(members)
            members, length_bytes = [], 0
        members.append(payload)
        length_bytes += payload.length_bytes
    if len(members) >= LEAST_PARCELLED:
        yield tuple(members)
