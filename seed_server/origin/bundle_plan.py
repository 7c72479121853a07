"""Which small payloads are bundled with which. Pure."""

from collections.abc import Iterable, Iterator

from p2pdist.shared.wire.bundle import LEAST_BUNDLED, MAX_BUNDLE_BYTES, MAX_BUNDLED, MAX_BUNDLED_BYTES
from seed_server.store.rows import ServedPayload


def is_small(payload: ServedPayload) -> bool:
    """Whether a payload may be bundled; what is no published patch, or damaged, may not."""
    return bool(payload.patch_id) and not payload.damaged and payload.length_bytes <= MAX_BUNDLED_BYTES


def cut(payloads: Iterable[ServedPayload]) -> Iterator[tuple[ServedPayload, ...]]:
    """Yield the bundles: payloads of one urgency, in the order of their publication. What is too few is in none."""
    members: list[ServedPayload] = []
    length_bytes = 0
    for payload in sorted(payloads, key=lambda each: (each.urgency, each.sequence, each.number)):
        full = len(members) == MAX_BUNDLED or length_bytes + payload.length_bytes > MAX_BUNDLE_BYTES
        if members and (full or payload.urgency != members[0].urgency):
            if len(members) >= LEAST_BUNDLED:
                yield tuple(members)
            members, length_bytes = [], 0
        members.append(payload)
        length_bytes += payload.length_bytes
    if len(members) >= LEAST_BUNDLED:
        yield tuple(members)
