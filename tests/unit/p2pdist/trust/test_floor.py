"""The trust floor: what may be accepted, by which clock, and when to raise the alarm."""

from dataclasses import replace

import pytest
from msgspec import structs

from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust import floor as trust_floor
from p2pdist.trust.floor import (
    MAX_ROLES,
    MAX_VERSION,
    AcceptedMetadata,
    TrustFloor,
    VerifiedMetadata,
    VerifiedVersions,
)

NOW = 1_800_000_000.0
DAY = 86_400.0
ROLES = {"targets": 1, "patches": 5, "rollouts": 7}
SEEN = VerifiedVersions(
    root=2,
    timestamp=10,
    snapshot=8,
    roles=ROLES,
    online_keys=frozenset({"k1", "k2"}),
    timestamp_expires=NOW + 10 * DAY,
)
FLOOR = trust_floor.raised(TrustFloor(), SEEN, NOW)


def test_a_new_endpoint_accepts_what_tuf_has_verified() -> None:
    assert trust_floor.refusal(TrustFloor(), SEEN) == ""


def test_the_same_state_again_is_accepted() -> None:
    assert trust_floor.refusal(FLOOR, SEEN) == ""


@pytest.mark.parametrize(
    ("older", "named"),
    [
        (replace(SEEN, root=1), "root is version 1"),
        (replace(SEEN, timestamp=9), "timestamp is version 9"),
        (replace(SEEN, snapshot=7), "snapshot is version 7"),
        (replace(SEEN, roles={**ROLES, "patches": 4}), "role patches is version 4"),
        (replace(SEEN, roles={"targets": 1, "patches": 5}), "role rollouts is gone"),
    ],
)
def test_anything_older_is_refused_and_named(older: VerifiedVersions, named: str) -> None:
    assert named in trust_floor.refusal(FLOOR, older)


@pytest.mark.parametrize(
    ("hostile", "named"),
    [
        (replace(SEEN, timestamp=MAX_VERSION + 1), "version above"),
        (replace(SEEN, roles={"targets": MAX_VERSION + 1}), "version above"),
        (replace(SEEN, roles={f"r{n}": 1 for n in range(MAX_ROLES + 1)}), "more than"),
        (replace(SEEN, online_keys=frozenset({"x" * 129})), "characters long"),
        (replace(SEEN, roles={"": 1}), "characters long"),
    ],
)
def test_what_the_floor_could_not_hold_is_refused(hostile: VerifiedVersions, named: str) -> None:
    assert named in trust_floor.refusal(TrustFloor(), hostile)


def test_the_caps_themselves_are_accepted_and_stored() -> None:
    at_limit = replace(
        SEEN,
        timestamp=MAX_VERSION,
        roles={f"r{n}".ljust(128, "x"): MAX_VERSION for n in range(MAX_ROLES)},
        online_keys=frozenset(str(n).ljust(128, "y") for n in range(MAX_ROLES)),
    )
    assert trust_floor.refusal(TrustFloor(), at_limit) == ""
    floor = trust_floor.raised(TrustFloor(), at_limit, NOW)
    verified = VerifiedMetadata(floor=floor)
    assert trust_floor.decode_verified(trust_floor.encode_verified(verified)) == verified


def test_a_newer_root_with_other_online_keys_recovers_from_a_fast_forward_attack() -> None:
    attacked = trust_floor.raised(FLOOR, replace(SEEN, timestamp=MAX_VERSION, snapshot=MAX_VERSION), NOW)
    recovered = replace(SEEN, root=3, timestamp=1, snapshot=1, online_keys=frozenset({"k3"}))
    assert trust_floor.refusal(attacked, recovered) == ""
    assert trust_floor.raised(attacked, recovered, NOW).timestamp == 1


@pytest.mark.parametrize("root", [1, 2])
def test_other_online_keys_without_a_newer_root_excuse_nothing(root: int) -> None:
    assert trust_floor.refusal(FLOOR, replace(SEEN, root=root, timestamp=1, online_keys=frozenset({"k3"}))) != ""


def test_a_newer_root_with_the_same_online_keys_excuses_nothing() -> None:
    assert "timestamp" in trust_floor.refusal(FLOOR, replace(SEEN, root=3, timestamp=9))


def test_a_clock_that_was_set_back_does_not_count() -> None:
    assert trust_floor.reference_time(FLOOR, NOW - DAY) == NOW
    assert trust_floor.reference_time(FLOOR, NOW + DAY) == NOW + DAY
    assert trust_floor.raised(FLOOR, SEEN, NOW - DAY).time == NOW


@pytest.mark.parametrize(
    ("days", "words"), [(0, ""), (5.4, ""), (5.6, "more than half"), (9.9, "more than half"), (10, "expired")]
)
def test_the_alarm_is_raised_from_half_of_the_life_on(days: float, words: str) -> None:
    alarm = trust_floor.freshness_alarm(FLOOR, NOW + days * DAY)
    assert words in alarm
    assert bool(alarm) == bool(words)


def test_seeing_the_same_timestamp_again_does_not_silence_the_alarm() -> None:
    frozen = trust_floor.raised(FLOOR, SEEN, NOW + 6 * DAY)
    assert "more than half" in trust_floor.freshness_alarm(frozen, NOW + 6 * DAY)


