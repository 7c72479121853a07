"""`seed_server.store.custody` on both databases: what continues is added, what does not is kept beside it."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.custody import Custody, CustodyHead, CustodyRecord, custody_statement
from p2pdist.shared.merkle_log import EMPTY_ROOT, leaf_hash, proves_inclusion
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, CustodyTold, CustodyWanted
from seed_server.store.custody import MAX_CUSTODY_LOGS, CustodyFaultRow, CustodyOutcome, SignedPart
from seed_server.store.database import Database
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

PC = "a" * 26


def log_of(count: int, custody: Custody | None = None, decision: int = 0) -> Custody:
    custody = custody or Custody()
    for n in range(count):
        custody = custody.with_record(CustodyRecord(n, "acme", "2", 7, decision, "installed"))
    return custody


def signed(page: Custody) -> SignedPart:
    head = CustodyHead(**custody_statement(PC, page, 1.0))
    told = CustodyTold(page.size, page.root(), b"".join(page.frontier), page.records, f"head of {page.size}")
    return SignedPart(told, head)


def say(database: Database, part: SignedPart) -> CustodyOutcome:
    return database.save_custody({PC: part, "b" * 26: part}, 5.0)[PC]


def converse(database: Database, custody: Custody) -> list[str | None]:
    """Be a PC with this log that connects; return the faults that were found."""
    faults: list[str | None] = []
    outcome = say(database, SignedPart(CustodyTold(custody.size, custody.root())))
    while (wanted := outcome.wanted) is not None and len(faults) < 20:
        try:
            follows = custody.since(wanted.after, 0).root() == wanted.root and wanted.after <= custody.size
        except ValueError:
            follows = False
        outcome = say(database, signed(custody.since(wanted.after if follows else 0, MAX_PAGE_RECORDS)))
        faults.append(outcome.fault)
    return faults


@pytest.fixture
def filled(database: Database) -> Database:
    database.add_endpoint(PC, "pc", 1.0)
    return database


def test_what_is_new_is_asked_for_signed_and_kept_once(filled: Database) -> None:
    custody = log_of(3)
    outcome = say(filled, SignedPart(CustodyTold(3, custody.root())))
    assert outcome == CustodyOutcome(CustodyWanted(0, EMPTY_ROOT))
    assert say(filled, signed(custody)) == CustodyOutcome()
    assert say(filled, signed(custody)) == CustodyOutcome(), "said again"
    assert converse(filled, custody) == [], "the server has it all"
    longer = log_of(2 * MAX_PAGE_RECORDS + 9, custody)
    assert converse(filled, longer) == [None] * 3
    (kept,) = filled.custody_logs(PC)
    assert (kept.custody, kept.fault, kept.statement) == (longer, "", f"head of {longer.size}")


def test_faults_are_listed_by_when_they_were_found(filled: Database) -> None:
    before = log_of(9)
    converse(filled, before)
    assert filled.custody_faults(0.0) == [], "the first log continues none"
    restored = log_of(3)
    converse(filled, restored)
    assert filled.custody_faults(0.0) == [CustodyFaultRow(PC, "pc", "shorter", 5.0)]
    gone_on = signed(log_of(2, restored))
    filled.save_custody({PC: gone_on}, 90.0)
    assert filled.custody_faults(6.0) == [], "what follows is no new fault"
    filled.forget_endpoint(PC)
    assert filled.custody_faults(5.0) == [CustodyFaultRow("", "", "shorter", 5.0)]


def test_any_record_is_proved_below_the_signed_head(filled: Database) -> None:
    custody = log_of(MAX_PAGE_RECORDS * 7)  # the first hundred have left the PC
    assert custody.first == MAX_PAGE_RECORDS
    assert set(converse(filled, custody)) == {"gap", None}
    (kept,) = filled.custody_logs(PC)
    for number in (100, 101, 350, 699):
        leaf = leaf_hash(kept.custody.records[number - kept.custody.first])
        assert proves_inclusion(leaf, number, 700, kept.custody.proof(number), custody.root())


def test_a_restored_pc_is_found_and_both_logs_are_kept(filled: Database) -> None:
    before = log_of(20)
    converse(filled, before)
    assert converse(filled, log_of(12)) == ["shorter"]
    gone_on = log_of(15, log_of(12), decision=9)
    assert converse(filled, gone_on) == [None], "it continues what it has signed since"
    assert [(kept.custody, kept.fault) for kept in filled.custody_logs(PC)] == [(before, ""), (gone_on, "shorter")]


@pytest.mark.parametrize("how", ["changed", "swapped"])
def test_what_was_changed_on_the_pc_is_found(filled: Database, how: str) -> None:
    before = log_of(5).with_record(CustodyRecord(9, "acme", "3", 8, 2, "failed"))
    converse(filled, before)
    records = list(before.records)
    if how == "changed":
        records[5] = records[4]
    else:
        records[4], records[5] = records[5], records[4]
    after = replace(before, records=tuple(records))
    assert converse(filled, after) == ["other_records"]
    assert [kept.custody for kept in filled.custody_logs(PC)] == [before, after]


def test_what_was_not_signed_is_not_kept(filled: Database) -> None:
    custody = log_of(4)
    part = signed(custody)
    for told in (
        replace(part.told, records=part.told.records[1:]),
        replace(part.told, records=part.told.records[::-1]),
        replace(part.told, records=()),
        replace(part.told, frontier=b"\0" * 33),
        replace(part.told, size=2),
    ):
        assert say(filled, SignedPart(told, part.head)).fault == "malformed"
    assert filled.custody_logs(PC) == []


def test_one_pc_cannot_fill_the_database_with_logs(filled: Database) -> None:
    for n in range(MAX_CUSTODY_LOGS + 5):
        say(filled, signed(log_of(2, decision=n)))
    assert len(filled.custody_logs(PC)) == MAX_CUSTODY_LOGS
