"""`seed_server.fleet.restoring`: a server set back to its backup, with what PCs were told since."""

import shutil
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet import endpoint_operations, operations, restoring
from seed_server.fleet import exception_operations as exceptions
from seed_server.fleet import rollout_operations as rollouts
from seed_server.fleet.problems import restore_problems
from seed_server.fleet.rollout import RolloutState
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.presented import PresentedFiles
from seed_server.store.restored_mark import RestoredMark, mark_restored, read_mark, write_mark
from tests.helpers.rollout_company import ADA, BEGIN, BOB, REF, TEMPLATE, Company, company_at

STRANGER, DENIED_LATER = "s" * 26, "d" * 26
DAY = 86_400.0


class SetBack:
    """A company that went on after its backup, and the server that was restored from that."""

    def __init__(self, before: Company, folder: Path) -> None:
        self.before = before
        before.database.add_endpoint(DENIED_LATER, "thief", BEGIN)
        self.backup = folder / "backup"
        self.folder = folder

    def back_up(self) -> None:
        self.before.clock.wall += DAY
        shutil.copytree(self.before.context.home.root, self.backup)
        self.before.clock.wall += DAY

    def restore(self) -> Company:
        before = self.before
        company = company_at(self.backup, self.folder / "restored")
        company.clock.wall = before.clock.wall + DAY
        mark_restored(company.context.home, backup_at=BEGIN + DAY, restored_at=company.clock.wall)
        presented = PresentedFiles(company.context.home)
        tuf = before.context.home.tuf_metadata.parent
        for path in tuf.rglob("*"):
            if path.is_file() and path.name != "timestamp.json":
                presented.keep(str(path.relative_to(tuf)), path.read_bytes())
        return company


@pytest.fixture
def set_back(company: Company, tmp_path: Path) -> SetBack:
    return SetBack(company, tmp_path)


def caught_up(company: Company) -> None:
    restoring.halt_rollouts(company.context, company.database)
    assert restoring.adopt(company.context, company.database, lambda: None) is not None
    restoring.take_in(company.context, company.repository, company.database)
    mark = read_mark(company.context.home)
    assert mark is not None
    write_mark(company.context.home, RestoredMark(mark.backup_at, mark.restored_at, ended_at=company.clock.wall))
    restoring.halt_unknown(company.context, company.repository, company.database)
    company.engine.look()
    assert company.database.rollout_faults() == []


def test_what_was_withdrawn_stays_withdrawn_and_what_ran_is_halted(set_back: SetBack, tmp_path: Path) -> None:
    before = set_back.before
    set_back.back_up()
    before.publish_to_nobody("browser", tmp_path)
    rollouts.start_rollout(before.context, ADA, "browser@1", TEMPLATE)
    before.look()
    operations.withdraw(before.context, ADA, str(REF), "crashes")
    before.engine.look()
    company = set_back.restore()
    with company.database:
        caught_up(company)
        offered = company.repository.current_rollouts()
        assert [(one.ref, one.reason) for one in offered.withdrawn] == [(REF, "crashes")]
        staged = company.repository.current_staged()
        assert staged.entries == ()  # began after the backup: nobody knows how far
        assert [(one.ref, one.reason) for one in staged.stopped] == [
            (PatchRef("browser", "1"), restoring.RESTORED_WORDS)
        ]
        rollouts.start_rollout(company.context, ADA, "browser@1", TEMPLATE)  # a person has looked


def test_a_rollout_that_was_halted_after_the_backup_does_not_run_on(set_back: SetBack) -> None:
    before = set_back.before
    before.start()
    before.look()
    set_back.back_up()
    rollouts.halt_rollout(before.context, BOB, 1, "many fail")
    before.engine.look()
    company = set_back.restore()
    with company.database:
        assert company.rollout().progress.state is RolloutState.RUNNING
        caught_up(company)
        for _ in range(3):
            stands = company.look(DAY)
            assert stands.progress.state is RolloutState.HALTED
            assert "many fail" in stands.progress.why.words
        assert company.repository.current_staged().entries == ()


def test_no_ring_opens_by_itself_after_a_restore(set_back: SetBack) -> None:
    set_back.before.start()
    set_back.before.look()
    set_back.back_up()
    set_back.before.publish_to_nobody("browser", set_back.folder)
    company = set_back.restore()
    with company.database:
        caught_up(company)
        assert company.look(DAY).progress.state is RolloutState.HALTED
        rollouts.resume_rollout(company.context, BOB, 1)
        assert company.look().progress.state is not RolloutState.HALTED


