"""`p2pdist.install.order`: what is installed when, why the others wait, and what cannot be published."""

import gc
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.install.order import PatchStatus, StepKind, plan
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.relations import MAX_RELATIONS, OrderedPatch, OrderError, check_relations, in_order


def patch(patch_id: str, sequence: int = 0, version: str = "1", **relations: Any) -> OrderedPatch:
    return OrderedPatch(PatchRef(patch_id, version), sequence, **relations)


def planned(*patches: OrderedPatch, **statuses: PatchStatus) -> list[tuple[str, StepKind, str]]:
    standing = {one.ref: statuses.get(one.ref.patch_id, PatchStatus.APPLICABLE) for one in patches}
    return [(step.ref.patch_id, step.kind, step.reason) for step in plan(patches, standing)]


def test_what_is_published_first_is_installed_first() -> None:
    assert planned(patch("b", 1), patch("a", 2)) == [("b", StepKind.INSTALL, ""), ("a", StepKind.INSTALL, "")]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=9))
def test_patches_that_require_nothing_come_in_the_order_that_they_have_among_others(
    places: list[tuple[int, int]],
) -> None:
    patches = [patch(f"p{n}", sequence, urgency=urgency) for n, (urgency, sequence) in enumerate(places)]
    pair = [patch("needed", 10, urgency=5), patch("app", 11, requires=("needed",), urgency=5)]
    assert list(in_order([*patches, *pair])) == [*in_order(patches), *pair]


def test_what_is_required_comes_first_and_is_waited_for() -> None:
    app, runtime = patch("app", 1, requires=("runtime",)), patch("runtime", 2)
    assert planned(app, runtime) == [
        ("runtime", StepKind.INSTALL, ""),
        ("app", StepKind.WAIT, "needs runtime@1 first"),
    ]
    assert planned(app, runtime, runtime=PatchStatus.INSTALLED)[1] == ("app", StepKind.INSTALL, "")


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (PatchStatus.FAILED, "needs runtime: failed"),
        (PatchStatus.NOT_APPLICABLE, "needs runtime: does not apply here"),
    ],
)
def test_what_is_required_and_cannot_come_blocks(standing: PatchStatus, reason: str) -> None:
    steps = planned(patch("app", 1, requires=("runtime",)), patch("runtime", 2), runtime=standing)
    assert steps[1] == ("app", StepKind.BLOCKED, reason)


def test_what_is_required_and_not_rolled_out_here_blocks() -> None:
    assert planned(patch("app", requires=("runtime@2",)), patch("runtime", version="1"))[0] == (
        "app", StepKind.BLOCKED, "needs runtime@2: is not rolled out to this PC",
    )  # fmt: skip


def test_what_is_superseded_is_not_installed_and_who_supersedes_does_its_work() -> None:
    old, new = patch("fix", 1), patch("fix", 3, "2", supersedes=("fix@1",))
    app = patch("app", 2, requires=("fix@1",))
    steps = plan([old, new, app], {one.ref: PatchStatus.APPLICABLE for one in (old, new, app)})
    assert [(str(step.ref), step.kind, step.reason) for step in steps] == [
        ("fix@1", StepKind.SKIP, "superseded by fix@2"),
        ("fix@2", StepKind.INSTALL, ""),
        ("app@1", StepKind.WAIT, "needs fix@2 first"),
    ]
    statuses = {old.ref: PatchStatus.APPLICABLE, new.ref: PatchStatus.INSTALLED, app.ref: PatchStatus.APPLICABLE}
    assert plan([old, new, app], statuses)[-1].kind is StepKind.INSTALL


def test_what_supersedes_but_does_not_apply_supersedes_nothing_here() -> None:
    old, new = patch("a", 1), patch("b", 2, supersedes=("a",))
    assert planned(old, new, b=PatchStatus.NOT_APPLICABLE)[0] == ("a", StepKind.INSTALL, "")


@pytest.mark.parametrize("says", ["a", "b"])
def test_of_two_that_conflict_the_first_is_installed(says: str) -> None:
    a, b = patch("a", 1), patch("b", 2)
    a, b = (replace(a, conflicts=("b",)), b) if says == "a" else (a, replace(b, conflicts=("a",)))
    assert planned(a, b) == [
        ("a", StepKind.INSTALL, ""),
        ("b", StepKind.BLOCKED, "conflicts with a@1, which comes first"),
    ]
    assert planned(a, b, b=PatchStatus.INSTALLED)[0] == (
        "a",
        StepKind.BLOCKED,
        "conflicts with b@1, which is installed",
    )
    assert planned(a, b, a=PatchStatus.NOT_APPLICABLE)[1] == ("b", StepKind.INSTALL, "")


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (patch("n", requires=("gone",)), "requires gone, which is not published"),
        (patch("n", requires=("a@2",)), "requires a@2, which is not published"),
        (patch("n", requires=("n",)), "requires itself"),
        (patch("n", conflicts=("n@1",)), "conflicts itself"),
        (patch("n", supersedes=("n@1",)), "supersedes itself"),
        (patch("n", requires=("a",), conflicts=("a",)), "excludes it at the same time"),
        (patch("n", requires=("a@1",), conflicts=("a",)), "requires a@1 and excludes it at the same time"),
        (patch("n", requires=("a",), supersedes=("a@1",)), "requires a and excludes it at the same time"),
        (patch("n", requires=("c",)), "requires c, and c@1 conflicts with it or supersedes it"),
        (patch("n", requires=("s@1",)), "requires s@1, and s@1 conflicts with it or supersedes it"),
        (patch("a", 2, "2", requires=("a@1",)), "requires a@1, and takes its place"),
        (patch("a", 2, "2"), "exact@1 requires a@1, which a@2 would replace; first publish a version of exact that"),
        (patch("a", 2, "2", conflicts=("exact",)), "exact@1 requires a@1, which a@2 would replace"),
        (patch("b", 2, "2", conflicts=("any",)), "any@1 requires b, and b@2 and any@1 exclude each other"),
        (patch("b", 2, "3"), "any@1 requires b, and b@3 and any@1 exclude each other"),
        (patch("b", 2, "4"), "any@1 requires b, and b@4 and any@1 exclude each other"),
        (patch("n", requires=tuple(f"p{n}" for n in range(MAX_RELATIONS + 1))), "at most"),
    ],
)
def test_what_cannot_be_published(new: OrderedPatch, words: str) -> None:
    with pytest.raises(OrderError, match=words):
        check_relations(new, OFFERED)


