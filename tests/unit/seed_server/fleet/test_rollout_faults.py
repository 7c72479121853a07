"""`seed_server.fleet.rollout_faults`, with the engine: what is broken of one rollout stops that one, and is said."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import update
from structlog.testing import capture_logs

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchVersion
from p2pdist.shared.manifest.documents import manifest_target
from seed_server.fleet import exception_operations, rollout_engine, rollout_operations, rollout_queries
from seed_server.fleet.problems import rollout_problems
from seed_server.fleet.rollout import RolloutState, decide
from seed_server.fleet.rollout_engine import FAULT_RETRY_SECONDS
from seed_server.fleet.rollout_faults import NO_ROLLOUT, STUCK, STUCK_AGAIN_SECONDS
from seed_server.store.audit_entry import AuditEntry, decode_entry
from seed_server.store.tables_rollouts import EXCEPTIONS, ROLLOUTS
from tests.helpers.rollout_company import ADA, TEMPLATE, Company


@pytest.fixture
def two(company: Company, tmp_path: Path) -> Company:
    """Return a company with a rollout of `office` that has a ring open, and one of `tool` that has none."""
    company.start()
    company.look(0.0)
    company.publish_to_nobody("tool", tmp_path)
    rollout_operations.start_rollout(company.context, ADA, "tool", TEMPLATE)
    return company


def opened(company: Company) -> dict[str, int]:
    """Return how many rings of each patch are open to PCs."""
    return {entry.ref.patch_id: len(entry.opened_at) for entry in company.repository.current_staged().entries}


def damage(company: Company, number: int, **values: object) -> None:
    with company.database._writing() as connection:
        connection.execute(update(ROLLOUTS).where(ROLLOUTS.c.number == number).values(values))


def look(company: Company, later: float = 2.0) -> dict[int, str]:
    """Look, and return what is broken."""
    company.clock.wall += later
    company.engine.look()
    return {one.rollout: one.words for one in company.database.rollout_faults()}


@pytest.mark.parametrize(
    "values",
    [
        {"progress": b"junk"},
        {"plan": b"{}"},
        {"state": "paused"},
        {"sequence": 0},
        {"version": "2"},
    ],
)
def test_a_record_that_cannot_be_read_stops_no_other(two: Company, values: dict[str, object]) -> None:
    damage(two, 1, **values)
    with capture_logs() as logs:
        assert list(look(two)) == list(look(two)) == [1]
    assert sum(entry["log_level"] == "error" for entry in logs) == 1  # once, not at each look
    assert opened(two) == {"tool": 1}  # PCs begin nothing of what nobody watches
    (problem,) = rollout_problems(two.database, serving=True)
    assert (problem.urgent, problem.mend) == (True, "seed-server rollout why 1")
    assert "Rollout 1 is not carried on since" in problem.text
    with pytest.raises(UserError, match=r"Rollout 1 .* cannot be read .* rollout abort 1"):
        rollout_queries.read_rollout(two.context, 1)
    listed, broken = rollout_queries.list_rollouts(two.context)
    assert ([one.kept.row.number for one in listed], [one.row.number for one in broken]) == ([2], [1])
    ended = rollout_operations.abort_rollout(two.context, ADA, 1, "broken")
    assert ended.row.state == "aborted"
    assert look(two) == {}
    assert rollout_problems(two.database, serving=True) == []


def test_a_rollout_whose_record_is_repaired_goes_on(two: Company) -> None:
    before = two.rollout(1).row.progress
    damage(two, 1, progress=b"junk")
    look(two)
    damage(two, 1, progress=before)
    assert look(two) == {}
    assert opened(two) == {"office": 1, "tool": 1}


def test_an_error_in_one_rollout_opens_no_ring_and_stops_no_other(
    two: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(plan: object, *rest: object) -> object:
        if getattr(plan, "patch_id", "") == "tool":
            raise ZeroDivisionError("by nobody")
        return decide(plan, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rollout_engine, "decide", failing)
    rollout_operations.pause_rollout(two.context, ADA, 1, "lunch")
    rollout_operations.resume_rollout(two.context, ADA, 1)
    assert look(two) == {2: "ZeroDivisionError: by nobody"}
    view = rollout_queries.read_rollout(two.context, 2)
    assert view.fault is not None
    assert opened(two) == {"office": 1, "tool": 0}
    two.say({"pc-test-0": "failed", "pc-test-1": "failed"})
    assert look(two) == {2: "ZeroDivisionError: by nobody"}  # it rests, and that is still told
    assert two.rollout(1).progress.state is RolloutState.HALTED
    monkeypatch.undo()
    assert look(two, FAULT_RETRY_SECONDS) == {}
    assert opened(two) == {"tool": 1}


def test_a_manifest_that_cannot_be_read_aborts_nothing(two: Company) -> None:
    target = manifest_target(PatchId("tool"), PatchVersion("1"))
    (file,) = two.context.home.tuf_targets.glob(f"**/*.{Path(target).name}")
    good = file.read_bytes()
    file.write_bytes(b"junk")
    two.engine = two.new_engine()
    rollout_operations.halt_rollout(two.context, ADA, 1, "crashes")
    rollout_operations.resume_rollout(two.context, ADA, 1)
    assert list(look(two)) == [2]
    assert (two.rollout(2).progress.state, opened(two)) == (RolloutState.RUNNING, {"office": 1, "tool": 0})
    file.write_bytes(good)
    assert look(two, FAULT_RETRY_SECONDS) == {}
    assert opened(two) == {"office": 1, "tool": 1}


def test_a_full_disk_is_said_once_and_the_next_look_tries_again(two: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise UserError("The disk is full. Free some space.", FaultKind.STORAGE)

    monkeypatch.setattr(rollout_engine, "announce", full)
    with capture_logs() as logs:
        assert look(two) == look(two) == {NO_ROLLOUT: "The disk is full. Free some space."}
    assert sum(entry["log_level"] == "error" for entry in logs) == 1
    (problem,) = rollout_problems(two.database, serving=True)
    assert problem.text.startswith("No rollout is carried on since")
    monkeypatch.undo()
    assert look(two) == {}
    assert opened(two) == {"office": 1, "tool": 1}


def stuck(company: Company) -> list[AuditEntry]:
    """Return the entries of what cannot be carried on."""
    with company.context.database() as database:
        found = [decode_entry(data) for _, data in database.audit_entries(0, 1 << 40)]
    return [entry for entry in found if entry.operation == STUCK]


def test_that_one_is_not_carried_on_has_an_entry_and_one_an_hour_at_most(two: Company) -> None:
    """The log is for ever: what comes and goes does not fill it."""
    good = two.rollout(1).row.progress
    for _ in range(3):
        damage(two, 1, progress=b"junk")
        look(two)
        look(two)
        damage(two, 1, progress=good)
        look(two)
    (entry,) = stuck(two)
    assert (entry.actor, entry.subject, entry.known_by) == ("engine", "1", "engine")
    assert "its record cannot be read" in entry.reason
    damage(two, 1, progress=b"junk")
    look(two, STUCK_AGAIN_SECONDS)
    assert len(stuck(two)) == 2


def test_an_entry_that_cannot_be_written_leaves_no_record_and_comes_with_the_next_look(
    two: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    damage(two, 1, progress=b"junk")
    monkeypatch.setattr(two.database, "append_audit", full)
    assert look(two) == {}, "the record is in the entry's transaction"
    monkeypatch.undo()
    assert list(look(two)) == [1]
    assert len(stuck(two)) == 1


def test_what_cannot_be_recorded_breaks_nothing(two: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    damage(two, 1, progress=b"junk")
    monkeypatch.setattr(two.database, "keep_rollout_faults", full)
    with capture_logs() as logs:
        assert look(two) == look(two) == {}
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "rollouts wait: the next look tries again", "what is wrong with rollouts cannot be recorded",
    ]  # fmt: skip
    monkeypatch.undo()
    assert list(look(two)) == [1]


def test_an_exception_that_cannot_be_read_stays_as_pcs_know_it(two: Company) -> None:
    until = two.clock.now() + 9_000
    exception_operations.add_exception(
        two.context, ADA, who='hostname == "pc-test-0"', until=until, reason="demo", owner="Ada"
    )
    (hold,) = two.repository.current_staged().holds
    with two.database._writing() as connection:
        connection.execute(update(EXCEPTIONS).values(expression="((("))
    assert list(look(two)) == [-1]
    assert two.repository.current_staged().holds == (hold,)
    assert opened(two) == {"office": 1, "tool": 1}
    (problem,) = rollout_problems(two.database, serving=True)
    assert problem.mend == "seed-server exception end 1"
    exception_operations.end_exception(two.context, ADA, 1)
    assert look(two) == {}


def test_all_rollouts_are_counted_within_a_look_where_that_takes_no_time(company: Company) -> None:
    row = company.start().row
    for number in range(2, 40):
        company.database.add_rollout(replace(row, sequence=row.sequence + number))
    look(company)
    assert (company.engine.all_counted, len(company.engine._counted)) == (True, 39)
