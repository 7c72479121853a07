"""`seed_server.store.audit_check`: a log is what was signed, and whatever is done to it is found."""

import random
import re
from pathlib import Path

import pytest

from p2pdist.shared.merkle_log import EMPTY_ROOT
from seed_server.store.audit_check import Anchor, AuditVerdict, check_log
from seed_server.store.database import Database
from tests.helpers.audit_mutations import MUTATIONS, ORIGIN, OTHER_KEY, PUBLIC, Mutation, made_log, verdict_after
from tests.unit.seed_server.store.test_audit_rows import appended

SIZE = 43


def test_an_empty_log_is_whole(database: Database) -> None:
    assert check_log(database, [], ORIGIN, PUBLIC) == AuditVerdict(0, EMPTY_ROOT, ())


@pytest.mark.parametrize("chunk_level", [1, 3, 13])
@pytest.mark.parametrize("size", [1, 7, 8, 9, 31, 64])
def test_a_whole_log_is_whole_in_chunks_of_any_size(tmp_path: Path, chunk_level: int, size: int) -> None:
    with Database.create(tmp_path / "state.db") as database:
        earlier = Anchor("earlier", made_log(database, size))
        note = made_log(database, 5)
        assert (
            check_log(database, [earlier, Anchor("a PC", note)], ORIGIN, PUBLIC, chunk_level=chunk_level).problems == ()
        )
        for mutation in MUTATIONS:
            outside, rng = [earlier, Anchor("a PC", note)], random.Random(size)
            verdict = verdict_after(database, mutation, rng, outside, chunk_level=chunk_level)
            assert verdict.problems, mutation.__name__


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_what_is_done_to_a_log_is_found(database: Database, mutation: Mutation) -> None:
    outside = [Anchor("a PC", made_log(database, SIZE))]
    for seed in range(8):
        verdict = verdict_after(database, mutation, random.Random(seed), outside)
        assert verdict.problems, seed
        assert all(problem.endswith(".") for problem in verdict.problems)
    assert check_log(database, outside, ORIGIN, PUBLIC).problems == ()


def test_what_is_wrong_is_said(database: Database) -> None:
    note = made_log(database, SIZE)
    older = made_log(database, 1)
    for mutation, words in (
        ("edit_entry", "do not have the hash that is kept"),
        ("drop_entry", "the log has 43 entries, and their numbers go up to 43"),
        ("truncate_with_the_key", "the log has .* entries, and had 44 when this was signed"),
        ("fork_with_the_key", "of the first 4. entries, some are not those that were signed"),
        ("edit_checkpoint", "the database: .*checkpoint"),
        ("add_node", "hashes are kept of entries that there are not"),
    ):
        (one,) = [each for each in MUTATIONS if each.__name__ == mutation]
        verdict = verdict_after(database, one, random.Random(1), [Anchor("a PC", older), Anchor("the file", note)])
        assert any(re.search(words, problem) for problem in verdict.problems), mutation
    assert len(check_log(database, [Anchor("the file", b"x")], ORIGIN, PUBLIC).problems) == 1
    stranger = check_log(database, [], "p2pdist-audit/" + "0" * 32, PUBLIC)
    assert "of another server" in stranger.problems[0]
    assert "another key" in check_log(database, [], ORIGIN, OTHER_KEY.public_key().public_bytes_raw()).problems[0]


def test_it_sees_one_state_while_others_write(database: Database, place: object) -> None:
    made_log(database, SIZE)
    checkpoints = database.audit_checkpoints

    def grown() -> list[tuple[int, bytes]]:
        with Database.open(place) as other:  # type: ignore[arg-type]
            appended(other, 3)
        return checkpoints()

    database.audit_checkpoints = grown  # type: ignore[method-assign]
    verdict = check_log(database, [], ORIGIN, PUBLIC)
    assert (verdict.size, verdict.problems) == (SIZE, ())
