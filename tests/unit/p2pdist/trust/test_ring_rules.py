"""`p2pdist.trust.ring_rules`: whether a PC may take a patch now, by what is signed about rings."""

from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef, endpoint_id_of_public_key
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import Hold, StagedEntry, StagedRollouts
from p2pdist.trust.ring_rules import EVERYONE, RingMember, RingReason, RingTerms
from tests.helpers.patch_views import manifest, payload

DAY = 86_400
NOW = 1_795_600_000
SHA = "ab" * 32
RINGS = (
    PlannedRing("test", who='"lab" in tags', soak_seconds=DAY),
    PlannedRing("first", who='site == "oslo"', soak_seconds=2 * DAY),
    PlannedRing("broad", who='site != "plant"'),
)
PLAN = RolloutPlan(
    format=1, patch_id="acme", version="2", number=1, manifest_sha256=SHA, salt=bytes(16), rings=RINGS,
    silent_after_seconds=DAY,
)  # fmt: skip
APPROVERS = Approvers(
    format=1, keys={"kim": b"k" * 32, "ito": b"i" * 32}, required=2, required_in_emergency=1, since=NOW - 30 * DAY
)


def patch(**fields: Any) -> Manifest:
    return manifest(PatchRef("acme", "2"), payload(), **({"published_at": NOW - 20 * DAY} | fields))


def member(site: str = "oslo", *tags: str, now: float = NOW) -> RingMember:
    return RingMember(endpoint_id_of_public_key(b"pc"), Facts({"site": site, "tags": tags}), now)


def terms(
    who: RingMember | None, *, opened: int = 3, at: int = NOW - 10 * DAY, plan: RolloutPlan = PLAN, **fields: Any
) -> RingTerms:
    entry = StagedEntry(1, plan, (at,) * opened)
    staged = StagedRollouts(format=1, entries=(entry,), holds=fields.pop("holds", ()))
    return RingTerms(who, staged, **fields)


def reason(these: RingTerms, made: Manifest | None = None, sha256: str = SHA) -> RingReason | None:
    wait = these.wait(made or patch(), sha256)
    return None if wait is None else wait.reason


def test_what_is_offered_to_everyone_waits_for_nothing() -> None:
    assert reason(EVERYONE) is None
    assert reason(RingTerms(member())) is None


def test_each_pc_waits_for_its_own_ring() -> None:
    lab, oslo, rome = member("rome", "lab"), member("oslo"), member("rome")
    assert [reason(terms(lab, opened=n)) for n in range(2)] == [RingReason.NOT_OPEN, None]
    assert [reason(terms(oslo, opened=n)) for n in (1, 2)] == [RingReason.NOT_OPEN, None]
    wait = terms(rome, opened=2).wait(patch(), SHA)
    assert wait is not None
    assert wait.words == "its ring is not open: ring broad"
    assert reason(terms(rome)) is None


def test_who_is_in_no_ring_or_does_not_know_who_he_is_takes_nothing() -> None:
    assert reason(terms(member("plant"))) is RingReason.IN_NO_RING
    assert reason(terms(None)) is RingReason.IN_NO_RING


def test_a_plan_of_another_publication_or_of_other_bytes_opens_nothing() -> None:
    assert reason(terms(member()), patch(number=2)) is RingReason.OTHER_PUBLICATION
    assert reason(terms(member()), sha256="cd" * 32) is RingReason.OTHER_PUBLICATION


def test_the_soak_times_of_the_rings_before_pass_first_whatever_is_said_to_be_open() -> None:
    rome, opened_at = member("rome"), NOW - DAY
    wait = terms(rome, at=opened_at).wait(patch(), SHA)
    assert wait is not None
    assert (wait.reason, wait.until) == (RingReason.SOAKING, opened_at + 3 * DAY)
    assert reason(terms(member("rome", now=opened_at + 3 * DAY), at=opened_at)) is None
    assert reason(terms(member("rome", "lab", now=0.0), at=opened_at)) is None, "before the first ring there is none"
    young = patch(published_at=NOW - DAY)
    assert reason(terms(rome, at=0), young) is RingReason.SOAKING, "no rollout begins before its publication"


@pytest.mark.parametrize(("count", "wanted"), [(0, RingReason.NOT_APPROVED), (1, RingReason.NOT_APPROVED), (2, None)])
def test_where_there_are_approvers_enough_of_them_have_approved_the_ring(count: int, wanted: RingReason | None) -> None:
    asked: list[int] = []

    def approved_by(_entry: StagedEntry, rings: int, _approvers: Approvers) -> int:
        asked.append(rings)
        return count

    assert reason(terms(member(), approvers=APPROVERS, approved_by=approved_by)) is wanted
    assert asked == [2], "as far as this PC's ring"


def test_what_is_offered_to_everyone_has_no_approval_and_so_is_not_taken_where_some_is_wanted() -> None:
    alone = RingTerms(member(), approvers=APPROVERS)
    wait = alone.wait(patch(), SHA)
    assert wait is not None
    assert wait.words == "it is not approved for this PC's ring: 0 of 2 approvals"
    assert reason(alone, patch(published_at=APPROVERS.since)) is None, "it was published before"
    emergency = patch(schedule=ScheduleRules(emergency=True))
    once = terms(member(), approvers=APPROVERS, approved_by=lambda *_: 1)
    assert (reason(once, emergency), reason(once)) == (None, RingReason.NOT_APPROVED)


def test_an_exception_holds_the_pcs_that_it_names_until_it_ends() -> None:
    hold = Hold(1, "acme", 'site == "oslo"', "a running order", "kim", NOW + 60)
    longer = replace(hold, until=NOW + DAY, patch="")
    other = replace(hold, patch="acme@3", until=NOW + 9 * DAY)
    held = terms(member(), holds=(hold, longer, other)).wait(patch(), SHA)
    assert held is not None
    assert (held.reason, held.until) == (RingReason.HELD, NOW + DAY)
    assert held.words.endswith(" UTC, by kim: a running order")
    assert reason(terms(member("rome"), holds=(hold,))) is None
    assert reason(terms(member(now=NOW + 60), holds=(hold,))) is None
    assert reason(RingTerms(member(), StagedRollouts(format=1, holds=(hold,)))) is RingReason.HELD, "in no ring either"


def test_a_time_that_no_calendar_has_is_shown_all_the_same() -> None:
    for_ever = Hold(1, "", "", "a running order", "kim", (1 << 40) - 2)
    wait = terms(member(), holds=(for_ever,)).wait(patch(), SHA)
    assert wait is not None
    assert "9999-12-31" in wait.words
