"""Manifests and rollouts: signed, yet checked in every field."""

from typing import Any

import msgspec
import pytest

from p2pdist.shared.manifest import documents
from p2pdist.shared.manifest.cves import MAX_CVES
from p2pdist.shared.manifest.documents import (
    MAX_REASON_CHARS,
    MAX_WITHDRAWALS,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    Withdrawal,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError

HASH = "ab" * 32
PAYLOAD = Payload(file_name="a.msi", length_bytes=1, sha256=HASH, torrent_hash=HASH)
MANIFEST = Manifest(
    format=1, patch_id="KB1", version="2", title="T", severity="high", cvss=9.8, published_at=1, payloads=[PAYLOAD]
)
ROLLOUTS = Rollouts(format=1, entries=[RolloutEntry(patch_id="KB1", version="2", sequence=1)])


def test_a_manifest_round_trips() -> None:
    assert documents.decode_manifest(documents.encode_manifest(MANIFEST)) == MANIFEST


def test_withdrawals_are_checked_as_all_that_is_shown_and_all_that_becomes_a_path() -> None:
    gone = Withdrawal("office", "1", sequence=1, reason="crashes – 落ちる", at=1)
    rollouts = Rollouts(format=1, entries=[], withdrawn=(gone,) * MAX_WITHDRAWALS)
    assert documents.decode_rollouts(documents.encode_rollouts(rollouts)) == rollouts
    wrongs: tuple[dict[str, Any], ...] = (
        {"patch_id": "../x"},
        {"version": ""},
        {"reason": ""},
        {"reason": "x" * (MAX_REASON_CHARS + 1)},
        {"reason": "two\nlines"},
        {"reason": "\u202efdp.exe"},
        {"at": -1},
    )
    for wrong in wrongs:
        data = documents.encode_rollouts(
            Rollouts(format=1, entries=[], withdrawn=(msgspec.structs.replace(gone, **wrong),))
        )
        with pytest.raises(documents.DecodeError):
            documents.decode_rollouts(data)
    data = documents.encode_rollouts(Rollouts(format=1, entries=[], withdrawn=(gone,) * (MAX_WITHDRAWALS + 1)))
    with pytest.raises(documents.DecodeError):
        documents.decode_rollouts(data)


def test_what_a_newer_release_added_is_ignored() -> None:
    assert documents.decode_manifest(changed(MANIFEST, surprise=1)) == MANIFEST
    raw = msgspec.to_builtins(ROLLOUTS)
    raw["entries"][0]["surprise"] = raw["surprise"] = 1
    assert documents.decode_rollouts(codec.encode(raw)) == ROLLOUTS


def test_titles_are_left_out_where_there_are_none() -> None:
    """Release 0.2.0 refuses a manifest with a field that it does not know."""
    assert MANIFEST.other_titles == {}
    assert "titles" not in codec.unpack(documents.encode_manifest(MANIFEST), max_bytes=10_000)
    titled = msgspec.structs.replace(MANIFEST, titles={"ja": "アクメ"})
    assert documents.decode_manifest(documents.encode_manifest(titled)).other_titles == {"ja": "アクメ"}


def test_cves_are_left_out_where_none_is_named() -> None:
    assert MANIFEST.mended_cves == ()
    assert "cves" not in codec.unpack(documents.encode_manifest(MANIFEST), max_bytes=10_000)
    named = msgspec.structs.replace(MANIFEST, cves=("CVE-2026-1234",))
    assert documents.decode_manifest(documents.encode_manifest(named)).mended_cves == ("CVE-2026-1234",)


def test_rollouts_round_trip() -> None:
    assert documents.decode_rollouts(documents.encode_rollouts(ROLLOUTS)) == ROLLOUTS


def changed(record: Any, **changes: Any) -> bytes:
    return codec.encode(msgspec.to_builtins(record) | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"patch_id": "../x"},
        {"patch_id": ""},
        {"version": "a/b"},
        {"title": "x" * 201},
        {"title": "a\u202eb"},
        {"titles": {"ja": "x" * 201}},
        {"titles": {"ja": ""}},
        {"titles": {"ja": "\x1b[2J"}},
        {"titles": {"ja": "a\u2066b"}},
        {"titles": {"../x": "a"}},
        {"titles": {"ja\n": "a"}},
        {"titles": {a + b: "x" for a in "abcdefg" for b in "abc"}},
        {"cves": ["CVE-2026-123"]},
        {"cves": ["CVE-2026-01234"]},
        {"cves": ["CVE-2026-12345678901"]},
        {"cves": ["cve-2026-1234"]},
        {"cves": ["CVE-2026-1234\n"]},
        {"cves": ["CVE-2026-1234"] * (MAX_CVES + 1)},
        {"severity": "urgent"},
        {"cvss": 10.1},
        {"cvss": float("nan")},
        {"published_at": -1},
        {"payloads": []},
        {"payloads": [msgspec.to_builtins(PAYLOAD)] * (documents.MAX_PAYLOADS + 1)},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"file_name": "../../etc/passwd"}]},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"length_bytes": 0}]},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"length_bytes": documents.MAX_PAYLOAD_BYTES + 1}]},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"sha256": "AB" * 32}]},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"torrent_hash": HASH[:-1]}]},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"surprise": 1}]},
        {"schedule": {"surprise": 1}},
    ],
)
def test_a_manifest_beside_its_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        documents.decode_manifest(changed(MANIFEST, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * 200},
        {"titles": {"ja": "字" * 200, "fil": "x"}},
        {"cves": [f"CVE-2026-{number}" for number in range(10_000, 10_000 + MAX_CVES)]},
        {"cves": ["CVE-2026-0001", "CVE-1999-1234567890"]},
        {"cvss": 10.0},
        {"cvss": None},
        {"payloads": [msgspec.to_builtins(PAYLOAD)] * documents.MAX_PAYLOADS},
        {"payloads": [msgspec.to_builtins(PAYLOAD) | {"length_bytes": documents.MAX_PAYLOAD_BYTES}]},
    ],
)
def test_a_manifest_at_its_limits_is_accepted(changes: dict[str, Any]) -> None:
    documents.decode_manifest(changed(MANIFEST, **changes))


