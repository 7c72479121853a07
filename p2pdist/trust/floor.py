"""The trust floor: the newest versions and time of signed metadata that this endpoint has verified. Pure.

The floor rises with each step of a refresh (root, timestamp, snapshot), and is made
durable before the next step, also when that one fails: else whoever cuts the line
at the right moment makes a PC forget that a key was revoked. It never sinks: not
when the metadata is lost, not when the clock is set back.

Two rules of the TUF specification shape it:

* 5.3.11, recovery from a fast-forward attack: a newer root that rotates the keys
  of timestamp or snapshot restarts the version numbers of both, and with them
  those of the targets roles. Only the root's threshold can do that.
* Expiry is judged by a clock. The floor keeps a time that has certainly passed, and
  expiry is judged by that time when the clock shows less. Our server signs into each
  timestamp when it was issued. So a clock that is ahead raises the floor no further
  than that. Where that field is missing, the floor keeps the time at which
  *unexpired* metadata was verified. A clock that is far ahead finds everything
  expired; so it cannot raise the floor beyond an expiry date.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import structs

from bandwidth.core.quantities import duration_in_words
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, KeptState

MAX_VERSION = 1 << 62  # fits msgpack; anything above is a fast-forward attack or nonsense
MAX_ROLES = 64  # top-level targets, patches, rollouts, profiles, and delegations per product
MAX_ROLE_NAME_CHARS = 128
MAX_VERIFIED_BYTES = 20 << 20  # 256 roots of 64 KiB, and the rest of the top level
MAX_ACCEPTED_BYTES = 64 << 20  # the whole verified metadata; thousands of patches are a few MB
CHECKSUM_BYTES = 32
ALARM_AT_LIFE_FRACTION = 0.55  # servers renew at half of the life; the rest is for us to refresh
_MAX_TIME = 1e11  # the year 5138

MetadataVersion = Annotated[int, msgspec.Meta(ge=0, le=MAX_VERSION)]
Moment = Annotated[float, msgspec.Meta(ge=0.0, le=_MAX_TIME)]
RoleName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ROLE_NAME_CHARS)]


class TrustFloor(KeptState, frozen=True):
    """The highest versions and the highest time verified so far; times are seconds since 1970, UTC."""

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
    timestamp_since: Moment = 0.0
    """When the newest timestamp was signed; where it does not say, when this endpoint first saw it."""
    timestamp_expires: Moment = 0.0
    acceptances: MetadataVersion = 0
    """How many states have been accepted as a whole: tells the last one from an older copy of the file."""


class VerifiedMetadata(KeptState, frozen=True, kw_only=True):
    """The top level as last verified, whether or not what it names could be had; the floor that follows from it."""

    format: Literal[2] = 2
    roots: dict[str, bytes] = msgspec.field(default_factory=dict)
    """The chain of newer roots since the enrolled one, by version in decimal."""
    timestamp: bytes = b""
    """Empty before the first one, and after a root that replaced the online keys (TUF 5.3.11)."""
    snapshot: bytes = b""
    """Empty as ``timestamp``. Older than the timestamp says while the newer one could not be had."""
    floor: TrustFloor = TrustFloor()


class AcceptedMetadata(KeptState, frozen=True, kw_only=True):
    """All signed metadata as last accepted as a whole, so that it can be verified again offline."""

    format: Literal[1] = 1
    accepted_at: Moment
    roots: dict[str, bytes]
    """The chain of newer roots since the enrolled one, by version in decimal."""
    roles: Annotated[dict[RoleName, bytes], msgspec.Meta(max_length=MAX_ROLES)]
    """Timestamp and snapshot, the top-level targets role, and each delegated role that a document needed."""
    floor: TrustFloor
    """A second copy of the floor, which is lost only when both files are."""


def top_level(accepted: AcceptedMetadata) -> VerifiedMetadata:
    """Return the part of ``accepted`` that is kept as soon as it is verified."""
    return VerifiedMetadata(
        roots=accepted.roots,
        timestamp=accepted.roles.get("timestamp", b""),
        snapshot=accepted.roles.get("snapshot", b""),
        floor=accepted.floor,
    )


@dataclass(frozen=True, kw_only=True)
class VerifiedVersions:
    """The versions in a set of metadata whose signatures have been verified: of all of it, or of its first steps."""

    root: int
    online_keys: frozenset[str]
    timestamp: int | None = None
    """None until the timestamp has been verified, which includes that it has not expired."""
    timestamp_expires: float = 0.0
    issued: float | None = None
    """When the timestamp was signed, as it says itself; None where it does not say."""
    snapshot: int | None = None
    """As the timestamp names it; None with the timestamp."""
    roles: Mapping[str, int] | None = None
    """As the snapshot names them; None until it has been verified."""


def refusal(floor: TrustFloor, seen: VerifiedVersions) -> str:
    """Return why ``seen`` must not be accepted, as a clause for people, or ``""`` when it may be."""
    if over_cap := _over_cap(seen):
        return over_cap
    if seen.root < floor.root:
        return _older("root", seen.root, floor.root)
    if restarts(floor, seen):
        return ""
    if seen.timestamp is not None and seen.timestamp < floor.timestamp:
        return _older("timestamp", seen.timestamp, floor.timestamp)
    if seen.snapshot is not None and seen.snapshot < floor.snapshot:
        return _older("snapshot", seen.snapshot, floor.snapshot)
    return "" if seen.roles is None else _older_role(floor.roles, seen.roles)


def _older_role(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    for name, version in sorted(before.items()):
        if name not in after:
            return f"role {name} is gone, of which this PC has accepted version {version}"
        if after[name] < version:
            return _older(f"role {name}", after[name], version)
    return ""


def _older(name: str, version: int, accepted: int) -> str:
    return f"{name} is version {version}, this PC has accepted {accepted}"


def _over_cap(seen: VerifiedVersions) -> str:
    roles = seen.roles or {}
    if len(roles) > MAX_ROLES or len(seen.online_keys) > MAX_ROLES:
        return f"it names more than {MAX_ROLES} roles or keys"
    if any(not 1 <= len(name) <= MAX_ROLE_NAME_CHARS for name in (*roles, *seen.online_keys)):
        return f"it has a role or key name that is not 1 to {MAX_ROLE_NAME_CHARS} characters long"
    if max(seen.root, seen.timestamp or 0, seen.snapshot or 0, *roles.values()) > MAX_VERSION:
        return f"it has a version above {MAX_VERSION}"
    return ""


def raised(floor: TrustFloor, seen: VerifiedVersions, now: float) -> TrustFloor:
    """Return the floor after verifying ``seen`` at time ``now``. Call only when `refusal` is empty.

    What ``seen`` does not say yet stays, unless a new root restarts it.
    """
    if restarts(floor, seen):
        floor = structs.replace(floor, timestamp=0, snapshot=0, roles={}, timestamp_since=0.0)
    raised_floor = structs.replace(floor, root=seen.root, online_keys=sorted(seen.online_keys))
    if seen.timestamp is None:
        return raised_floor
    at = reference_time(floor, now)
    since = at if seen.issued is None else min(at, seen.issued)
    return structs.replace(
        raised_floor,
        timestamp=seen.timestamp,
        snapshot=floor.snapshot if seen.snapshot is None else seen.snapshot,
        roles=floor.roles if seen.roles is None else dict(sorted(seen.roles.items())),
        time=max(floor.time, since),
        timestamp_since=floor.timestamp_since if seen.timestamp == floor.timestamp else since,
        timestamp_expires=min(max(seen.timestamp_expires, 0.0), _MAX_TIME),
    )


def restarts(floor: TrustFloor, seen: VerifiedVersions) -> bool:
    """Return whether a newer root has replaced the online keys, and the versions that they sign begin anew."""
    return seen.root > floor.root and seen.online_keys != frozenset(floor.online_keys)


def issued_at(value: object) -> float | None:
    """Return the time of issue that a timestamp's field `ISSUED_FIELD` holds, or None when it holds no time."""
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME
    return float(value) if known else None  # type: ignore[arg-type] # known: it is an int


