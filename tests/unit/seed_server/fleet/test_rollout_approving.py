"""`seed_server.fleet.rollout_approving`, with the engine: who approves, and what changes while a rollout waits."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.documents import MAX_ROLLOUT_ENTRIES, RolloutEntry, Rollouts
from seed_server.fleet import operations, people_operations, rollout_operations
from seed_server.fleet.accounts import person_rights
from seed_server.fleet.actor import Actor
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_documents import KeptRollout
from tests.helpers.ring_lab import Pc
from tests.helpers.rollout_company import ADA, OTHERS, TEMPLATE, TESTERS, Company


def begin(company: Company, folder: Path, *names: str, required: int = 1) -> None:
    """Start a rollout of `tool`, for which PCs want the signatures of ``names``."""
    company.names_approvers(folder, *names, required=required)
    company.clock.wall += 60
    company.publish_to_nobody("tool", folder)
    rollout_operations.start_rollout(company.context, ADA, "tool", TEMPLATE)


def approve(company: Company, folder: Path, name: str) -> None:
    approve_rollout(company.context, Actor.local_user(name), 1, key=folder / f"{name}.pem")


def waits(kept: KeptRollout) -> tuple[RolloutState, RolloutReason, int]:
    return kept.progress.state, kept.progress.why.reason, len(kept.progress.opened_at)


def test_who_was_removed_from_the_list_counts_no_more(company: Company, tmp_path: Path) -> None:
    begin(company, tmp_path, "bob", "cy", "dan", required=2)
    approve(company, tmp_path, "bob")
    unapproved = (RolloutState.UNAPPROVED, RolloutReason.NOT_APPROVED, 0)
    assert waits(company.look()) == unapproved
    company.names_approvers(tmp_path, "cy", "dan", "eve", required=2)
    approve(company, tmp_path, "cy")
    assert waits(company.look()) == unapproved
    approve(company, tmp_path, "dan")
    assert len(company.look().progress.opened_at) == 1
    (entry,) = company.repository.current_staged().entries
    assert {one.approver for one in entry.approvals} == {"cy", "dan"}


def test_what_was_signed_with_a_key_of_before_counts_no_more(company: Company, tmp_path: Path) -> None:
    begin(company, tmp_path, "bob", "cy")
    approve(company, tmp_path, "bob")
    (tmp_path / "bob.pem").unlink()
    company.names_approvers(tmp_path, "bob", "cy")
    assert waits(company.look()) == (RolloutState.UNAPPROVED, RolloutReason.NOT_APPROVED, 0)
    approve(company, tmp_path, "bob")
    assert len(company.look().progress.opened_at) == 1


def test_where_more_are_required_an_open_ring_waits_as_its_pcs_do(company: Company, tmp_path: Path) -> None:
    begin(company, tmp_path, "bob", "cy", "dan")
    approve(company, tmp_path, "bob")
    opened = company.look().progress.opened_at
    company.names_approvers(tmp_path, "bob", "cy", "dan", required=2)
    assert waits(company.look()) == (RolloutState.UNAPPROVED, RolloutReason.NO_LONGER_APPROVED, 1)
    company.say(dict.fromkeys(TESTERS, "verified"), "tool")
    assert waits(company.look(3_700.0)) == (RolloutState.UNAPPROVED, RolloutReason.NO_LONGER_APPROVED, 1)
    approve(company, tmp_path, "cy")
    after = company.look().progress
    assert (after.state, after.opened_at[0], len(after.opened_at)) == (RolloutState.RUNNING, opened[0], 2)


def test_an_account_that_may_not_approve_any_more_opens_no_ring(company: Company) -> None:
    bob = people_operations.add_person(company.context, ADA, "bob", roles=["approver"])
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS, "verified"))
    approve_rollout(company.context, Actor("bob", "password", person_rights(bob)), 1)
    people_operations.set_roles(company.context, ADA, "bob", ["viewer"])
    assert waits(company.look(3_700.0)) == (RolloutState.UNAPPROVED, RolloutReason.NOT_APPROVED, 1)
    people_operations.set_roles(company.context, ADA, "bob", ["approver"])
    assert len(company.look().progress.opened_at) == 2


def complete(company: Company, folder: Path) -> KeptRollout:
    begin(company, folder, "bob", "cy")
    return finish(company, folder)


def finish(company: Company, folder: Path) -> KeptRollout:
    approve(company, folder, "bob")
    company.look()
    company.say(dict.fromkeys(TESTERS, "verified"), "tool")
    company.look(3_700.0)
    company.say(dict.fromkeys(OTHERS, "verified"), "tool")
    done = company.look(3_700.0)
    assert done.progress.state is RolloutState.COMPLETE
    return done


def pc_of(company: Company, folder: Path) -> Pc:
    server = SimpleNamespace(
        repository=company.repository, home=company.context.home, directory=folder, now=company.clock.now()
    )
    return Pc(server, 1, site="osaka", tags=("test",))  # type: ignore[arg-type]


async def test_a_complete_rollout_leaves_what_is_staged_and_pcs_still_verify_it(
    company: Company, tmp_path: Path
) -> None:
    complete(company, tmp_path)
    assert company.repository.current_staged().entries == ()
    ((part, found),) = company.repository.current_complete().items()
    assert (part.startswith("rollouts/complete-"), [str(one.ref) for one in found.entries]) == (True, ["tool@1"])
    assert await pc_of(company, tmp_path).sees("tool@1") == "taken"
    company.repository.stage(company.repository.current_staged(), now=company.clock.now(), complete={})
    assert await pc_of(company, tmp_path / "second").sees("tool@1") == "NOT_APPROVED"
    company.look()  # what follows from the database is signed again
    assert await pc_of(company, tmp_path / "third").sees("tool@1") == "taken"
    operations.withdraw(company.context, ADA, "tool", "crashes")
    company.look()
    assert company.repository.current_complete() == {}


async def test_what_is_complete_is_approved_anew_where_its_approver_has_left(company: Company, tmp_path: Path) -> None:
    complete(company, tmp_path)
    with pytest.raises(UserError, match="Rollout 1 is complete; there is nothing to approve"):
        approve(company, tmp_path, "cy")
    company.names_approvers(tmp_path, "cy", "dan")
    company.look()
    assert await pc_of(company, tmp_path).sees("tool@1") == "NOT_APPROVED"
    approve(company, tmp_path, "cy")
    assert await pc_of(company, tmp_path / "second").sees("tool@1") == "taken"


def offer_others(company: Company, count: int) -> None:
    """Offer so many other patches to every PC, and `office`."""
    kept = [one for one in company.repository.current_rollouts().entries if one.patch_id in ("office", "tool")]
    others = [RolloutEntry(f"p{number}", "1", 1_000 + number) for number in range(count)]
    rollouts = Rollouts(format=1, entries=[*kept, *others])
    company.repository.stage(company.repository.current_staged(), now=company.clock.now(), rollouts=rollouts)


def test_where_no_more_can_be_offered_to_every_pc_no_rollout_begins(company: Company, tmp_path: Path) -> None:
    company.publish_to_nobody("tool", tmp_path)
    offer_others(company, MAX_ROLLOUT_ENTRIES - 1)
    with pytest.raises(UserError, match="2000 patches are offered to PCs or on their way there, the most that there"):
        rollout_operations.start_rollout(company.context, ADA, "tool", TEMPLATE)
    company.start()  # of what is offered already: it takes no more room


def test_what_is_complete_and_finds_no_room_goes_on_by_its_rings(company: Company, tmp_path: Path) -> None:
    """Else PCs would refuse the whole document, and nothing could be stopped any more."""
    begin(company, tmp_path, "bob", "cy")
    offer_others(company, MAX_ROLLOUT_ENTRIES - 1)
    finish(company, tmp_path)
    assert "tool" not in {one.patch_id for one in company.repository.current_rollouts().entries}
    assert [len(one.opened_at) for one in company.repository.current_staged().entries] == [2]
    offer_others(company, MAX_ROLLOUT_ENTRIES - 2)
    company.look()
    assert "tool" in {one.patch_id for one in company.repository.current_rollouts().entries}
    assert company.repository.current_staged().entries == ()