def test_a_newer_timestamp_silences_the_alarm() -> None:
    renewed = replace(SEEN, timestamp=11, timestamp_expires=NOW + 16 * DAY)
    floor = trust_floor.raised(FLOOR, renewed, NOW + 6 * DAY)
    assert trust_floor.freshness_alarm(floor, NOW + 6 * DAY) == ""


def test_without_metadata_there_is_no_alarm() -> None:
    assert trust_floor.freshness_alarm(TrustFloor(), NOW) == ""


def test_of_two_copies_the_later_one_counts() -> None:
    later = trust_floor.raised(FLOOR, replace(SEEN, timestamp=11), NOW)
    accepted = structs.replace(FLOOR, acceptances=1)
    assert trust_floor.rank(FLOOR) < trust_floor.rank(accepted) < trust_floor.rank(later)


def test_accepted_metadata_round_trips_and_refuses_a_root_that_is_no_number() -> None:
    accepted = AcceptedMetadata(accepted_at=NOW, roots={"2": b"{}"}, roles={"timestamp": b"{}"}, floor=FLOOR)
    assert trust_floor.decode_accepted(trust_floor.encode_accepted(accepted)) == accepted
    hostile = AcceptedMetadata(accepted_at=NOW, roots={"../2": b""}, roles={}, floor=FLOOR)
    with pytest.raises(DecodeError):
        trust_floor.decode_accepted(trust_floor.encode_accepted(hostile))


def test_accepted_metadata_over_its_cap_is_refused_before_it_is_written() -> None:
    accepted = AcceptedMetadata(accepted_at=NOW, roots={}, roles={"timestamp": bytes(2_000)}, floor=FLOOR)
    size = len(trust_floor.encode_accepted(accepted)) - trust_floor.CHECKSUM_BYTES
    trust_floor.decode_accepted(trust_floor.encode_accepted(accepted, max_bytes=size), max_bytes=size)
    with pytest.raises(DecodeError):
        trust_floor.encode_accepted(accepted, max_bytes=size - 1)


# --- a refresh that goes only part of its way -----------------------------------------------------

NEW_ROOT = VerifiedVersions(root=3, online_keys=frozenset({"k3"}))


def test_a_root_that_replaces_the_online_keys_restarts_their_versions_before_anything_else_is_seen() -> None:
    floor = trust_floor.raised(FLOOR, NEW_ROOT, NOW)
    assert (floor.root, floor.timestamp, floor.snapshot, floor.roles) == (3, 0, 0, {})
    assert floor.online_keys == ["k3"]
    first = replace(NEW_ROOT, timestamp=1, snapshot=1, timestamp_expires=NOW + DAY)
    assert trust_floor.refusal(floor, first) == ""
    assert trust_floor.raised(floor, first, NOW).timestamp_since == NOW


def test_a_root_with_the_same_online_keys_restarts_nothing() -> None:
    floor = trust_floor.raised(FLOOR, replace(NEW_ROOT, online_keys=SEEN.online_keys), NOW + DAY)
    assert floor == structs.replace(FLOOR, root=3)


def test_a_timestamp_alone_raises_its_version_and_that_of_the_snapshot_it_names() -> None:
    seen = replace(SEEN, timestamp=11, snapshot=9, roles=None)
    floor = trust_floor.raised(FLOOR, seen, NOW)
    assert (floor.timestamp, floor.snapshot, floor.roles) == (11, 9, FLOOR.roles)
    assert "snapshot is version 8" in trust_floor.refusal(floor, replace(seen, timestamp=12, snapshot=8))


def test_a_root_below_the_floor_is_refused_before_anything_else_is_seen() -> None:
    assert "root is version 1" in trust_floor.refusal(FLOOR, replace(NEW_ROOT, root=1))


# --- the time that has certainly passed -------------------------------------------------------------


def test_a_clock_that_is_ahead_raises_the_floor_only_to_the_time_of_issue() -> None:
    floor = trust_floor.raised(TrustFloor(), replace(SEEN, issued=NOW - 60), NOW + DAY)
    assert floor.time == NOW - 60


def test_a_time_of_issue_that_is_ahead_of_the_clock_raises_the_floor_only_to_the_clock() -> None:
    assert trust_floor.raised(TrustFloor(), replace(SEEN, issued=NOW + DAY), NOW).time == NOW


def test_a_time_of_issue_before_the_floor_does_not_lower_it() -> None:
    assert trust_floor.raised(FLOOR, replace(SEEN, issued=NOW - DAY), NOW + DAY).time == NOW


def test_the_alarm_counts_from_the_time_of_issue_also_where_the_clock_was_ahead() -> None:
    issued = replace(SEEN, issued=NOW, timestamp_expires=NOW + 10 * DAY)
    for clock in (NOW, NOW + 3 * DAY, NOW + 9 * DAY):
        floor = trust_floor.raised(TrustFloor(), issued, clock)
        assert trust_floor.freshness_alarm(floor, NOW + 5.4 * DAY) == ""
        assert "nothing newer for 6 days" in trust_floor.freshness_alarm(floor, NOW + 5.6 * DAY)


@pytest.mark.parametrize("value", [None, "1", 1.5, True, -1, 10**12, [], {}])
def test_what_is_no_time_of_issue_counts_as_none(value: object) -> None:
    assert trust_floor.issued_at(value) is None


def test_a_time_of_issue_is_whole_seconds() -> None:
    assert trust_floor.issued_at(1_800_000_000) == NOW
