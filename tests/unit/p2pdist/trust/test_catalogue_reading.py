"""Reading the catalogue: one bad patch never holds up the others."""

import hashlib
import math
from collections.abc import Callable, Collection

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import EndpointId, PatchId, PatchRef, PatchVersion, SiteName, TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, encode_approvers
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    Withdrawal,
    decode_manifest,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.publication_order import (
    NOTHING_PUBLISHED,
    ORDER_TARGET,
    OrderRefusal,
    PublicationOrder,
    Publications,
    encode_order,
    refused,
)
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recall, Recalls, encode_recalls
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import NO_END, STAGED_TARGET, Hold, StagedEntry, StagedRollouts, encode_staged
from p2pdist.shared.manifest.suitability import Choice
from p2pdist.shared.manifest.template import MAX_TEMPLATES, Template, TemplateItem, encode_template, template_target
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.trust.catalogue import Catalogue, DocumentError, Held
from p2pdist.trust.catalogue_reading import (
    ReadPatches,
    ThisPc,
    first_payload,
    read_catalogue,
    read_patches,
)
from p2pdist.trust.ring_rules import EVERYONE, RingMember, RingReason, RingTerms
from p2pdist.trust.site_documents import read_profile, read_templates

HASH = "ab" * 32
JAPANESE = "cd" * 32


def path_of(name: str) -> str:
    return manifest_target(PatchId(name), PatchVersion("1"))


def entry(name: str, sequence: int) -> RolloutEntry:
    return RolloutEntry(patch_id=name, version="1", sequence=sequence)


