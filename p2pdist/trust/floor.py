"""The trust floor: the newest versions and time of signed metadata that this endpoint has accepted. Pure.

TUF's client protects against rollback by a cache that it does not fsync. This
floor is kept beside that cache. It is made durable before anything acts on the
accepted metadata, and never sinks: not when the cache is lost, not when the clock
is set back.

Two rules of the TUF specification shape it:

* 5.3.11, recovery from a fast-forward attack: a newer root that rotates the keys
  of timestamp or snapshot restarts the version numbers of both, and with them
  those of the targets roles. Only the root's threshold can do that.
* Expiry is judged by a clock. The floor keeps the highest time at which
  *unexpired* metadata was accepted, and expiry is judged by that time when the
  clock shows less. A clock that is far ahead finds everything expired: it cannot
  raise the floor beyond an expiry date, and once corrected it works again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from bandwidth.core.quantities import duration_in_words
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record

MAX_VERSION = 1 << 62  # fits msgpack; anything above is a fast-forward attack or nonsense
MAX_ROLES = 64  # top-level targets, patches, rollouts, profiles, and delegations per product
MAX_ROLE_NAME_CHARS = 128
MAX_FLOOR_BYTES = 64 << 10  # MAX_ROLES names and as many key ids, with room
MAX_ACCEPTED_BYTES = 64 << 20  # the whole verified metadata; thousands of patches are a few MB
CLOCK_TOLERANCE_SECONDS = 120.0  # a time service may step the clock back by this much without a warning
CHECKSUM_BYTES = 32
ALARM_AT_LIFE_FRACTION = 0.55  # servers renew at half of the life; the rest is for us to refresh
_MAX_TIME = 1e11  # the year 5138

MetadataVersion = Annotated[int, msgspec.Meta(ge=0, le=MAX_VERSION)]
Moment = Annotated[float, msgspec.Meta(ge=0.0, le=_MAX_TIME)]
RoleName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ROLE_NAME_CHARS)]


class TrustFloor(Record, frozen=True):
    """The highest versions and the highest time accepted so far; times are seconds since 1970, UTC."""

    root: MetadataVersion = 0
    timestamp: MetadataVersion = 0
    snapshot: MetadataVersion = 0
    roles: Annotated[dict[RoleName, MetadataVersion], msgspec.Meta(max_length=MAX_ROLES)] = msgspec.field(
        default_factory=dict
    )
    """Version of the top-level targets role and of every delegated role that the snapshot names."""
    online_keys: Annotated[list[RoleName], msgspec.Meta(max_length=MAX_ROLES)] = msgspec.field(default_factory=list)
    """Ids of the keys that sign timestamp and snapshot; a change of them restarts their versions."""
    time: Moment = 0.0
    timestamp_first_seen: Moment = 0.0
    timestamp_expires: Moment = 0.0


class AcceptedMetadata(Record, frozen=True, kw_only=True):
    """All signed metadata as last accepted, so that it can be verified again offline."""

    format: Literal[1] = 1
    accepted_at: Moment
    roots: dict[str, bytes]
    """The chain of newer roots since the enrolled one, by version in decimal."""
    roles: Annotated[dict[RoleName, bytes], msgspec.Meta(max_length=MAX_ROLES)]
    floor: TrustFloor
    """A second copy of the floor, which is lost only when both files are."""


@dataclass(frozen=True)
class VerifiedVersions:
    """The versions in a set of metadata, after its signatures and expiry have been verified."""

    root: int
    timestamp: int
    snapshot: int
    roles: Mapping[str, int]
    online_keys: frozenset[str]
    timestamp_expires: float


def refusal(floor: TrustFloor, seen: VerifiedVersions) -> str:
    """Return why ``seen`` must not be accepted, as a clause for people, or ``""`` when it may be."""
    if over_cap := _over_cap(seen):
        return over_cap
    before, after = {"root": floor.root}, {"root": seen.root}
    if not _restarted(floor, seen):
        before |= {"timestamp": floor.timestamp, "snapshot": floor.snapshot}
        before |= {f"role {name}": version for name, version in sorted(floor.roles.items())}
        after |= {"timestamp": seen.timestamp, "snapshot": seen.snapshot}
        after |= {f"role {name}": version for name, version in seen.roles.items()}
    for name, version in before.items():
        if name not in after:
            return f"{name} is gone, of which this PC has accepted version {version}"
        if after[name] < version:
            return f"{name} is version {after[name]}, this PC has accepted {version}"
    return ""


def _over_cap(seen: VerifiedVersions) -> str:
    if len(seen.roles) > MAX_ROLES or len(seen.online_keys) > MAX_ROLES:
        return f"it names more than {MAX_ROLES} roles or keys"
    if any(not 1 <= len(name) <= MAX_ROLE_NAME_CHARS for name in (*seen.roles, *seen.online_keys)):
        return f"it has a role or key name that is not 1 to {MAX_ROLE_NAME_CHARS} characters long"
    if max(seen.root, seen.timestamp, seen.snapshot, *seen.roles.values()) > MAX_VERSION:
        return f"it has a version above {MAX_VERSION}"
    return ""


def raised(floor: TrustFloor, seen: VerifiedVersions, now: float) -> TrustFloor:
    """Return the floor after accepting ``seen`` at time ``now``. Call only when `refusal` is empty."""
    same_timestamp = seen.timestamp == floor.timestamp and not _restarted(floor, seen)
    return TrustFloor(
        root=seen.root,
        timestamp=seen.timestamp,
        snapshot=seen.snapshot,
        roles=dict(sorted(seen.roles.items())),
        online_keys=sorted(seen.online_keys),
        time=reference_time(floor, now),
        timestamp_first_seen=floor.timestamp_first_seen if same_timestamp else reference_time(floor, now),
        timestamp_expires=min(max(seen.timestamp_expires, 0.0), _MAX_TIME),
    )


def reference_time(floor: TrustFloor, now: float) -> float:
    """Return the time by which expiry is judged: the clock's, or the floor's when the clock shows less."""
    return max(now, floor.time)


def higher(first: TrustFloor, second: TrustFloor) -> TrustFloor:
    """Return the later of two copies of one floor."""
    return max(first, second, key=lambda floor: (floor.root, floor.timestamp, floor.snapshot, floor.time))


def clock_set_back_seconds(floor: TrustFloor, now: float) -> float:
    """Return by how much the clock is behind the floor, or 0 when that is within `CLOCK_TOLERANCE_SECONDS`."""
    behind = floor.time - now
    return behind if behind > CLOCK_TOLERANCE_SECONDS else 0.0


def freshness_alarm(floor: TrustFloor, now: float) -> str:
    """Return a sentence for people when the accepted metadata is older than half its life, else ``""``.

    TUF metadata carries no date of issue, so its life is counted from the time at
    which this endpoint first saw that timestamp version. A server that renews it
    before half its life never raises the alarm; one that is frozen or gone always does.
    """
    at = reference_time(floor, now)
    if floor.timestamp == 0:
        return ""
    if at >= floor.timestamp_expires:
        return (
            f"The signed metadata expired {duration_in_words(at - floor.timestamp_expires)} ago, so nothing new is "
            "accepted; patches accepted before are still shared. "
            "Check that the seed server runs and this PC's clock is right."
        )
    life = floor.timestamp_expires - floor.timestamp_first_seen
    if at - floor.timestamp_first_seen > ALARM_AT_LIFE_FRACTION * life:
        return (
            f"The seed server has sent nothing newer for {duration_in_words(at - floor.timestamp_first_seen)}, "
            "more than half the life of its signed metadata, which expires in "
            f"{duration_in_words(floor.timestamp_expires - at)}: it is down, or somebody withholds "
            "updates. Check the seed server."
        )
    return ""


def encode_floor(floor: TrustFloor) -> bytes:
    """Return the floor as the bytes of a file, with a checksum."""
    return _seal(codec.encode(floor))


def decode_floor(data: bytes) -> TrustFloor:
    """Return the floor that `encode_floor` wrote. Raises `DecodeError` for anything else."""
    floor: TrustFloor = codec.decode(_unseal(data), TrustFloor, max_bytes=MAX_FLOOR_BYTES)
    return floor


def encode_accepted(accepted: AcceptedMetadata, *, max_bytes: int = MAX_ACCEPTED_BYTES) -> bytes:
    """Return the metadata as a file's bytes, with a checksum. Raises `DecodeError` for more than ``max_bytes``."""
    body = codec.encode(accepted)
    if len(body) > max_bytes:
        raise DecodeError(f"{len(body)} bytes of metadata are over the cap of {max_bytes}")
    return _seal(body)


def decode_accepted(data: bytes, *, max_bytes: int = MAX_ACCEPTED_BYTES) -> AcceptedMetadata:
    """Return the metadata that `encode_accepted` wrote. Raises `DecodeError` for anything else."""
    accepted: AcceptedMetadata = codec.decode(_unseal(data), AcceptedMetadata, max_bytes=max_bytes)
    if not all(version.isascii() and version.isdigit() and len(version) < 20 for version in accepted.roots):
        raise DecodeError("a root's version is not a number")
    return accepted


def _restarted(floor: TrustFloor, seen: VerifiedVersions) -> bool:
    return seen.root > floor.root and seen.online_keys != frozenset(floor.online_keys)


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + body


def _unseal(data: bytes) -> bytes:
    checksum, body = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
    if hashlib.sha256(body).digest() != checksum:
        raise DecodeError("the checksum does not fit: the file is damaged")
    return body
