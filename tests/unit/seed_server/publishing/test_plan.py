"""`seed_server.publishing.plan`."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.documents import (
    MAX_ROLLOUT_ENTRIES,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    decode_rollouts,
    encode_rollouts,
)
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED
from p2pdist.shared.manifest.recipe import DebInstall
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES, MAX_PIECES
from seed_server.publishing.plan import (
    LARGEST_FILE_BYTES,
    SMALLEST_PIECE_BYTES,
    TARGET_PIECES,
    check_new_name,
    check_relations_of,
    choose_piece_length,
    is_earlier,
    same_bytes,
)
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signing.offers import with_entry

NONE = Rollouts(format=1, entries=[])
ORDER = NOTHING_PUBLISHED.with_publication(PatchId("office"), lowest=1)


def recipe(**changes: Any) -> Recipe:
    return Recipe(**({"patch_id": "office", "version": "1.0", "payload": (PayloadFile("a.msi"),)} | changes))


def manifest(patch_id: str, version: str, sha256: str = "a" * 64) -> Manifest:
    payload = Payload(file_name="a.msi", length_bytes=1, sha256=sha256, torrent_hash="b" * 64)
    return Manifest(
        format=1, patch_id=patch_id, version=version, title="", severity="low", cvss=None, published_at=0,
        payloads=[payload],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, SMALLEST_PIECE_BYTES),
        (SMALLEST_PIECE_BYTES * TARGET_PIECES, SMALLEST_PIECE_BYTES),
        (SMALLEST_PIECE_BYTES * TARGET_PIECES + 1, 2 * SMALLEST_PIECE_BYTES),
        (10_000_000_000, 1 << 20),
        (LARGEST_FILE_BYTES, MAX_PIECE_BYTES),
    ],
)
def test_piece_length(length: int, expected: int) -> None:
    assert choose_piece_length(length) == expected


@given(st.integers(min_value=1, max_value=LARGEST_FILE_BYTES))
def test_every_piece_length_keeps_to_the_protocols_caps(length: int) -> None:
    piece_length = choose_piece_length(length)
    assert SMALLEST_PIECE_BYTES <= piece_length <= MAX_PIECE_BYTES
    assert -(-length // piece_length) <= MAX_PIECES
    assert piece_length & (piece_length - 1) == 0


@pytest.mark.parametrize(("length", "words"), [(0, "is empty"), (LARGEST_FILE_BYTES + 1, "Split it")])
def test_lengths_that_cannot_be_published(length: int, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        choose_piece_length(length)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_packages_are_compared_by_their_own_versions() -> None:
    def of(version: str, own: str) -> tuple[Recipe, Manifest]:
        install = DebInstall(package="acme", version=own)
        return recipe(version=version, install=install), msgspec.structs.replace(
            manifest("office", version), install=install
        )

    for before, after, goes_back in (
        (("2.1-2", "2.1-2"), ("2.1-1", "2.1-1"), True),
        (("5.0-1", "5.0-1"), ("3.0-1", "1:3.0-1"), False),
        (("5.0", "5.0-1"), ("3.0", "1:3.0-1"), False),
        (("2.1~rc1-1", "2.1~rc1-1"), ("2.1-1", "2.1-1"), False),
    ):
        (new, _), (_, published) = of(*after), of(*before)
        if goes_back:
            with pytest.raises(UserError, match="add --downgrade"):
                check_new_name(new, [published], NONE, ORDER)
        else:
            check_new_name(new, [published], NONE, ORDER)


def test_names_that_differ_by_capitals_alone_are_refused() -> None:
    published = [manifest("office", "1.0a")]
    with pytest.raises(UserError, match="Office differs by capitals alone from office"):
        check_new_name(recipe(patch_id="Office", version="2.0"), published, NONE, ORDER)
    with pytest.raises(UserError, match=r"1\.0A differs by capitals alone from 1\.0a"):
        check_new_name(recipe(version="1.0A"), published, NONE, ORDER)
    check_new_name(recipe(patch_id="office2", version="1.0A"), published, NONE, ORDER)


def test_a_publication_that_says_nothing_new_is_refused_and_a_corrected_one_is_not() -> None:
    published, same = [manifest("office", "1.0")], {"severity": "low"}
    offered = Rollouts(format=1, entries=[RolloutEntry(patch_id="office", version="1.0", sequence=1)])
    with pytest.raises(UserError, match=r"office 1\.0 is published already, just like this"):
        check_new_name(recipe(**same), published, offered, ORDER)
    with pytest.raises(UserError, match=r"Offer it again with 'seed-server offer office@1\.0', or by rings"):
        check_new_name(recipe(**same), published, NONE, ORDER)
    with pytest.raises(UserError, match="nothing to go back from"):
        check_new_name(recipe(**same, downgrade=True), published, offered, ORDER)
    for corrected in (
        recipe(severity="high"),
        recipe(**same, payload=(PayloadFile("a.msi", language="ja"),)),
        recipe(**same, version="1.1"),
        recipe(**same, patch_id="word"),
    ):
        check_new_name(corrected, published, offered, ORDER)
    # withdrawn for good: publishing it again is the one way back
    check_new_name(recipe(**same), published, NONE, ORDER.without("office"))


def test_the_bytes_of_another_publication_are_named() -> None:
    published = [manifest("office", "1.0", "a" * 64), manifest("word", "1", "c" * 64)]
    assert same_bytes({"a" * 64}, published) == [PatchRef("office", "1.0")]
    assert same_bytes({"d" * 64}, published) == []


@pytest.mark.parametrize(
    ("version", "other", "ecosystem", "earlier"),
    [
        ("1.9", "1.10", None, True),
        ("1.10", "1.9", None, False),
        ("1.0", "1.0.0", None, False),
        ("2.0-1", "2.0-2", None, True),
        ("v1.2", "v1.10", None, True),
        ("1.9-beta", "2.0", None, True),
        ("1.0-beta", "1.0", None, False),  # nobody knows
        ("2026-02-01", "2026-10-01", None, True),
        ("KB5034440", "KB5034441", None, True),
        ("winter", "summer", None, False),
        ("5.0-1", "1:3.0-1", Ecosystem.DEB, True),
        ("1.0~rc1", "1.0", Ecosystem.DEB, True),
        ("1.0", "1.0~rc1", Ecosystem.DEB, False),
        ("1.0-1", "1.0-2", Ecosystem.RPM, True),
    ],
)
def test_which_version_is_earlier_for_sure(
    version: str, other: str, ecosystem: Ecosystem | None, earlier: bool
) -> None:
    assert is_earlier(version, other, ecosystem) is earlier


def test_full_rollouts_take_newer_versions_only() -> None:
    entries = [RolloutEntry(patch_id=f"p{n}", version="1", sequence=n + 1) for n in range(MAX_ROLLOUT_ENTRIES)]
    full = Rollouts(format=1, entries=entries)
    with pytest.raises(UserError, match="offered 2000 patches"):
        check_new_name(recipe(), [], full, ORDER)
    check_new_name(recipe(patch_id="p7", version="2"), [], full, ORDER)
    assert decode_rollouts(encode_rollouts(with_entry(full, PatchRef("p7", "2")))).entries[-1].version == "2"


def test_relations_to_what_is_published() -> None:
    published = [manifest("base", "1")]
    rollouts = Rollouts(format=1, entries=[RolloutEntry(patch_id="base", version="1", sequence=1)])
    check_relations_of(recipe(requires=("base@1",)), published, rollouts)
    with pytest.raises(UserError, match=r"office@1\.0 requires base@2, which is not published; publish that first\."):
        check_relations_of(recipe(requires=("base@2",)), published, rollouts)


def test_versions_that_are_offered_no_more_meet_no_requirement() -> None:
    published = [manifest("base", "1"), manifest("base", "2"), manifest("lost", "1")]
    rollouts = Rollouts(format=1, entries=[RolloutEntry(patch_id="base", version="2", sequence=2)])
    for relation, words in (
        ("base@1", r"requires base@1, which is offered no more: base@2 has replaced it; require base@2, or base\."),
        ("lost", r"requires lost, which is offered no more: leave it out\."),
    ):
        with pytest.raises(UserError, match=words) as caught:
            check_relations_of(recipe(requires=(relation,)), published, rollouts)
        assert caught.value.kind is FaultKind.BAD_INPUT
    check_relations_of(recipe(requires=("base", "base@2")), published, rollouts)


def test_a_new_version_does_not_take_away_what_another_patch_requires() -> None:
    exact = msgspec.structs.replace(manifest("office", "1"), requires=("base@1",))
    entries = [RolloutEntry(patch_id=name, version="1", sequence=n) for n, name in enumerate(("base", "office"), 1)]
    published, rollouts = [manifest("base", "1"), exact], Rollouts(format=1, entries=entries)
    with pytest.raises(UserError, match=r"office@1 requires base@1, which base@2 would replace"):
        check_relations_of(recipe(patch_id="base", version="2"), published, rollouts)
    # a version of it that is offered no more has no say
    later = with_entry(rollouts, PatchRef("office", "2"))
    check_relations_of(recipe(patch_id="base", version="2"), [*published, manifest("office", "2")], later)