def test_denials_and_exceptions_since_the_backup_survive(set_back: SetBack) -> None:
    before = set_back.before
    set_back.back_up()
    before.database.add_endpoint(STRANGER, "unknown", before.clock.wall)
    for endpoint in (STRANGER, DENIED_LATER):
        endpoint_operations.deny(before.context, ADA, endpoint)
    until = before.clock.wall + 9 * DAY
    exceptions.add_exception(before.context, ADA, who="", until=until, reason="a fair", owner="Ada", patch="office")
    before.engine.look()
    company = set_back.restore()
    with company.database:
        caught_up(company)
        assert set(company.database.denied_ids()) == {STRANGER, DENIED_LATER}
        assert set(company.repository.current_denied().endpoints) == {STRANGER, DENIED_LATER}
        (hold,) = company.repository.current_staged().holds
        assert (hold.patch, hold.reason, hold.owner, hold.until) == ("office", "a fair", "Ada", int(until))
        mark = RestoredMark(BEGIN + DAY, company.clock.wall)
        assert not restoring.take_back(company.context, company.database, mark, STRANGER, "x", BEGIN + 2 * DAY)
        assert set(company.database.denied_ids()) == {STRANGER, DENIED_LATER}


def test_a_patch_whose_file_is_not_here_is_known_and_repaired_by_its_file(set_back: SetBack, tmp_path: Path) -> None:
    before = set_back.before
    set_back.back_up()
    before.publish_to_nobody("browser", tmp_path)
    company = set_back.restore()
    with company.database:
        caught_up(company)
        (row,) = [row for row in company.database.payloads() if row.patch_id == "browser"]
        assert row.damaged == restoring.LOST_PAYLOAD
        recipe = Recipe(patch_id="browser", version="1", payload=(PayloadFile("browser.msi"),))
        keys = OfflineKeys(company.context.home.offline_keys, None)
        published = operations.publish(company.context, ADA, Publication(recipe, tmp_path), keys, offered=False)
        assert published.repaired
        assert not [row for row in company.database.payloads() if row.damaged]


def test_nothing_is_signed_while_the_server_learns(set_back: SetBack, tmp_path: Path) -> None:
    set_back.back_up()
    company = set_back.restore()
    with company.database:
        with pytest.raises(UserError, match="learns from its PCs") as caught:
            company.publish_to_nobody("other", tmp_path)
        assert caught.value.kind is FaultKind.BUSY
        assert company.repository.refresh_timestamp(company.clock.wall, force=True)
        (problem,) = restore_problems(company.context)
        assert "0 of 0 have spoken" in problem.text


def test_a_pc_is_taken_back_by_a_certificate_of_the_lost_time_alone(company: Company) -> None:
    mark = RestoredMark(backup_at=BEGIN, restored_at=BEGIN + DAY)

    def taken(at: float) -> bool:
        return restoring.take_back(company.context, company.database, mark, STRANGER, "desk\x1b[1m", at)

    assert not taken(BEGIN - DAY)  # it was forgotten before the backup
    assert not taken(BEGIN + 2 * DAY)  # no such certificate was issued by the restored server
    assert taken(BEGIN + 1_000.0)
    row = company.database.endpoint(STRANGER)
    assert row is not None
    assert not row.denied
    assert row.hostname.isprintable()
    assert not taken(BEGIN + 1_000.0)


def test_what_pcs_know_and_nobody_hands_in_is_said(company: Company) -> None:
    assert restore_problems(company.context) == []
    write_mark(company.context.home, RestoredMark(BEGIN, BEGIN, ended_at=BEGIN, newer=3, left=("order",)))
    (problem,) = restore_problems(company.context)
    assert problem.urgent
    assert "renew --after-restore" in problem.mend
    company.context.home.restored.write_bytes(b"no mark")
    (problem,) = restore_problems(company.context)
    assert "Cannot read" in problem.text


def test_a_server_that_was_set_back_unnoticed_is_marked_before_it_adopts(set_back: SetBack, tmp_path: Path) -> None:
    set_back.back_up()
    set_back.before.publish_to_nobody("browser", tmp_path)
    company = set_back.restore()
    with company.database:
        before = company.repository.timestamp_version()

        def killed() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            restoring.adopt(company.context, company.database, killed)
        assert company.repository.timestamp_version() == before
        called: list[bool] = []
        assert restoring.adopt(company.context, company.database, lambda: called.append(True)) is not None
        assert restoring.adopt(company.context, company.database, lambda: called.append(True)) is None
        assert called == [True]
