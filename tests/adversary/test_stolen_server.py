"""A server that was stolen with all its online keys opens no ring on any PC, whatever its thief signs.

PCs want approvals: the approvers' keys are with people, and the list of approvers is signed by the offline role.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, encode_approvers
from p2pdist.shared.manifest.complete import complete_parts, encode_complete
from p2pdist.shared.manifest.documents import Manifest, RolloutEntry
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recall, Recalls, encode_recalls
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import NOTHING_STAGED, Approval, StagedEntry, StagedRollouts
from tests.helpers.ring_lab import DAY, NOBODY, NOW, RINGS, Pc, People, Server, plan_of

LONG_AGO = int(NOW) - 90 * DAY
ALL_OPEN = (LONG_AGO,) * len(RINGS)
EVERYONE = (PlannedRing("everyone"),)


class Stolen:
    """A server with two publications: kim and ito have approved the first ring of the older one."""

    def __init__(self, directory: Path) -> None:
        self.server, self.people, self.thief = Server(directory), People(), People()
        self.server.names_approvers(self.people)
        self.older, self.newer = self.server.publish("acme", "1"), self.server.publish("acme", "2")
        self.pcs = [
            Pc(self.server, number, site=site, tags=tags)
            for number, (site, tags) in enumerate([("rome", ("lab",)), ("oslo", ()), ("rome", ()), ("plant", ())])
        ]
        self.approvals = self.people.approve(plan_of(self.older), "kim", "ito", rings=1)

    async def opens_nothing(
        self, *entries: StagedEntry, rollouts: bool = False, targets: Mapping[str, bytes] | None = None
    ) -> bool:
        """Sign all that as the thief; return whether no PC takes anything."""
        offered = [RolloutEntry("acme", version, n) for n, version in enumerate(("1", "2"), 1)] if rollouts else []
        self.server.sign_anything(
            StagedRollouts(format=1, entries=entries), replace(NOBODY, entries=offered), **(targets or {})
        )
        return all([(await pc.refresh()).patches == () for pc in self.pcs])


@pytest.fixture
def stolen(tmp_path: Path) -> Stolen:
    return Stolen(tmp_path)


def entry(manifest: Manifest, *approvals: Approval, plan: RolloutPlan | None = None) -> StagedEntry:
    plan = plan or plan_of(manifest)
    return StagedEntry(1, plan, ALL_OPEN[: len(plan.rings)], approvals)


async def test_what_is_approved_is_taken_by_the_ring_that_it_is_approved_for(stolen: Stolen) -> None:
    """Else the tests below would show nothing."""
    publication = Server(stolen.server.directory / "other")
    publication.names_approvers(stolen.people)
    plan = plan_of(publication.publish())
    publication.stage(StagedEntry(1, plan, ALL_OPEN, stolen.people.approve(plan, "kim", "ito", rings=1)))
    pcs = [Pc(publication, 1, site="rome", tags=("lab",)), Pc(publication, 2, site="oslo")]
    assert [await pc.sees() for pc in pcs] == ["taken", "NOT_APPROVED"]


async def test_open_rings_without_approvals_are_open_to_nobody(stolen: Stolen) -> None:
    assert await stolen.opens_nothing(entry(stolen.newer))
    unasked = plan_of(stolen.newer, tuple(replace(ring, approval=False) for ring in RINGS))
    assert await stolen.opens_nothing(entry(stolen.newer, plan=unasked))
    assert await stolen.opens_nothing(entry(stolen.newer, plan=plan_of(stolen.newer, EVERYONE)))


async def test_what_is_moved_to_the_rollouts_for_everyone_is_for_nobody(stolen: Stolen) -> None:
    assert await stolen.opens_nothing(rollouts=True)
    assert await stolen.opens_nothing(entry(stolen.newer), rollouts=True)
    stolen.server.sign_anything(NOTHING_STAGED, replace(NOBODY, entries=[RolloutEntry("acme", "2", 1)]))
    assert [await pc.sees("acme@2") for pc in stolen.pcs] == ["NOT_APPROVED"] * 4


async def test_approvals_count_for_nothing_but_what_was_approved(stolen: Stolen) -> None:
    newer, older, said = stolen.newer, stolen.older, stolen.approvals
    assert await stolen.opens_nothing(entry(newer, *said)), "of another plan"
    assert await stolen.opens_nothing(entry(newer, *said, plan=replace(plan_of(older), version="2"))), "version"
    assert await stolen.opens_nothing(entry(newer, *said, plan=replace(plan_of(older), number=2))), "number"
    renamed = replace(plan_of(older), version="2", number=2, manifest_sha256=plan_of(newer).manifest_sha256)
    assert await stolen.opens_nothing(entry(newer, *said, plan=renamed)), "changed to fit"
    more = tuple(replace(one, rings=len(RINGS)) for one in said)
    assert await stolen.opens_nothing(entry(newer, *more)), "more rings"
    wider = plan_of(older, EVERYONE)
    assert await stolen.opens_nothing(entry(older, *said, plan=wider), rollouts=True), "the first ring made everyone"
    assert await stolen.opens_nothing(entry(older, *said), rollouts=True), "the order allows the newer one alone"


async def test_one_person_does_not_become_two(stolen: Stolen) -> None:
    plan = plan_of(stolen.newer)
    (kim,) = stolen.people.approve(plan, "kim")
    later = stolen.people.approve(plan, "kim", at=int(NOW) + 1)
    for second in (kim, *later, replace(kim, approver="ito"), *stolen.thief.approve(plan, "ito")):
        assert await stolen.opens_nothing(entry(stolen.newer, kim, second))


async def test_the_thief_names_no_approvers_and_recalls_nothing(stolen: Stolen) -> None:
    own = Approvers(format=1, keys=stolen.thief.public, required=1, required_in_emergency=1, since=int(NOW) * 2)
    recalls = Recalls(format=1, recalls=(Recall("acme", 2, "", "security fixes go", int(NOW)),))
    said = stolen.thief.approve(plan_of(stolen.newer), "kim", "ito")
    targets = {APPROVERS_TARGET: encode_approvers(own), RECALLS_TARGET: encode_recalls(recalls)}
    assert await stolen.opens_nothing(entry(stolen.newer, *said), targets=targets)
    assert [(await pc.refresh()).recalls for pc in stolen.pcs] == [()] * 4


async def test_an_approval_of_the_whole_plan_still_waits_for_its_soak_times_from_the_publication_on(
    stolen: Stolen,
) -> None:
    said = stolen.people.approve(plan_of(stolen.newer), "kim", "ito")
    stolen.server.sign_anything(StagedRollouts(format=1, entries=(entry(stolen.newer, *said),)))
    seen = [await pc.sees("acme@2") for pc in stolen.pcs]
    assert seen == ["taken", "SOAKING", "SOAKING", "IN_NO_RING"], "whatever it says of when they were opened"


async def test_what_is_called_complete_is_held_to_its_approvals_and_its_soak_times(stolen: Stolen) -> None:
    """A thief offers it to every PC, and says that its rollout is complete."""
    newer, older, said = stolen.newer, stolen.older, stolen.approvals

    async def opens_nothing(*entries: StagedEntry) -> bool:
        parts = {target: encode_complete(part) for target, part in complete_parts(entries).items()}
        return await stolen.opens_nothing(rollouts=True, targets=parts)

    assert await opens_nothing(entry(newer))
    assert await opens_nothing(entry(newer, *said))
    assert await opens_nothing(entry(newer, *said, plan=plan_of(older)))
    assert await opens_nothing(entry(newer, *said, plan=plan_of(newer, EVERYONE)))
    assert await opens_nothing(entry(newer, *stolen.thief.approve(plan_of(newer), "kim", "ito")))
    all_rings = stolen.people.approve(plan_of(newer), "kim", "ito")
    parts = {target: encode_complete(part) for target, part in complete_parts([entry(newer, *all_rings)]).items()}
    await stolen.opens_nothing(rollouts=True, targets=parts)
    seen = [await pc.sees("acme@2") for pc in stolen.pcs]
    assert seen == ["taken", "SOAKING", "SOAKING", "IN_NO_RING"]