def reference_time(floor: TrustFloor, now: float) -> float:
    """Return the time by which expiry is judged: the clock's, or the floor's when the clock shows less."""
    return max(now, floor.time)


def rank(floor: TrustFloor) -> tuple[float, ...]:
    """Return the key by which the later of two copies of one floor is found: its copy is the greater one."""
    return floor.root, floor.timestamp, floor.snapshot, floor.time, floor.acceptances


def freshness_alarm(floor: TrustFloor, now: float) -> str:
    """Return a sentence for people when the accepted metadata is older than half its life, else ``""``.

    Its life is counted from when the timestamp was signed; where it does not say that,
    from when this endpoint first saw it. A server that renews it at half its life
    never raises the alarm; one that is frozen or gone always does.
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
    life = floor.timestamp_expires - floor.timestamp_since
    if at - floor.timestamp_since > ALARM_AT_LIFE_FRACTION * life:
        return (
            f"The seed server has sent nothing newer for {duration_in_words(at - floor.timestamp_since)}, "
            "more than half the life of its signed metadata, which expires in "
            f"{duration_in_words(floor.timestamp_expires - at)}: it is down, or somebody withholds "
            "updates. Check the seed server."
        )
    return ""


def encode_verified(verified: VerifiedMetadata, *, max_bytes: int = MAX_VERIFIED_BYTES) -> bytes:
    """Return the metadata as a file's bytes, with a checksum. Raises `DecodeError` for more than ``max_bytes``."""
    return _seal(codec.encode(verified), max_bytes)


def decode_verified(data: bytes, *, max_bytes: int = MAX_VERIFIED_BYTES) -> VerifiedMetadata:
    """Return the metadata that `encode_verified` wrote. Raises `DecodeError` for anything else."""
    verified: VerifiedMetadata = codec.decode(_unseal(data), VerifiedMetadata, max_bytes=max_bytes)
    _check_root_versions(verified.roots)
    return verified


def encode_accepted(accepted: AcceptedMetadata, *, max_bytes: int = MAX_ACCEPTED_BYTES) -> bytes:
    """Return the metadata as a file's bytes, with a checksum. Raises `DecodeError` for more than ``max_bytes``."""
    return _seal(codec.encode(accepted), max_bytes)


def decode_accepted(data: bytes, *, max_bytes: int = MAX_ACCEPTED_BYTES) -> AcceptedMetadata:
    """Return the metadata that `encode_accepted` wrote. Raises `DecodeError` for anything else."""
    accepted: AcceptedMetadata = codec.decode(_unseal(data), AcceptedMetadata, max_bytes=max_bytes)
    _check_root_versions(accepted.roots)
    return accepted


def _check_root_versions(roots: Mapping[str, bytes]) -> None:
    if not all(version.isascii() and version.isdigit() and len(version) < 20 for version in roots):
        raise DecodeError("a root's version is not a number")


def _seal(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise DecodeError(f"{len(body)} bytes of metadata are over the cap of {max_bytes}")
    return hashlib.sha256(body).digest() + body


def _unseal(data: bytes) -> bytes:
    checksum, body = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
    if hashlib.sha256(body).digest() != checksum:
        raise DecodeError("the checksum does not fit: the file is damaged")
    return body
