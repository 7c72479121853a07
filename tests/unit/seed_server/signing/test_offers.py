"""`seed_server.signing.offers`."""

from typing import Any

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.documents import (
    MAX_REASON_CHARS,
    MAX_ROLLOUT_ENTRIES,
    MAX_ROLLOUTS_BYTES,
    MAX_WITHDRAWALS,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    Withdrawal,
    decode_rollouts,
    encode_rollouts,
)
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED, PublicationOrder
from p2pdist.shared.manifest.staged import StagedRollouts
from seed_server.signing.offers import (
    NO_REASON,
    checked_reason,
    dependents,
    next_sequence,
    not_offered,
    offered_again,
    offers,
    parse_named,
    with_entry,
    without_entries,
)

NONE = Rollouts(format=1, entries=[])
OFFICE = PatchRef("office", "")
OFFICE_1 = PatchRef("office", "1")


def manifest(patch_id: str, version: str, number: int = 1, **changes: Any) -> Manifest:
    payload = Payload(file_name="a.msi", length_bytes=1, sha256="a" * 64, torrent_hash="b" * 64)
    return Manifest(
        format=1, patch_id=patch_id, version=version, title="", severity="low", cvss=None, published_at=0,
        payloads=[payload], number=number, **changes,
    )  # fmt: skip


def offered(*refs: str) -> Rollouts:
    rollouts = NONE
    for ref in refs:
        rollouts = with_entry(rollouts, PatchRef.parse(ref))
    return rollouts


def order(**newest: int) -> PublicationOrder:
    found = NOTHING_PUBLISHED
    for patch_id, number in newest.items():
        for n in range(1, number + 1):
            found = found.with_publication(PatchId(patch_id), lowest=n)
    return found


def refs(rollouts: Rollouts) -> list[str]:
    return [str(entry.ref) for entry in rollouts.entries]


def test_the_newest_version_replaces_the_older_and_goes_last() -> None:
    rollouts = offered("a@1", "b@1", "a@2")
    assert [(e.patch_id, e.version, e.sequence) for e in rollouts.entries] == [("b", "1", 2), ("a", "2", 3)]
    assert next_sequence(rollouts) == 4
    assert next_sequence(NONE) == 1


def test_what_is_withdrawn_says_why_and_comes_back_where_it_was() -> None:
    rollouts = offered("office@1", "word@1")
    less = without_entries(rollouts, OFFICE, "crashes", 7.9)
    assert refs(less) == ["word@1"]
    (gone,) = less.withdrawn
    assert (str(gone.ref), gone.sequence, gone.reason, gone.at) == ("office@1", 1, "crashes", 7)
    assert next_sequence(without_entries(less, PatchRef("word", "1"), "too", 8.0)) == 3, "a number is never used twice"
    back = offered_again(less, OFFICE, order(office=1), [manifest("office", "1")])
    assert back == rollouts


def test_a_version_that_is_not_offered_is_not_withdrawn() -> None:
    rollouts = offered("office@1")
    assert without_entries(rollouts, PatchRef("office", "2"), "crashes", 7.0) == rollouts
    assert without_entries(rollouts, PatchRef("word", ""), "crashes", 7.0) == rollouts


WITHDRAWN = without_entries(offered("office@1"), OFFICE, "crashes", 7.0)