OFFERED = [
    patch("a"),
    patch("b"),
    patch("c", conflicts=("n",)),
    patch("s", supersedes=("n@1",)),
    patch("exact", requires=("a@1",)),
    patch("any", requires=("b",), conflicts=("b@3",), supersedes=("b@4",)),
]


@pytest.mark.parametrize(
    "new",
    [
        patch("b", 2, "2"),
        patch("b", 2, "2", conflicts=("any@2",)),
        patch("a", 2, "2", supersedes=("exact",)),
        patch("b", 2, "3", supersedes=("any",)),
        patch("n", 2, "2", requires=("s", "a@1"), conflicts=("a@2",)),
        patch("exact", 2, "2", requires=("a",)),
    ],
)
def test_what_can_be_published(new: OrderedPatch) -> None:
    check_relations(new, OFFERED)


def test_a_requirement_that_was_never_met_does_not_hold_up_newer_versions() -> None:
    check_relations(patch("a", 3, "3"), [patch("a", 2, "2"), patch("exact", 1, requires=("a@1",))])


def test_a_circle_is_named() -> None:
    published = [patch("a", 1, requires=("n",)), patch("b", 2, requires=("a",))]
    with pytest.raises(OrderError, match="wait for each other: .*a@1.*requires"):
        check_relations(patch("n", 3, requires=("b",)), published)


def test_a_new_version_supersedes_all_older_ones_by_its_id() -> None:
    check_relations(patch("a", 2, "2", supersedes=("a",)), [patch("a")])


IDS = st.sampled_from("abcdef")
PATCHES = st.lists(
    st.builds(
        lambda key, sequence, requires, supersedes, conflicts: OrderedPatch(
            PatchRef(key, "1"), sequence, tuple(requires), tuple(supersedes), tuple(conflicts)
        ),
        IDS, st.integers(0, 9), *[st.lists(IDS, max_size=2)] * 3,
    ),
    max_size=6, unique_by=lambda one: one.ref,
)  # fmt: skip


@given(PATCHES, st.data())
def test_any_plan_keeps_its_promises(patches: list[OrderedPatch], data: st.DataObject) -> None:
    statuses = {one.ref: data.draw(st.sampled_from(PatchStatus)) for one in patches}
    try:
        steps = plan(patches, statuses)
    except OrderError:
        return
    assert sorted(step.ref for step in steps) == sorted(statuses)
    by_ref = {one.ref: one for one in patches}
    installed = {ref for ref, standing in statuses.items() if standing is PatchStatus.INSTALLED}
    for step in steps:
        assert bool(step.reason) is (step.kind is not StepKind.INSTALL)
        if step.kind is StepKind.INSTALL:
            assert statuses[step.ref] is PatchStatus.APPLICABLE
            for relation in by_ref[step.ref].requires:
                assert any(ref.patch_id == relation or relation in by_ref[ref].supersedes for ref in installed), (
                    "what is required is there"
                )
            for relation in by_ref[step.ref].conflicts:
                assert PatchRef(relation, "1") not in installed - {step.ref}


@pytest.mark.slow
def test_a_plan_of_many_costs_each_patch_the_same() -> None:
    def calls(count: int) -> int:
        patches = [patch(f"p{n}", n, requires=(f"p{n - 1}",) if n % 10 else ()) for n in range(count)]
        statuses = {
            one.ref: PatchStatus.INSTALLED if n % 2 else PatchStatus.APPLICABLE for n, one in enumerate(patches)
        }
        made = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        gc.collect()
        gc.disable()
        sys.setprofile(note)
        try:
            plan(patches, statuses)
        finally:
            sys.setprofile(None)
            gc.enable()
        return made

    assert calls(200) < 3 * calls(100)


def test_what_is_too_old_is_not_installed_and_keeps_nothing_else_away() -> None:
    old, app = patch("old", 1, supersedes=("app",), conflicts=("app",)), patch("app", 2)
    assert planned(old, app, old=PatchStatus.OLDER) == [
        ("old", StepKind.SKIP, "older than what may be installed here"),
        ("app", StepKind.INSTALL, ""),
    ]