def documents(*names: str, supersedes: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Of each patch, with an English and a Japanese file; the last one supersedes others."""
    found: dict[str, bytes] = {torrent_target(TorrentHash(HASH)): b"torrent"}
    found[torrent_target(TorrentHash(JAPANESE))] = b"torrent ja"
    for name in names:
        payload = Payload(file_name="f", length_bytes=1, sha256=HASH, torrent_hash=HASH)
        manifest = Manifest(
            format=1,
            patch_id=name,
            version="1",
            title="",
            severity="low",
            cvss=None,
            published_at=0,
            payloads=[payload, replace(payload, torrent_hash=JAPANESE, language="ja")],
            supersedes=supersedes if name == names[-1] else (),
        )
        found[path_of(name)] = encode_manifest(manifest)
    return found


def read_all(
    found: dict[str, bytes],
    *entries: RolloutEntry,
    choose: Callable[[Manifest], Choice] = first_payload,
    held: Collection[Held] = (),
    max_bytes: int = 10_000,
    order: PublicationOrder | None = None,
    terms: RingTerms = EVERYONE,
) -> ReadPatches:
    def get(path: str, cap: int) -> bytes:
        if path not in found:
            raise DocumentError("missing")
        if len(found[path]) > cap:
            raise DocumentError("too large")
        return found[path]

    rollouts = Rollouts(format=1, entries=list(entries))
    once = Publications(newest=1, lowest=1)
    order = PublicationOrder(format=1, patches={entry.patch_id: once for entry in entries}) if order is None else order
    return read_patches(rollouts, order, get, choose=choose, held=held, max_bytes=max_bytes, terms=terms)


def read(found: dict[str, bytes], *entries: RolloutEntry, max_bytes: int = 10_000) -> tuple[list[str], list[str]]:
    got = read_all(found, *entries, max_bytes=max_bytes)
    assert got.not_applicable == ()
    return [p.entry.patch_id for p in got.patches], [f"{r.entry.patch_id}: {r.reason}" for r in got.refused]


def never(manifest: Manifest) -> Choice:
    return Choice(None, f"{manifest.patch_id} is not for you")


def test_patches_come_by_sequence() -> None:
    assert read(documents("a", "b"), entry("a", 2), entry("b", 1)) == (["b", "a"], [])


def test_a_missing_manifest_refuses_that_patch_alone() -> None:
    assert read(documents("b"), entry("a", 1), entry("b", 2)) == (["b"], ["a: missing"])


def test_a_manifest_of_another_patch_is_refused() -> None:
    found = documents("a", "b")
    found[path_of("a")] = found[path_of("b")]
    taken, refused = read(found, entry("a", 1), entry("b", 2))
    assert taken == ["b"]
    assert "is the manifest of b@1" in refused[0]


def test_a_damaged_manifest_is_refused() -> None:
    taken, refused = read({**documents("a", "b"), path_of("a"): b"\xc1"}, entry("a", 1), entry("b", 2))
    assert taken == ["b"]
    assert len(refused) == 1


def test_a_patch_that_is_rolled_out_twice_is_taken_once() -> None:
    assert read(documents("a"), entry("a", 1), entry("a", 2)) == (["a"], ["a: it is rolled out twice"])


def test_one_publication_too_many_takes_nothing_from_the_first_ones() -> None:
    found = documents("a", "b", "c")
    manifests = sum(len(found[path_of(name)]) for name in ("a", "b", "c"))
    taken, refused = read(found, entry("a", 1), entry("b", 2), entry("c", 3), max_bytes=manifests)
    assert taken == ["a", "b"]
    assert len(refused) == 1


def test_a_damaged_manifest_takes_no_room() -> None:
    found = documents("a", "b")
    size = len(b"torrent") + len(found[path_of("b")])
    found[path_of("a")] = b"\xc1" * (size // 2)
    assert read(found, entry("a", 1), entry("b", 2), max_bytes=size)[0] == ["b"]


def test_what_is_refused_comes_by_sequence() -> None:
    found = documents("a", "b", "c")
    del found[path_of("c")]
    taken, refused = read(found, entry("a", 1), entry("c", 2), entry("a", 3))
    assert taken == ["a"]
    assert [each.partition(":")[0] for each in refused] == ["c", "a"]


@pytest.mark.parametrize(("spare", "count"), [(0, 2), (-1, 1)])
def test_the_cap_on_all_documents_holds(spare: int, count: int) -> None:
    found = documents("a", "b")
    size = 2 * len(b"torrent") + sum(len(found[path_of(name)]) for name in ("a", "b"))
    taken, refused = read(found, entry("a", 1), entry("b", 2), max_bytes=size + spare)
    assert (len(taken), len(refused)) == (count, 2 - count)


@pytest.mark.parametrize("content", [b"junk", b"", None], ids=["junk", "empty", "cannot be had"])
def test_profile_that_cannot_be_used_is_none_and_holds_up_nothing(content: bytes | None) -> None:
    def get(_path: str, _cap: int) -> bytes:
        if content is None:
            raise DocumentError("gone")
        return content

    assert read_profile(SiteName("oslo"), lambda _: True, get) is None
    assert read_profile(None, lambda _: True, get) is None
    assert read_profile(SiteName("oslo"), lambda _: False, get) is None


def test_the_chosen_payload_comes_with_its_torrent() -> None:
    got = read_all(documents("a"), entry("a", 1), choose=lambda manifest: Choice(manifest.payloads[1], ""))
    assert [(p.payload.torrent_hash, p.torrent) for p in got.patches] == [(JAPANESE, b"torrent ja")]


def test_what_is_not_for_this_pc_is_named_with_the_reason_and_its_torrent_is_not_read() -> None:
    found = documents("a", "b")
    del found[torrent_target(TorrentHash(HASH))]
    got = read_all(found, entry("b", 2), entry("a", 1), choose=never)
    assert (got.patches, got.refused) == ((), ())
    assert [(n.entry.patch_id, n.manifest.patch_id, n.reason, n.shared) for n in got.not_applicable] == [
        ("a", "a", "a is not for you", None),
        ("b", "b", "b is not for you", None),
    ]


def test_bytes_that_are_here_go_on_being_shared() -> None:
    got = read_all(
        documents("a", "b"), entry("a", 1), entry("b", 2), choose=never, held={(PatchRef("a", "1"), JAPANESE)}
    )
    first, second = got.not_applicable
    assert first.shared is not None
    assert (first.shared.payload.torrent_hash, first.shared.torrent) == (JAPANESE, b"torrent ja")
    assert second.shared is None, "the same bytes under another name were never this patch's"


def test_bytes_of_another_version_are_no_reason_to_fetch() -> None:
    (skipped,) = read_all(documents("a"), entry("a", 1), choose=never, held={(PatchRef("a", "0"), HASH)}).not_applicable
    assert skipped.shared is None


@pytest.mark.parametrize("relation", ["a", "a@1", "a@2"])
@pytest.mark.parametrize("newer", ["for this PC", "installed", "not for this PC"])
def test_superseded_bytes_are_shared_no_longer(relation: str, newer: str) -> None:
    def choose(manifest: Manifest) -> Choice:
        return first_payload(manifest) if (manifest.patch_id, newer) == ("b", "for this PC") else never(manifest)

    held = {(PatchRef("a", "1"), HASH)} | ({(PatchRef("b", "1"), HASH)} if newer == "installed" else set())
    found = documents("a", "b", supersedes=(relation,))
    got = read_all(found, entry("a", 1), entry("b", 2), choose=choose, held=held)
    kept = relation == "a@2" or newer == "not for this PC"
    assert (got.not_applicable[0].shared is not None) is kept


def test_manifests_of_what_is_not_for_this_pc_count_towards_the_cap() -> None:
    found = documents("a", "b")
    size = len(found[path_of("a")])
    got = read_all(found, entry("a", 1), entry("b", 2), choose=never, max_bytes=2 * size - 1)
    assert [n.entry.patch_id for n in got.not_applicable] == ["a"]
    assert [r.reason for r in got.refused] == ["too large"]


def test_a_repository_without_rollouts_is_empty_and_one_whose_rollouts_cannot_be_had_an_error() -> None:
    def get(_path: str, _cap: int) -> bytes:
        raise DocumentError("gone")

    empty = read_catalogue(lambda _: False, get, ThisPc())
    assert (empty.patches, empty.refused, empty.not_applicable, empty.wanted()) == ((), (), (), {})
    with pytest.raises(DocumentError, match="gone"):
        read_catalogue(lambda _: True, get, ThisPc())


def test_what_is_withdrawn_is_told_and_where_it_is_offered_too_not_taken() -> None:
    """The online key may sign both; taking away goes before giving."""
    gone = Withdrawal("a", "1", sequence=1, reason="crashes", at=1)
    order = PublicationOrder(format=1, patches={name: Publications(newest=1, lowest=1) for name in "ab"})
    rollouts = Rollouts(format=1, entries=[entry("a", 1), entry("b", 2)], withdrawn=(gone,))
    found = documents("a", "b") | {ROLLOUTS_TARGET: encode_rollouts(rollouts), ORDER_TARGET: encode_order(order)}
    read = read_catalogue(
        found.__contains__,
        lambda path, _: found[path],
        ThisPc(held={(PatchRef("a", "1"), HASH)}),
    )
    assert [patch.entry.patch_id for patch in read.patches] == ["b"]
    assert (read.refused, read.not_applicable, read.withdrawn) == ((), (), (gone,))


def template(name: str) -> bytes:
    item = TemplateItem(label="kiosks", expression='"kiosk" in tags')
    return encode_template(Template(format=1, name=name, title="", items=(item,)))


def test_one_bad_template_never_holds_up_the_others() -> None:
    found = {
        template_target(name): content
        for name, content in {"b": template("b"), "a": template("a"), "junk": b"junk", "other": template("a")}.items()
    }

    def get(path: str, cap: int) -> bytes:
        if path not in found:
            raise DocumentError("not signed")
        assert cap >= len(found[path])
        return found[path]

    names = [*found, template_target("gone")]
    assert [one.name for one in read_templates(names, get)] == ["a", "b"]


def test_no_more_templates_than_the_cap() -> None:
    targets = [template_target(f"t{n:03}") for n in range(MAX_TEMPLATES + 10)]
    taken = read_templates(targets, lambda path, _: template(path.rpartition("/")[2]))
    assert [one.name for one in taken] == [f"t{n:03}" for n in range(MAX_TEMPLATES)]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"a": Publications(newest=2, lowest=2)}, refused(OrderRefusal.SUPERSEDED, 1, 2)),
        ({"a": Publications(newest=1, lowest=2)}, refused(OrderRefusal.SUPERSEDED, 1, 2)),
        ({}, OrderRefusal.UNNUMBERED),
    ],
    ids=["superseded", "withdrawn", "never numbered"],
)
def test_what_the_order_does_not_allow_is_not_fetched_nor_shared(known: dict[str, Publications], reason: str) -> None:
    order = PublicationOrder(format=1, patches={"b": Publications(newest=1, lowest=1), **known})
    got = read_all(documents("a", "b"), entry("a", 1), entry("b", 2), order=order, held={(PatchRef("a", "1"), HASH)})
    assert [patch.entry.patch_id for patch in got.patches] == ["b"]
    (skipped,) = got.not_applicable
    assert (skipped.reason, skipped.older, skipped.shared) == (reason, True, None)


def test_without_an_order_nothing_is_believed() -> None:
    found = documents("a") | {ROLLOUTS_TARGET: encode_rollouts(Rollouts(format=1, entries=[entry("a", 1)]))}

    def get(path: str, _cap: int) -> bytes:
        if path not in found:
            raise DocumentError("missing")
        return found[path]

    with pytest.raises(DocumentError):
        read_catalogue(found.__contains__, get, ThisPc())
    found[ORDER_TARGET] = encode_order(NOTHING_PUBLISHED.with_publication(PatchId("a"), lowest=1))
    assert len(read_catalogue(found.__contains__, get, ThisPc()).patches) == 1


def by_rings(found: dict[str, bytes], name: str, *, opened: int, sequence: int = 1) -> StagedEntry:
    """Return the rollout of a patch by one ring; ``opened``: whether it is open."""
    digest = hashlib.sha256(found[path_of(name)]).hexdigest()
    plan = RolloutPlan(
        format=1, patch_id=name, version="1", number=1, manifest_sha256=digest, salt=bytes(16),
        rings=(PlannedRing("all"),), silent_after_seconds=0,
    )  # fmt: skip
    return StagedEntry(sequence, plan, (1,) * opened)


PC = RingMember(EndpointId("a" * 26), Facts(), 100.0)


def staged(*entries: StagedEntry, holds: tuple[Hold, ...] = ()) -> RingTerms:
    return RingTerms(PC, StagedRollouts(format=1, entries=entries, holds=holds))


def test_what_waits_for_its_ring_is_neither_refused_nor_fetched() -> None:
    found = documents("a", "b")
    del found[torrent_target(TorrentHash(HASH))]
    closed = staged(by_rings(found, "a", opened=0))
    read = read_all(found, entry("a", 1), terms=closed)
    assert (read.patches, read.refused, read.not_applicable) == ((), (), ())
    (waiting,) = read.not_yet
    assert (waiting.wait.reason, waiting.shared) == (RingReason.NOT_OPEN, None)


def test_bytes_of_it_that_are_here_are_kept_and_shared() -> None:
    found = documents("a")
    held = staged(by_rings(found, "a", opened=1), holds=(Hold(1, "a", "", "a running order", "kim", 200),))
    read = read_all(found, entry("a", 1), terms=held, held=[(PatchRef("a", "1"), HASH)])
    (waiting,) = read.not_yet
    assert waiting.shared is not None
    assert Catalogue(1, (), (), "", not_yet=read.not_yet).wanted() == {HASH: (waiting.shared,)}


def test_bytes_of_what_was_taken_back_here_do_not_stay() -> None:
    found = documents("a")
    withdrawn = Hold(1, "a", "", "no printing", "kim", NO_END)
    for terms in (staged(by_rings(found, "a", opened=0)), staged(by_rings(found, "a", opened=1), holds=(withdrawn,))):
        read = read_all(found, entry("a", 1), terms=terms, held=[(PatchRef("a", "1"), HASH)])
        assert [one.shared for one in read.not_yet] == [None]


def test_what_does_not_apply_says_so_before_it_waits_for_a_ring() -> None:
    found = documents("a")
    read = read_all(found, entry("a", 1), choose=never, terms=staged(by_rings(found, "a", opened=0)))
    assert [one.reason for one in read.not_applicable] == ["a is not for you"]
    assert read.not_yet == ()


@pytest.mark.parametrize("opened", [0, 1])
def test_until_the_ring_of_a_newer_publication_opens_the_one_before_stays(opened: int) -> None:
    found = documents("a")
    older = decode_manifest(found[path_of("a")])
    found["patches/a@2.manifest"] = encode_manifest(replace(older, version="2", number=2))
    digest = hashlib.sha256(found["patches/a@2.manifest"]).hexdigest()
    plan = replace(by_rings(found, "a", opened=0).plan, version="2", number=2, manifest_sha256=digest)
    order = PublicationOrder(format=1, patches={"a": Publications(newest=2, lowest=1)})
    newer = RolloutEntry("a", "2", 2)
    read = read_all(found, entry("a", 1), newer, order=order, terms=staged(StagedEntry(2, plan, (1,) * opened)))
    assert [str(one.ref) for one in read.patches] == ["a@2" if opened else "a@1"]
    assert [str(one.entry.ref) for one in read.not_yet] == ([] if opened else ["a@2"])
    assert [str(ref) for ref in read.replaced] == (["a@1"] if opened else [])


def whole(found: dict[str, bytes], rollouts: Rollouts, *installed: PatchRef, **more: bytes) -> Catalogue:
    """Return the catalogue of all documents."""
    order = PublicationOrder(format=1, patches={name: Publications(newest=1, lowest=1) for name in ("a", "b")})
    targets = {"staged": STAGED_TARGET, "approvers": APPROVERS_TARGET, "recalls": RECALLS_TARGET}
    targets["anchor"] = ANCHOR_TARGET
    every = found | {ROLLOUTS_TARGET: encode_rollouts(rollouts), ORDER_TARGET: encode_order(order)}
    every |= {targets[name]: data for name, data in more.items()}

    def get(path: str, _cap: int) -> bytes:
        if path not in every:
            raise DocumentError("missing")
        return every[path]

    return read_catalogue(every.__contains__, get, ThisPc(member=PC, installed=installed))


def test_both_documents_are_read_and_what_is_stopped_is_not_offered() -> None:
    found = documents("a", "b")
    only_a = Rollouts(format=1, entries=[entry("a", 1)])
    both = StagedRollouts(format=1, entries=(by_rings(found, "b", opened=1, sequence=2),))
    assert [one.entry.patch_id for one in whole(found, only_a, staged=encode_staged(both)).patches] == ["a", "b"]
    closed = replace(both, entries=(by_rings(found, "a", opened=0), *both.entries))
    read = whole(found, only_a, staged=encode_staged(closed))
    assert [one.entry.patch_id for one in read.patches] == ["b"]
    assert [one.entry.patch_id for one in read.not_yet] == ["a"], "what is in both is held to its rings"
    stop = Withdrawal("a", "1", sequence=1, reason="crashes", at=1)
    halted = whole(found, only_a, staged=encode_staged(replace(both, stopped=(stop,))))
    assert [one.entry.patch_id for one in halted.patches] == ["b"]
    assert halted.withdrawn == (stop,)
    assert whole(found, only_a).not_yet == ()


def test_the_checkpoint_of_the_audit_log_comes_with_its_anchor_or_not_at_all() -> None:
    found, nothing = documents("a"), Rollouts(format=1, entries=[])
    logged = encode_staged(StagedRollouts(format=1, checkpoint=b"a note"))
    read = whole(found, nothing, staged=logged)
    assert (read.checkpoint, read.log_anchor) == (b"a note", b"")
    read = whole(found, nothing, staged=logged, anchor=b"signed")
    assert (read.checkpoint, read.log_anchor) == (b"a note", b"signed")

    def get(path: str, _cap: int) -> bytes:
        if path == ANCHOR_TARGET:
            raise DocumentError("it does not arrive")
        return {STAGED_TARGET: logged, ROLLOUTS_TARGET: encode_rollouts(nothing)}[path]

    read = read_catalogue({ANCHOR_TARGET, STAGED_TARGET, ROLLOUTS_TARGET}.__contains__, get, ThisPc(member=PC))
    assert (read.checkpoint, read.log_anchor) == (b"", b""), "judged without it, it could be an alarm that stays"


def test_approvers_hold_back_what_nobody_has_approved_and_recalls_are_read() -> None:
    found = documents("a")
    only_a = Rollouts(format=1, entries=[entry("a", 1)])
    approvers = Approvers(format=1, keys={"kim": b"k" * 32}, required=1, required_in_emergency=1, since=0)
    recall = Recall("b", 1, "", "crashes", 1)
    newer = decode_manifest(found[path_of("a")])
    found[path_of("a")] = encode_manifest(replace(newer, published_at=1))
    read = whole(found, only_a, approvers=encode_approvers(approvers), recalls=encode_recalls(Recalls(1, (recall,))))
    assert [one.wait.reason for one in read.not_yet] == [RingReason.NOT_APPROVED]
    assert read.recalls == (recall,)


@pytest.mark.parametrize("damaged", ["staged", "approvers", "recalls"])
def test_what_cannot_be_read_of_rings_lets_nothing_be_taken(damaged: str) -> None:
    with pytest.raises(DecodeError):
        whole(documents("a"), Rollouts(format=1, entries=[entry("a", 1)]), **{damaged: b"\xc1"})


def test_the_catalogue_says_when_time_alone_changes_it() -> None:
    found = documents("a", "b")
    holds = (Hold(1, "a", "", "tax", "kim", 200), Hold(2, "b", "", "tax", "kim", 300))
    terms = staged(by_rings(found, "a", opened=1), by_rings(found, "b", opened=1), holds=holds)
    read = read_all(found, entry("a", 1), entry("b", 2), terms=terms)
    assert Catalogue(1, (), (), "", not_yet=read.not_yet).changes_at == 200.0
    assert Catalogue(1, (), (), "").changes_at == math.inf


def test_what_is_recalled_is_refused_and_where_it_is_installed_its_recipe_is_read() -> None:
    found = documents("a", "b")
    here, gone = PatchRef("a", "1"), PatchRef("a", "0")
    everyone, elsewhere = Recall("a", 1, "", "crashes", 1), Recall("b", 1, 'site == "rome"', "crashes", 1)
    recalls = encode_recalls(Recalls(1, (replace(everyone, reason="older"), everyone, elsewhere)))
    rollouts = Rollouts(format=1, entries=[entry("a", 1), entry("b", 2)])
    read = whole(found, rollouts, here, gone, PatchRef("b", "1"), PatchRef("c", "1"), recalls=recalls)
    assert [patch.entry.patch_id for patch in read.patches] == ["b"]
    assert [(one.reason, one.older) for one in read.not_applicable] == [("recalled: older", True)]
    assert [(one.ref, one.manifest is not None) for one in read.recalled] == [(gone, False), (here, True)]
    newer = encode_recalls(Recalls(1, (replace(everyone, number=2),)))
    assert whole(found, rollouts, here, recalls=newer).recalled[0].recall.number == 2
    withdrawn = whole(found, Rollouts(format=1, entries=[]), here, recalls=recalls)
    assert [one.manifest is not None for one in withdrawn.recalled] == [True], "its recipe is signed all the same"
