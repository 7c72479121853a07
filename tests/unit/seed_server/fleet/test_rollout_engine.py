"""`seed_server.fleet.rollout_engine`, with `rollout_operations`, on a home: from a start to every PC, or to a halt."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from seed_server.fleet import exception_operations as exceptions
from seed_server.fleet import operations, rollout_approving
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.rollout import RolloutReason, RolloutState
from seed_server.fleet.rollout_announcing import announce_from
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_engine import PCS_SECONDS
from seed_server.store.rows import HarmPauseRow, SeenRow
from tests.helpers.rollout_company import ADA, BOB, OTHERS, REF, TEMPLATE, TESTERS, Company


def test_a_key_is_of_one_person_whoever_holds_it(company: Company, tmp_path: Path) -> None:
    """The author is not another one with sudo: else one pair of eyes would do, for PCs too."""
    company.names_approvers(tmp_path, "ada", "bob")
    company.start()
    root = Actor.local_user("root")
    with pytest.raises(UserError, match="the key of ada, who has started"):
        rollout_approving.approve_rollout(company.context, root, 1, key=tmp_path / "ada.pem")
    assert company.rollout().approvals == ()
    for _ in range(2):
        rollout_approving.approve_rollout(company.context, BOB, 1, key=tmp_path / "bob.pem")
    with pytest.raises(UserError, match="one person counts once"):
        rollout_approving.approve_rollout(company.context, root, 1, key=tmp_path / "bob.pem")
    assert [one.approver for one in company.rollout().approvals] == ["bob"]


def test_a_rollout_goes_ring_by_ring_to_every_pc(company: Company) -> None:
    started = rollouts.start_rollout(company.context, ADA, "office@1", TEMPLATE)
    assert started.ring_sizes == (3, 7)
    assert company.repository.current_staged().entries[0].opened_at == ()
    assert len(company.look(0.0).progress.opened_at) == 1
    company.say(dict.fromkeys(TESTERS, "verified"))
    assert company.look(3_000.0).progress.state is RolloutState.RUNNING
    waits = company.look(700.0)
    assert (waits.progress.state, waits.progress.why.reason) == (RolloutState.UNAPPROVED, RolloutReason.NOT_APPROVED)
    with pytest.raises(UserError, match="somebody else has to approve it"):
        rollout_approving.approve_rollout(company.context, ADA, 1)
    rollout_approving.approve_rollout(company.context, BOB, 1)
    opened = company.look()
    assert len(opened.progress.opened_at) == 2
    (entry,) = company.repository.current_staged().entries
    assert (entry.ref, entry.opened_at) == (REF, opened.progress.opened_at)
    company.say(dict.fromkeys(OTHERS[:6], "verified"))
    assert company.look(3_700.0).progress.state is RolloutState.COMPLETE
    assert company.repository.current_staged().entries == ()
    assert [entry.ref for entry in company.repository.current_rollouts().entries] == [REF]
    assert company.look().progress.state is RolloutState.COMPLETE


def completed(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say(dict.fromkeys(TESTERS + OTHERS, "verified"))
    rollout_approving.approve_rollout(company.context, BOB, 1)
    company.look(3_700.0)
    assert company.look(3_700.0).progress.state is RolloutState.COMPLETE
    company.clock.wall += 1


@pytest.mark.parametrize("stop", [rollouts.halt_rollout, rollouts.abort_rollout])
def test_a_stopped_rollout_offers_nothing_though_an_earlier_one_of_the_patch_was_complete(
    company: Company, stop: Callable[[Context, Actor, int, str], KeptRollout]
) -> None:
    """A version is rolled out again, as for another recipe, and turns out to be bad: nobody gets it."""
    completed(company)
    company.start()
    company.engine.look()
    stop(company.context, BOB, 2, "crashes")
    company.engine.look()
    assert company.repository.offered().entries == []
    assert [one.reason for one in company.repository.current_staged().stopped] == ["crashes"]


def test_a_failure_halts_it_at_the_next_look_and_resuming_acknowledges(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "failed", TESTERS[1]: "failed"})
    halted = company.look(2.0)
    assert (halted.progress.state, halted.progress.why.reason) == (RolloutState.HALTED, RolloutReason.FAILURES)
    staged = company.repository.current_staged()
    assert (staged.entries, staged.stopped[0].ref) == ((), REF)
    assert "2 of 2 PCs that decided have failed" in staged.stopped[0].reason
    rollouts.resume_rollout(company.context, ADA, 1, "known, and harmless")
    assert company.repository.current_staged().stopped == ()
    assert company.look().progress.state is RolloutState.RUNNING
    company.engine = company.new_engine()  # it is known after a restart, too
    assert company.look().progress.state is RolloutState.RUNNING
    company.say({TESTERS[2]: "failed"})
    assert company.look(2.0).progress.why.count == 1


@pytest.mark.parametrize("later", [2.0, PCS_SECONDS])
def test_resuming_acknowledges_the_failure_of_a_pc_that_the_engine_does_not_know_yet(
    company: Company, later: float
) -> None:
    company.start()
    company.look()
    company.database.add_endpoint("pc-test-new", "pc-test-new", company.clock.now(), ["test"])
    company.database.save_facts({"pc-test-new": {"hostname": "pc-test-new"}})
    company.seen(["pc-test-new"])
    company.say(dict.fromkeys([*TESTERS, "pc-test-new"], "failed"))
    assert company.look(2.0).progress.state is RolloutState.HALTED
    rollouts.resume_rollout(company.context, ADA, 1)
    company.look(later)
    company.look(PCS_SECONDS)
    assert company.look(2.0).progress.state is RolloutState.RUNNING


def test_what_was_decided_and_not_announced_is_announced_after_a_restart(company: Company) -> None:
    company.start()
    company.look(0.0)
    announced = company.repository.current_staged()
    company.repository.stage(type(announced)(format=1), now=company.clock.now())
    company.engine = company.new_engine()
    company.look()
    assert company.repository.current_staged().entries == announced.entries


def test_pausing_halting_and_aborting_are_announced_at_once(company: Company) -> None:
    company.start()
    company.look(0.0)
    rollouts.pause_rollout(company.context, BOB, 1, "looking at it")
    assert len(company.repository.current_staged().entries) == 1
    with pytest.raises(UserError, match="Rollout 1 is paused, so this cannot be done. It is paused since"):
        rollouts.pause_rollout(company.context, BOB, 1, "again")
    rollouts.halt_rollout(company.context, BOB, 1, "crashes")
    assert company.repository.current_staged().entries == ()
    rollouts.abort_rollout(company.context, BOB, 1, "crashes")
    assert company.look().progress.state is RolloutState.ABORTED
    assert [one.reason for one in company.repository.current_staged().stopped] == ["crashes"]
    with pytest.raises(UserError, match="There is no rollout 7"):
        rollouts.resume_rollout(company.context, BOB, 7)


def test_withdrawing_the_patch_ends_its_rollout(company: Company) -> None:
    company.start()
    company.look(0.0)
    operations.withdraw(company.context, ADA, "office", "crashes")
    ended = company.look()
    assert (ended.progress.state, ended.progress.why.reason) == (RolloutState.ABORTED, RolloutReason.WITHDRAWN)
    assert company.repository.current_staged().entries == ()
    assert company.repository.current_rollouts().entries == []


def test_what_has_halted_can_be_withdrawn_for_a_reason_of_its_own(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.say({TESTERS[0]: "failed", TESTERS[1]: "failed"})
    assert company.look(2.0).progress.state is RolloutState.HALTED
    gone = operations.withdraw(company.context, ADA, "office", "crashes")
    assert gone.patches == (REF,)
    ended = company.look()
    assert (ended.progress.state, ended.progress.why.reason) == (RolloutState.ABORTED, RolloutReason.WITHDRAWN)
    assert [one.reason for one in company.repository.current_staged().stopped] == ["crashes"]
    with pytest.raises(UserError, match="withdrawn already"):
        operations.withdraw(company.context, ADA, "office", "again")


def test_pcs_are_told_why_a_halted_rollout_ended_and_no_more_why_it_halted(company: Company) -> None:
    """Its withdrawal was signed on another machine, which says nothing of rollouts."""
    company.start()
    company.look(0.0)
    rollouts.halt_rollout(company.context, BOB, 1, "too many fail")
    assert [one.reason for one in company.repository.current_staged().stopped] == ["too many fail"]
    company.clock.wall += 5
    rollouts.abort_withdrawn(company.context, ADA, REF, "crashes")
    announce_from(company.context, company.repository)
    assert [one.reason for one in company.repository.current_staged().stopped] == ["crashes"]


def test_a_withdrawal_that_came_another_way_ends_it_too(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.clock.wall += 5
    company.repository.withdraw_patch(REF, "crashes", patches_key=None, now=company.clock.now())
    assert company.look().progress.why.reason is RolloutReason.WITHDRAWN
    assert company.repository.current_staged().entries == ()


def test_a_server_whose_clock_was_ahead_goes_on_with_what_was_stopped_then(company: Company) -> None:
    """A withdrawal ends what is older than it, and the clock of then does not make what comes now older."""
    company.start()
    company.look()
    rollouts.halt_rollout(company.context, ADA, 1, "crashes")
    company.clock.wall -= 86_400.0
    rollouts.resume_rollout(company.context, ADA, 1, "it does not")
    assert company.look().progress.state is RolloutState.RUNNING
    operations.withdraw(company.context, ADA, "office", "crashes")
    company.clock.wall -= 86_400.0
    company.start()
    company.look()
    assert company.rollout(2).progress.state is RolloutState.RUNNING
    assert [entry.ref for entry in company.repository.current_staged().entries] == [REF]


def test_one_rollout_of_a_patch_at_a_time(company: Company) -> None:
    company.start()
    with pytest.raises(UserError, match="Rollout 1 of office@1 is running"):
        company.start()
    with pytest.raises(UserError, match="No tool is published here"):
        rollouts.start_rollout(company.context, ADA, "tool", TEMPLATE)


def test_an_exception_holds_pcs_back_until_its_day(company: Company) -> None:
    company.start()
    until = company.clock.now() + 3_600
    made = exceptions.add_exception(
        company.context, ADA, who='hostname == "pc-test-0"', until=until, reason="demo for a customer", owner="Ada"
    )
    company.look(0.0)
    (hold,) = company.repository.current_staged().holds
    assert (hold.number, hold.who, hold.until, hold.owner) == (made.number, made.expression, int(until), "Ada")
    company.say(dict.fromkeys(TESTERS[1:], "verified"))
    company.look(3_601.0)
    assert company.repository.current_staged().holds == ()
    with pytest.raises(UserError, match="last day of an exception is from"):
        exceptions.add_exception(company.context, ADA, who="", until=until + 2e7, reason="x", owner="Ada")
    with pytest.raises(UserError, match="No exception can ask for disk.free_mb"):
        exceptions.add_exception(
            company.context, ADA, who="disk.free_mb > 5", until=until + 9_000, reason="x", owner="Ada"
        )
    with pytest.raises(UserError, match="No exception 1 holds PCs back"):
        exceptions.end_exception(company.context, ADA, 1)


def test_harm_at_many_sites_pauses_it_until_a_person_goes_on_and_again_when_there_is_more(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = dict(zip(("kyoto", "nara"), TESTERS, strict=False))
    for site, name in sites.items():
        company.database.save_seen({name: SeenRow(site, "10.0.0.1", "p2pdist/1", True, company.clock.now())})
    pauses = dict.fromkeys(sites, HarmPauseRow("", company.clock.now(), company.clock.now() + 9e5, 1, 1))
    monkeypatch.setattr(company.engine._database, "sites_at_work", lambda _now: pauses)
    company.start()
    company.look()
    harmed = company.look().progress
    assert (harmed.state, harmed.why.reason) == (RolloutState.PAUSED, RolloutReason.HARM)
    assert harmed.why.words == "business suffered at 2 of 2 active sites while we sent (kyoto, nara)"
    rollouts.resume_rollout(company.context, ADA, 1, "it is the backup")
    assert company.look().progress.state is RolloutState.RUNNING
    again = company.clock.now() + 1
    pauses |= {site: replace(pause, begun_at=again) for site, pause in pauses.items()}
    assert company.look().progress.why.reason is RolloutReason.HARM


def test_silent_testers_do_not_open_the_next_ring(company: Company) -> None:
    company.start()
    company.look(0.0)
    company.seen(TESTERS, connected=False)
    company.look(2 * 3_600.0)
    ended = company.look(2 * 86_400.0)
    assert (ended.progress.state, ended.progress.why.reason) == (RolloutState.HALTED, RolloutReason.TOO_FEW_DECIDED)
