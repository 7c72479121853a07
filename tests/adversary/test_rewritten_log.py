"""Who has the server, its database and all of its online keys writes the audit log anew: the PCs give it away."""

import base64
from pathlib import Path

import pytest

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.witness import Consistency, ConsistencyWanted, WitnessFault
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.witness import Witness
from seed_server.fleet import audit_key, audit_queries, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.queries import read_status
from seed_server.origin.log_proofs import LogProofs
from seed_server.signing.key_files import OfflineKeys, create_signing_key, key_path
from seed_server.store.tables import METADATA
from tests.helpers.signing_desk import Company

ADA = Actor.local_user("ada")


class Fleet:
    """A server with a published patch, and a PC that has seen its audit log."""

    def __init__(self, directory: Path) -> None:
        self.company = Company(directory)
        self.context = Context(self.company.home)
        self.witness = Witness(directory / "witness")
        self.company.on_server(
            *("publish", self.company.file(), "--patch-id", "office", "--version", "1"),
            *("--offline-keys", self.company.alice),
        )

    def do(self, times: int) -> None:
        """Have so many things done, and PCs told of the log."""
        for _ in range(times):
            operations.make_token(self.context, ADA, uses=1, seconds=60)
        repository = self.context.repository(self.context.settling())
        repository.stage(repository.current_staged(), now=self.context.clock.now())

    async def look(self) -> Catalogue:
        """Let the PC see what is signed now, and ask the server for a proof where it needs one."""
        catalogue = await self.company.pc().refresh(self.context.clock.now())
        question = self.witness.look(catalogue.checkpoint, catalogue.log_anchor)
        if question is not None:
            with self.context.database() as database:
                wanted = ConsistencyWanted(question.known.size, question.told.size)
                answer = await LogProofs(database.audit_consistency).answer(wanted)
            assert isinstance(answer, Consistency)
            self.witness.answer(question, answer)
        return catalogue

    def fault(self) -> WitnessFault | None:
        """Return what the PC finds wrong with the log."""
        return self.witness.fault

    def forget_the_log(self) -> None:
        """Take all of it away: an empty log is begun anew, with the same key."""
        with self.context.database() as database, database._writing() as connection:
            for name in ("audit_pending", "audit_checkpoints", "audit_nodes", "audit_entries"):
                connection.execute(METADATA.tables[name].delete())
        self.company.home.audit_checkpoint.unlink()


@pytest.fixture
async def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path)
    await fleet.look()
    fleet.do(9)
    await fleet.look()
    assert fleet.fault() is None
    assert fleet.witness.known_size == 10
    return fleet


async def test_a_log_that_was_written_anew_is_given_away_when_it_is_as_long_as_before(fleet: Fleet) -> None:
    fleet.forget_the_log()
    fleet.do(12)
    assert audit_queries.verify_log(fleet.context).verdict.problems == (), "by itself it looks right"
    catalogue = await fleet.look()
    assert read_checkpoint(catalogue.checkpoint).size > 10
    assert (fleet.fault(), fleet.witness.known_size) == ("no_proof", 10)
    assert [str(patch.ref) for patch in catalogue.patches] == ["office@1"], "and patches go on"