@pytest.mark.parametrize(
    ("rollouts", "numbers", "named", "words"),
    [
        (WITHDRAWN, {"office": 1}, OFFICE_1, "office@1 is withdrawn already"),
        (WITHDRAWN, {"office": 1}, OFFICE, "office is withdrawn already"),
        (WITHDRAWN, {"office": 9}, OFFICE_1,
         "office@1 is withdrawn for good already; nothing is to be done"),
        (offered("office@2"), {"office": 2}, OFFICE_1, "office@1 is not offered: office@2 has taken its place"),
        (offered("office@2"), {"office": 2}, PatchRef("office", "7"), "No office@7 is known here"),
        (offered("office@2"), {"office": 2}, PatchRef("ofice", ""), "No ofice is known here"),
    ],
)  # fmt: skip
def test_what_cannot_be_withdrawn_has_its_own_reason(
    rollouts: Rollouts, numbers: dict[str, int], named: PatchRef, words: str
) -> None:
    listed = [manifest("office", "1"), manifest("office", "2", 2)]
    shown = listed if "office@2" in refs(rollouts) else listed[:1]
    assert words in not_offered(named, offers(rollouts, order(**numbers), shown)).message


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (PatchRef("office", "2"), "office@2 is offered already; nothing is to be done"),
        (OFFICE_1, "office@1 cannot be offered again: office@2 has taken its place"),
        (PatchRef("ofice", ""), "No ofice is known here"),
    ],
)
def test_what_cannot_be_offered_again_has_its_own_reason(named: PatchRef, words: str) -> None:
    listed = [manifest("office", "1"), manifest("office", "2", 2)]
    with pytest.raises(UserError, match=words):
        offered_again(offered("office@2"), named, order(office=2), listed)


def test_what_was_superseded_so_long_ago_that_it_is_gone_is_said_to_be() -> None:
    with pytest.raises(UserError, match=r"office@1 is not kept here any more: it was superseded over 180 days ago"):
        offered_again(offered("word@1"), OFFICE_1, order(office=1, word=1), [manifest("word", "1")])


def test_a_newer_publication_answers_a_withdrawal() -> None:
    less = without_entries(offered("office@1", "word@1"), OFFICE, "crashes", 7.0)
    assert with_entry(less, PatchRef("office", "2")).withdrawn == ()
    assert with_entry(less, PatchRef("word", "2")).withdrawn == less.withdrawn


@pytest.mark.parametrize(
    ("newest", "listed"),
    [({"office": 2}, [manifest("office", "1")]), ({"office": 1}, []), ({}, [manifest("office", "1")])],
    ids=["a newer one is signed", "it is not listed any more", "never numbered"],
)
def test_what_the_offline_key_does_not_allow_is_not_offered_again(
    newest: dict[str, int], listed: list[Manifest]
) -> None:
    less = without_entries(offered("office@1"), OFFICE, "crashes", 7.0)
    with pytest.raises(UserError, match=r"office@1 cannot be offered again.*Publish it again") as caught:
        offered_again(less, OFFICE, order(**newest), listed)
    assert caught.value.kind is FaultKind.REFUSED


@pytest.mark.parametrize(
    ("named", "words"),
    [("word", "No word is known here"), ("office@2", "No office@2 is known here"), ("calc", "calc is offered already")],
)
def test_only_what_is_withdrawn_is_offered_again(named: str, words: str) -> None:
    less = without_entries(offered("office@1", "calc@1"), OFFICE, "crashes", 7.0)
    with pytest.raises(UserError, match=words) as caught:
        offered_again(less, parse_named(named), order(office=1, calc=1), [manifest("office", "1")])
    assert caught.value.kind is FaultKind.BAD_INPUT


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"office": 1}, "office goes by rings. Begin its rollout: seed-server rollout start office@1"),
        ({"office": 2}, "office@1 cannot be offered again: with the offline key, it was withdrawn for good"),
    ],
)
def test_what_stopped_in_its_rings_is_not_offered_to_every_pc_and_says_how_it_goes_on(
    numbers: dict[str, int], words: str
) -> None:
    stopped = Withdrawal(patch_id="office", version="1", sequence=1, reason="crashes", at=7)
    staged = StagedRollouts(format=1, stopped=(stopped,))
    for by_rings in (staged, StagedRollouts(format=1)):
        with pytest.raises(UserError, match=words):
            offered_again(offered(), OFFICE, order(**numbers), [manifest("office", "1")], by_rings)