def test_rollouts_at_the_cap_fit_and_one_more_does_not() -> None:
    longest = RolloutEntry(patch_id="a" * 64, version="b" * 64, sequence=(1 << 63) - 1)
    full = Rollouts(format=1, entries=[longest] * documents.MAX_ROLLOUT_ENTRIES)
    assert documents.decode_rollouts(documents.encode_rollouts(full)) == full
    over = Rollouts(format=1, entries=[longest] * (documents.MAX_ROLLOUT_ENTRIES + 1))
    with pytest.raises(DecodeError):
        documents.decode_rollouts(documents.encode_rollouts(over))


@pytest.mark.parametrize("entry", [{"patch_id": "a b"}, {"version": ""}, {"sequence": 0}])
def test_a_rollout_beside_its_form_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        documents.decode_rollouts(changed(ROLLOUTS, entries=[msgspec.to_builtins(ROLLOUTS.entries[0]) | entry]))


@pytest.mark.parametrize(
    ("decode", "cap"),
    [
        (documents.decode_manifest, documents.MAX_MANIFEST_BYTES),
        (documents.decode_rollouts, documents.MAX_ROLLOUTS_BYTES),
    ],
)
def test_a_document_over_its_cap_is_refused_unread(decode: Any, cap: int) -> None:
    with pytest.raises(DecodeError, match="over the cap"):
        decode(bytes(cap + 1))


def test_target_paths_are_within_their_roles_paths() -> None:
    assert documents.manifest_target(documents.PatchId("KB1"), documents.PatchVersion("2")) == "patches/KB1@2.manifest"
    assert documents.torrent_target(HASH) == f"torrents/{HASH}.torrent"  # type: ignore[arg-type]


def test_the_place_of_a_patch_among_others() -> None:
    patch = msgspec.structs.replace(MANIFEST, requires=("a",), supersedes=("b@1",), conflicts=("c",))
    ordered = documents.ordered_patch(patch, 7)
    assert (str(ordered.ref), ordered.sequence) == (str(patch.ref), 7)
    assert (ordered.requires, ordered.supersedes, ordered.conflicts) == (("a",), ("b@1",), ("c",))