async def test_an_auditor_who_has_kept_a_checkpoint_finds_it_too(fleet: Fleet, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(fleet.company.home.audit_checkpoint.read_bytes())
    assert audit_queries.verify_log(fleet.context, [kept]).verdict.problems == ()
    fleet.forget_the_log()
    fleet.do(12)
    (problem,) = audit_queries.verify_log(fleet.context, [kept]).verdict.problems
    assert "some are not those that were signed" in problem


async def test_a_log_that_was_cut_is_found_by_what_is_signed_for_pcs(fleet: Fleet) -> None:
    fleet.forget_the_log()
    operations.make_token(fleet.context, ADA, uses=1, seconds=60)
    (problem,) = audit_queries.verify_log(fleet.context).verdict.problems
    assert problem == "what is signed for PCs: the log has 1 entries, and had 10 when this was signed."


async def test_another_key_that_the_offline_key_has_signed_is_taken_and_the_log_goes_on(fleet: Fleet) -> None:
    kept = fleet.company.directory / "kept"
    kept.write_bytes(fleet.company.home.audit_checkpoint.read_bytes())
    audit_key.new_audit_key(fleet.context, ADA, "the server was stolen", OfflineKeys(fleet.company.alice))
    fleet.do(1)
    await fleet.look()
    assert (fleet.fault(), fleet.witness.begun_again) == (None, None)
    assert fleet.witness.known_size > 10
    assert audit_queries.verify_log(fleet.context, [kept]).verdict.problems == (), "what was kept still holds it"
    fleet.forget_the_log()
    fleet.do(16)
    await fleet.look()
    assert fleet.fault() == "no_proof", "and a new key is no way to write it anew"


async def test_who_has_the_server_alone_cannot_have_pcs_know_the_log_by_another_key(fleet: Fleet) -> None:
    """They are told nothing more of it, and both they and the operators are shown that."""
    note = fleet.company.repository().current_staged().checkpoint
    fleet.forget_the_log()
    mallory = fleet.company.directory / "mallory"
    create_signing_key(key_path(mallory, "patches"), None)
    with pytest.raises(UserError, match="not the one that this repository trusts"):
        audit_key.new_audit_key(fleet.context, ADA, "nothing to see", OfflineKeys(mallory), after_restore=True)
    repository = fleet.company.repository()
    audit_key.make_anchor(fleet.context, ADA, repository, "nothing to see", after_restore=True)
    fleet.do(12)
    assert fleet.company.repository().current_staged().checkpoint == note
    await fleet.look()
    assert (fleet.fault(), fleet.witness.known_size) == (None, 10)
    assert audit_queries.UNKNOWN_KEY_WORDS in audit_queries.verify_log(fleet.context).verdict.problems
    (problem,) = [one for one in read_status(fleet.context).problems if "audit" in one.text]
    assert problem.mend == "seed-server audit new-key"


async def test_after_an_honest_restore_the_offline_key_says_that_the_log_begins_again(fleet: Fleet) -> None:
    fleet.forget_the_log()
    keys = OfflineKeys(fleet.company.alice)
    fleet.do(1)
    await fleet.look()
    assert fleet.fault() is None, "the server tells nothing that is an alarm by itself"
    with pytest.raises(UserError, match="--after-restore"):
        audit_key.new_audit_key(fleet.context, ADA, "disk failed", keys)
    fleet.do(10)
    await fleet.look()
    assert fleet.fault() == "no_proof"
    anchor = audit_key.new_audit_key(fleet.context, ADA, "disk failed", keys, after_restore=True)
    await fleet.look()
    begun, known = fleet.witness.begun_again or (None, 0)
    assert (fleet.fault(), known) == (None, 10)
    assert begun is not None
    assert begun.reason == "disk failed"
    assert audit_queries.verify_log(fleet.context).verdict.problems == ()
    told = [one.entry for one in audit_queries.all_entries(fleet.context, 0)]
    (entry,) = [one for one in told if one.operation == "new audit key"]
    assert (entry.reason, entry.details["begins again"]) == ("disk failed", "yes")
    assert read_checkpoint(base64.b64decode(entry.details["checkpoint before"])).key != anchor.known.key
    fleet.do(1)
    await fleet.look()
    assert fleet.fault() is None
    assert fleet.witness.known_size > anchor.known.size
    fleet.forget_the_log()
    fleet.do(30)
    await fleet.look()
    assert fleet.fault() == "no_proof", "it began again once"


async def test_a_key_that_is_signed_elsewhere_comes_with_a_checkpoint_that_it_has_signed(fleet: Fleet) -> None:
    company = fleet.company
    company.on_server("audit", "new-key", "--reason", "stolen", "--prepare", company.bundle)
    fleet.do(1)
    await fleet.look()
    assert (fleet.fault(), fleet.witness.known_size) == (None, 10), "nothing is told before it is signed"
    assert "PCs know the audit log by the key" in company.sign(company.alice)
    company.finish()
    staged, anchor = company.repository().current_staged(), company.repository().log_anchor()
    assert anchor is not None
    assert read_checkpoint(staged.checkpoint).key == anchor.known.key
    await fleet.look()
    assert fleet.fault() is None
    assert fleet.witness.known_size == read_checkpoint(staged.checkpoint).size > 12
    assert audit_queries.verify_log(fleet.context).verdict.problems == ()


async def test_a_lost_key_is_replaced(fleet: Fleet) -> None:
    key_path(fleet.company.home.online_keys, "audit").unlink()
    with pytest.raises(UserError, match="seed-server audit new-key"):
        fleet.do(1)
    audit_key.new_audit_key(fleet.context, ADA, "lost", OfflineKeys(fleet.company.alice))
    fleet.do(1)
    await fleet.look()
    assert fleet.fault() is None
    assert audit_queries.verify_log(fleet.context).verdict.problems == ()
