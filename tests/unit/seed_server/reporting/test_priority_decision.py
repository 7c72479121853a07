"""`seed_server.reporting.priority_decision`: which weakness, on which PCs, decides; and what comes before what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import PatchRef
from seed_server.reporting.priority_decision import NO_GROUP, PcGroup, PriorityDecision, WorldKnowledge, decide, ranked
from seed_server.reporting.priority_table import EXPOSURES, MISSIONS, urgency
from tests.helpers.judged_patches import DAY, INSIDE, NOW, OUTSIDE, TABLE, VITAL, exploited, facts, source, world

FIRST, SECOND = "CVE-2026-1001", "CVE-2026-1002"


def decided(*cves: str, known: WorldKnowledge | None = None, **others: Any) -> PriorityDecision:
    return decide(TABLE, facts(*cves, **others), known or world())


@pytest.mark.parametrize(
    ("known", "exploitation", "likely", "is_known"),
    [
        (world(), "none", False, True),
        (world(exploited(FIRST)), "active", False, True),
        (world(exploited(FIRST, ransomware=True)), "active", True, True),
        (world(exploited(FIRST), scores={FIRST: (0.1, 0.99)}), "active", True, True),
        (world(scores={FIRST: (0.0999, 0.9)}), "poc", False, True),
        (world(scores={FIRST: (0.1, 0.9)}), "poc", True, True),
        (world(scores={FIRST: (0.1, 0.8999)}), "none", True, True),
        (world(exploited(SECOND), scores={SECOND: (1.0, 1.0)}), "none", False, True),
        (world(kinds=""), "none", False, False),
        (world(kinds="kev"), "none", False, False),
        (world(kinds="epss"), "none", False, False),
        (world(exploited(FIRST), kinds="kev"), "active", False, True),
        (world(scores={FIRST: (0.5, 0.95)}, kinds="epss"), "poc", True, True),
    ],
)
def test_exploitation_follows_from_the_files(
    known: WorldKnowledge, exploitation: str, likely: bool, is_known: bool
) -> None:
    one = decided(FIRST, known=known)
    case = one.leaf.case
    assert (case.exploitation, case.likely, one.exploitation_known) == (exploitation, likely, is_known)
    assert one.by is not None
    assert one.by.cve == FIRST


def test_a_patch_without_cves_is_judged_by_its_score_and_nothing_is_claimed() -> None:
    one = decided(known=world(exploited(FIRST)))
    assert (one.by, one.exploitation_known, one.leaf.case.exploitation) == (None, False, "none")
    assert one.leaf.priority == "scheduled"
    assert decided(cvss=None, severity="low").leaf.priority == "defer"


def test_the_worst_weakness_on_the_worst_pcs_decides() -> None:
    known = world(exploited(SECOND, ransomware=True), scores={FIRST: (0.9, 0.99)})
    one = decided(FIRST, SECOND, known=known, groups={INSIDE: 1_000, OUTSIDE: 3, PcGroup("small", "low"): 5})
    assert one.by is not None
    assert (one.by.cve, one.pcs, one.leaf.case.exposure) == (SECOND, 3, "open")
    assert one.leaf.priority == "immediate"
    assert one.facts.pcs == 1_008
    # what is worst of each comes together only where a PC has both
    apart = decided(FIRST, known=world(exploited(FIRST)), groups={OUTSIDE: 1, VITAL: 1})
    together = decided(FIRST, known=world(exploited(FIRST)), groups={PcGroup("open", "high"): 1})
    assert (apart.leaf.priority, together.leaf.priority) == ("out-of-cycle", "immediate")


def test_a_patch_for_no_pc_is_as_little_urgent_as_its_weakness_allows() -> None:
    one = decided(FIRST, known=world(exploited(FIRST)), groups={})
    assert (one.leaf.case.exposure, one.leaf.case.mission) == NO_GROUP
    assert (one.pcs, one.leaf.priority) == (0, "scheduled")


def test_the_deadline_begins_when_it_was_published_or_later_when_it_was_known_to_be_exploited() -> None:
    assert decided(FIRST).due_at == NOW - DAY + 30 * DAY
    late = world(exploited(FIRST, added=NOW))
    assert decided(FIRST, known=late, published_at=NOW - 90 * DAY).due_at == NOW + 7 * DAY
    early = world(exploited(FIRST, added=NOW - 90 * DAY))
    assert decided(FIRST, known=early, published_at=NOW).due_at == NOW + 7 * DAY
    assert decided(FIRST, cvss=1.0).due_at is None


GROUPS = st.dictionaries(st.builds(PcGroup, st.sampled_from(EXPOSURES), st.sampled_from(MISSIONS)), st.integers(1, 9))
KNOWN = st.dictionaries(st.sampled_from([FIRST, SECOND]), st.tuples(st.floats(0, 1), st.floats(0, 1)))


@given(GROUPS, KNOWN, st.sets(st.sampled_from([FIRST, SECOND])), st.floats(0, 10), st.floats(0, 10))
def test_more_weaknesses_more_pcs_or_a_higher_score_never_make_it_less_urgent(
    groups: dict[PcGroup, int], scores: dict[str, tuple[float, float]], exploits: set[str], one: float, other: float
) -> None:
    known = world(*map(exploited, sorted(exploits)), scores=scores)
    whole = decided(FIRST, SECOND, known=known, groups=groups, cvss=max(one, other))
    assert sum(group == (whole.leaf.case.exposure, whole.leaf.case.mission) for group in groups or [NO_GROUP]) == 1
    lesser = [
        decided(FIRST, known=known, groups=groups, cvss=max(one, other)),
        decided(FIRST, SECOND, known=known, groups=groups, cvss=min(one, other)),
        decided(FIRST, SECOND, known=world(scores=scores), groups=groups, cvss=max(one, other)),
        *(decided(FIRST, SECOND, known=known, groups={group: 1}, cvss=max(one, other)) for group in groups),
    ]
    assert all(urgency(less.leaf.priority) <= urgency(whole.leaf.priority) for less in lesser)


def test_what_comes_first_is_the_most_urgent_then_the_first_due_then_the_likeliest() -> None:
    known = world(exploited(FIRST), scores={SECOND: (0.05, 0.5)})
    patches = {
        "exploited": facts(FIRST),
        "earlier": facts(published_at=NOW - 5 * DAY),
        "likelier": facts(SECOND),
        "higher": facts(cvss=9.9),
        "more": facts(missing=11),
        "plain-a": facts(),
        "plain-b": facts(),
        "least": facts(cvss=1.0),
    }
    named = [
        decide(TABLE, type(one)(**vars(one) | {"ref": PatchRef(name, "1")}), known) for name, one in patches.items()
    ]
    for order in (named, named[::-1]):
        assert [one.facts.ref.patch_id for one in ranked(order)] == list(patches)
    assert ranked([]) == []


def test_a_file_is_old_after_seven_days_and_a_missing_one_is_missing() -> None:
    fresh = world()
    assert (fresh.stale(NOW), fresh.missing()) == ([], [])
    assert [one.kind for one in fresh.stale(NOW + 6 * DAY + 1)] == ["kev", "epss"]
    assert WorldKnowledge({"kev": source("kev", 7 * DAY)}).stale(NOW) == []
    assert WorldKnowledge({"kev": source("kev", 7 * DAY + 1)}).stale(NOW) != []
    assert WorldKnowledge().missing() == ["kev", "epss"]
