"""The trust floor never sinks, whatever is offered in whatever order."""

import contextlib

from hypothesis import assume, given
from hypothesis import strategies as st

from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import AcceptedMetadata, TrustFloor, VerifiedMetadata, VerifiedVersions

small = st.integers(1, 6)
offers = st.builds(
    VerifiedVersions,
    root=small,
    timestamp=small,
    snapshot=small,
    roles=st.dictionaries(st.sampled_from(["targets", "patches", "rollouts"]), small),
    online_keys=st.frozensets(st.sampled_from("abc"), max_size=2),
    timestamp_expires=st.floats(0, 1e10),
)
first_steps = st.builds(  # a refresh that failed after the root, or after the timestamp
    VerifiedVersions,
    root=small,
    online_keys=st.frozensets(st.sampled_from("abc"), max_size=2),
) | st.builds(
    VerifiedVersions,
    root=small,
    timestamp=small,
    snapshot=small,
    online_keys=st.frozensets(st.sampled_from("abc"), max_size=2),
    timestamp_expires=st.floats(0, 1e10),
    issued=st.floats(0, 1e10),
)
times = st.floats(0, 1e10)
floors = st.builds(
    TrustFloor,
    root=st.integers(0, trust_floor.MAX_VERSION),
    timestamp=st.integers(0, trust_floor.MAX_VERSION),
    snapshot=st.integers(0, trust_floor.MAX_VERSION),
    roles=st.dictionaries(st.text(min_size=1, max_size=128), st.integers(0, trust_floor.MAX_VERSION), max_size=64),
    online_keys=st.lists(st.text(min_size=1, max_size=128), max_size=64),
    time=times,
    timestamp_since=times,
    timestamp_expires=times,
    acceptances=st.integers(0, trust_floor.MAX_VERSION),
)


@given(st.lists(st.tuples(offers, times), max_size=20))
def test_versions_and_time_never_sink(history: list[tuple[VerifiedVersions, float]]) -> None:
    floor = TrustFloor()
    for seen, now in history:
        if trust_floor.refusal(floor, seen):
            continue
        after = trust_floor.raised(floor, seen, now)
        assert after.time >= max(floor.time, now)
        assert after.root >= floor.root
        rotated = after.root > floor.root and after.online_keys != floor.online_keys
        if not rotated:
            assert after.timestamp >= floor.timestamp
            assert after.snapshot >= floor.snapshot
            assert all(after.roles[name] >= version for name, version in floor.roles.items())
        assert trust_floor.refusal(after, seen) == ""
        floor = after


@given(st.lists(st.tuples(offers | first_steps, times), max_size=20))
def test_versions_and_time_never_sink_by_refreshes_that_fail_half_way(
    history: list[tuple[VerifiedVersions, float]],
) -> None:
    floor = TrustFloor()
    for seen, now in history:
        if trust_floor.refusal(floor, seen):
            continue
        after = trust_floor.raised(floor, seen, now)
        assert after.time >= floor.time
        assert after.time <= max(floor.time, now)
        assert after.root >= floor.root
        if not trust_floor.restarts(floor, seen):
            assert after.timestamp >= floor.timestamp
            assert after.snapshot >= floor.snapshot
            assert all(after.roles[name] >= version for name, version in floor.roles.items())
        assert trust_floor.refusal(after, seen) == ""
        floor = after


@given(offers, times, times)
def test_expiry_is_never_judged_earlier_than_the_newest_acceptance(
    seen: VerifiedVersions, accepted_at: float, now: float
) -> None:
    floor = trust_floor.raised(TrustFloor(), seen, accepted_at)
    assert trust_floor.reference_time(floor, now) >= accepted_at


@given(floors)
def test_a_floor_round_trips(floor: TrustFloor) -> None:
    verified = VerifiedMetadata(roots={"2": b"r"}, timestamp=b"t", snapshot=b"s", floor=floor)
    assert trust_floor.decode_verified(trust_floor.encode_verified(verified)) == verified


@given(floors, st.data())
def test_a_damaged_file_is_noticed(floor: TrustFloor, data: st.DataObject) -> None:
    for encoded, decode in (
        (trust_floor.encode_verified(VerifiedMetadata(floor=floor)), trust_floor.decode_verified),
        (
            trust_floor.encode_accepted(AcceptedMetadata(accepted_at=1.0, roots={}, roles={}, floor=floor)),
            trust_floor.decode_accepted,
        ),
    ):
        bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
        flipped = bytearray(encoded)
        flipped[bit // 8] ^= 1 << bit % 8
        cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
        for damaged in (bytes(flipped), cut, encoded + b"\0"):
            assume(damaged != encoded)
            try:
                decode(damaged)
            except DecodeError:
                continue
            raise AssertionError("damage was not noticed")


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_raise_decode_error(data: bytes) -> None:
    for decode in (trust_floor.decode_verified, trust_floor.decode_accepted):
        with contextlib.suppress(DecodeError):
            decode(data)
