"""`seed_server.signing.publications`: what the `patches` role lists after a publication."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry, Rollouts
from p2pdist.shared.manifest.publication_order import (
    MAX_ORDERED_PATCHES,
    NOTHING_PUBLISHED,
    PublicationOrder,
    Publications,
)
from seed_server.signing.publications import (
    KEEP_PUBLICATIONS,
    kept,
    lowest_by_rings,
    order_after,
    still_signed,
    take_out,
    unlisted_after,
)


def manifest(version: str, number: int, patch_id: str = "acme", torrent: str | None = None) -> Manifest:
    digest = (torrent or version).encode().hex().ljust(64, "0")[:64]
    payload = Payload(file_name="a", length_bytes=1, sha256=digest, torrent_hash=digest)
    return Manifest(
        format=1, patch_id=patch_id, version=version, title="", severity="low", cvss=None, published_at=0,
        payloads=[payload], number=number,
    )  # fmt: skip


def torrent_of(made: Manifest) -> str:
    return f"torrents/{made.payloads[0].torrent_hash}.torrent"


def test_the_newest_becomes_the_lowest_that_may_be_installed() -> None:
    order = order_after(order_after(NOTHING_PUBLISHED, manifest("1", 1)), manifest("2", 2))
    assert order.patches == {"acme": Publications(newest=2, lowest=2)}


def test_a_publication_for_rings_leaves_what_is_offered_installable() -> None:
    listed = [manifest(str(number), number) for number in (1, 2, 3)] + [manifest("1", 1, "other", torrent="1")]
    order = PublicationOrder(
        format=1, patches={"acme": Publications(newest=3, lowest=2), "other": Publications(newest=1, lowest=1)}
    )
    new, other = manifest("4", 4), PatchRef("other", "1")
    two, three = PatchRef("acme", "2"), PatchRef("acme", "3")
    assert lowest_by_rings(order, new, listed, {two, three, other}) == 2
    assert lowest_by_rings(order, new, listed, {three}) == 3
    assert lowest_by_rings(order, new, listed, {PatchRef("acme", "1"), other}) == 4, "it may not be installed any more"
    assert lowest_by_rings(order, manifest("3", 4), listed, {three}) == 4, "another recipe of the same version"
    assert order_after(order, new, 2).patches["acme"] == Publications(newest=4, lowest=2)


def test_what_is_offered_stays_listed_however_many_newer_ones_there_are() -> None:
    listed = [manifest(str(number), number) for number in range(1, 6)]
    assert [one.number for one in kept(listed, {PatchRef("acme", "1")})] == [1, 4, 5]
    gone = (listed[0], *listed[2:4])
    manifests = [f"patches/acme@{number}.manifest" for number in (1, 3, 4)]
    assert unlisted_after(listed, manifest("6", 6), {PatchRef("acme", "2")}) == [
        *manifests,
        *sorted(map(torrent_of, gone)),
    ]


@pytest.mark.parametrize("number", [1, 3])
def test_a_number_that_is_not_the_next_is_refused(number: int) -> None:
    order = NOTHING_PUBLISHED.with_publication(PatchId("acme"), lowest=1)
    with pytest.raises(UserError, match="published by somebody else meanwhile") as caught:
        order_after(order, manifest("2", number))
    assert caught.value.kind is FaultKind.REFUSED


def test_a_full_order_is_refused() -> None:
    once = Publications(newest=1, lowest=1)
    full = PublicationOrder(format=1, patches={f"p{n}": once for n in range(MAX_ORDERED_PATCHES)})
    with pytest.raises(UserError, match="number no further publication"):
        order_after(full, manifest("1", 1))


def test_only_the_last_publications_of_an_id_stay_listed() -> None:
    assert KEEP_PUBLICATIONS == 2
    one, two, other = manifest("1", 1), manifest("2", 2), manifest("1", 1, "other", torrent="other")
    assert unlisted_after([one, other], two) == []
    assert unlisted_after([one, two, other], manifest("3", 3)) == ["patches/acme@1.manifest", torrent_of(one)]


def test_a_torrent_that_others_need_stays() -> None:
    one, two = manifest("1", 1), manifest("2", 2)
    sharing = manifest("9", 1, "other", torrent="1")
    assert unlisted_after([one, two, sharing], manifest("3", 3)) == ["patches/acme@1.manifest"]


def test_a_version_that_is_published_again_takes_its_own_place() -> None:
    one, two = manifest("1", 1), manifest("2", 2)
    assert unlisted_after([one, two], manifest("1", 3)) == []
    # and as another torrent, should it be made anew
    assert unlisted_after([one, two], manifest("1", 3, torrent="new")) == [torrent_of(one)]


DAY = 86_400.0


def of(patch_id: str, number: int, day: float, *supersedes: str) -> Manifest:
    made = manifest(str(number), number, patch_id, torrent=f"{patch_id}{number}")
    return replace(made, published_at=int(day * DAY), supersedes=supersedes)


def offered(*refs: str) -> Rollouts:
    named = [PatchRef.named(ref) for ref in refs]
    entries = [RolloutEntry(ref.patch_id, ref.version, n) for n, ref in enumerate(named, 1)]
    return Rollouts(format=1, entries=entries)


@pytest.mark.parametrize(
    ("superseded_day", "today", "gone"), [(100, 279, False), (100, 281, True)], ids=["lately", "long ago"]
)
def test_what_was_superseded_long_ago_leaves(superseded_day: float, today: float, gone: bool) -> None:
    listed = [of("acme", 1, 0), of("acme", 2, superseded_day), of("old", 1, 0), of("new", 1, superseded_day, "old")]
    stay = still_signed(listed, offered("acme@2", "new@1"), today * DAY)
    assert [str(one.ref) for one in stay] == (["acme@2", "new@1"] if gone else ["acme@1", "acme@2", "old@1", "new@1"])


def test_what_is_offered_or_superseded_by_what_is_not_offered_stays() -> None:
    listed = [of("old", 1, 0), of("new", 1, 1, "old@1"), of("withdrawn", 1, 0), of("shared", 1, 0)]
    assert still_signed(listed, offered("old@1", "new@1", "shared@1"), 900 * DAY) == listed
    assert still_signed(listed, offered("shared@1"), 900 * DAY) == listed
    assert still_signed(listed, offered("new@1", "shared@1"), 900 * DAY) == listed[1:]


def test_older_publications_are_kept_for_nothing_and_leave_a_role_that_is_signed_anyway() -> None:
    listed = [manifest(str(n), n) for n in (1, 2, 3)] + [manifest("1", 1, "other", torrent="1")]
    stay = kept(listed)
    assert [str(one.ref) for one in stay] == ["acme@2", "acme@3", "other@1"]
    role: dict[str, object] = dict.fromkeys([f"patches/{one.ref}.manifest" for one in listed])
    role |= dict.fromkeys([*map(torrent_of, listed), "patches/order-00"])
    take_out([role], stay)
    assert set(role) == {*(f"patches/{one.ref}.manifest" for one in stay), *map(torrent_of, stay), "patches/order-00"}
