"""Who has the server, its database and all of its online keys writes the audit log anew: the PCs give it away."""

from pathlib import Path

import pytest

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.wire.witness import Consistency, ConsistencyWanted
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.witness import Witness
from seed_server.fleet import audit_queries, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.origin.log_proofs import LogProofs
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
        self.do(3)

    def do(self, times: int) -> None:
        """Have things done that are told to PCs."""
        for _ in range(times):
            operations.withdraw(self.context, ADA, "office", "crashes")
            operations.offer(self.context, ADA, "office")

    async def look(self) -> Catalogue:
        """Let the PC see what is signed now, and ask the server for a proof where it needs one."""
        catalogue = await self.company.pc().refresh(self.context.clock.now())
        question = self.witness.look(catalogue.checkpoint)
        if question is not None:
            with self.context.database() as database:
                wanted = ConsistencyWanted(question.known.size, question.told.size)
                answer = await LogProofs(database.audit_consistency).answer(wanted)
            assert isinstance(answer, Consistency)
            self.witness.answer(question, answer)
        return catalogue

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
    fleet.do(2)
    await fleet.look()
    assert fleet.witness.fault is None
    assert fleet.witness.known_size == 10
    return fleet


async def test_a_log_that_was_written_anew_is_given_away_when_it_is_as_long_as_before(fleet: Fleet) -> None:
    fleet.forget_the_log()
    fleet.do(8)
    assert audit_queries.verify_log(fleet.context).verdict.problems == (), "by itself it looks right"
    catalogue = await fleet.look()
    assert read_checkpoint(catalogue.checkpoint).size > 10
    assert (fleet.witness.fault, fleet.witness.known_size) == ("no_proof", 10)
    assert [str(patch.ref) for patch in catalogue.patches] == ["office@1"], "and patches go on"


async def test_an_auditor_who_has_kept_a_checkpoint_finds_it_too(fleet: Fleet, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(fleet.company.home.audit_checkpoint.read_bytes())
    assert audit_queries.verify_log(fleet.context, [kept]).verdict.problems == ()
    fleet.forget_the_log()
    fleet.do(8)
    (problem,) = audit_queries.verify_log(fleet.context, [kept]).verdict.problems
    assert "some are not those that were signed" in problem


async def test_a_log_that_was_cut_is_found_by_what_is_signed_for_pcs(fleet: Fleet) -> None:
    fleet.forget_the_log()
    operations.make_token(fleet.context, ADA, uses=1, seconds=60)
    (problem,) = audit_queries.verify_log(fleet.context).verdict.problems
    assert problem == "what is signed for PCs: the log has 1 entries, and had 10 when this was signed."