def test_full_rollouts_take_nothing_back() -> None:
    less = without_entries(offered("office@1"), OFFICE, "crashes", 7.0)
    entries = [RolloutEntry(patch_id=f"p{n}", version="1", sequence=n + 1) for n in range(MAX_ROLLOUT_ENTRIES)]
    full = Rollouts(format=1, entries=entries, withdrawn=less.withdrawn)
    with pytest.raises(UserError, match="Withdraw another one first"):
        offered_again(full, OFFICE, order(office=1), [manifest("office", "1")])


def test_the_longest_rollouts_are_accepted_by_pcs() -> None:
    """The oldest withdrawals are forgotten, which changes nothing for PCs: they are not offered."""
    entries = [RolloutEntry("x" * 64, f"{n:064}", 10**9 + n) for n in range(MAX_ROLLOUT_ENTRIES)]
    everything, reason = Rollouts(format=1, entries=entries), "語" * MAX_REASON_CHARS
    rollouts = without_entries(everything, PatchRef("x" * 64, ""), reason, 2e9)
    assert len(rollouts.withdrawn) == MAX_WITHDRAWALS
    assert rollouts.withdrawn[-1].version == entries[-1].version
    whole = Rollouts(format=1, entries=entries, withdrawn=rollouts.withdrawn)
    assert len(encode_rollouts(whole)) <= MAX_ROLLOUTS_BYTES
    assert decode_rollouts(encode_rollouts(whole)) == whole


def test_a_number_is_not_used_twice_though_the_oldest_withdrawals_are_forgotten() -> None:
    rollouts = offered(*(f"p{n}@1" for n in range(MAX_WITHDRAWALS + 2)))
    following = next_sequence(rollouts)
    for n in reversed(range(MAX_WITHDRAWALS + 2)):  # the last one published first
        rollouts = without_entries(rollouts, PatchRef(f"p{n}", "1"), "crashes", 7.0)
        assert next_sequence(rollouts) == following
    assert len(rollouts.withdrawn) == MAX_WITHDRAWALS
    assert rollouts.withdrawn[-1].patch_id == "p0", "of the others, the newest withdrawals are kept"


def test_every_publication_has_one_state() -> None:
    listed = [
        manifest("office", "1", 1),
        manifest("office", "2", 2),
        manifest("word", "1"),
        manifest("calc", "1"),
        manifest("suite", "1", supersedes=("calc",)),
        manifest("old", "1"),
    ]
    rollouts = without_entries(
        offered("office@2", "word@1", "calc@1", "suite@1", "old@1"), PatchRef("word", ""), "crashes", 7.0
    )
    rollouts = without_entries(rollouts, PatchRef("old", "1"), "old", 8.0)
    numbers = order(office=2, word=1, calc=1, suite=1, old=1).without("old")
    found = {
        str(one.manifest.ref): (one.state, str(one.superseded_by or ""), one.for_good)
        for one in offers(rollouts, numbers, listed)
    }
    assert found == {
        "calc@1": ("superseded", "suite@1", False),
        "office@2": ("offered", "", False),
        "office@1": ("superseded", "office@2", False),
        "old@1": ("withdrawn", "", True),
        "suite@1": ("offered", "", False),
        "word@1": ("withdrawn", "", False),
    }
    assert list(found) == sorted(found, key=lambda ref: (ref.partition("@")[0], ref != "office@2"))


def test_who_waits_for_what_is_withdrawn() -> None:
    listed = [manifest("suite", "1", requires=("office@1",)), manifest("gone", "1", requires=("office",))]
    assert dependents(OFFICE, offered("suite@1"), listed) == [PatchRef("suite", "1")]
    assert dependents(PatchRef("word", ""), offered("suite@1"), listed) == []


@pytest.mark.parametrize("text", ["a/b", "", "office@", "office@1/2"])
def test_malformed_names(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_named(text)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_reasons_are_one_line() -> None:
    assert checked_reason("  crashes\n on start ") == "crashes on start"
    assert checked_reason(" ") == NO_REASON
    assert checked_reason("x" * MAX_REASON_CHARS)
    for text in ("x" * (MAX_REASON_CHARS + 1), "bell\x07"):
        with pytest.raises(UserError, match="Shorten it"):
            checked_reason(text)
