"""`seed_server.store.custody` on both databases: what continues is added, what does not is kept beside it."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.custody import Custody, CustodyHead, CustodyRecord, custody_statement
from p2pdist.shared.merkle_log import EMPTY_ROOT, leaf_hash, proves_inclusion
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, CustodyTold, CustodyWanted
from seed_server.store.custody import (
    CUSTODY_DAY_SECONDS,
    MAX_CUSTODY_LOGS,
    MAX_CUSTODY_RECORDS_A_DAY,
    NEXT_LOG_SECONDS,
    CustodyFaultRow,
    CustodyOutcome,
    SignedPart,
)
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


def say(database: Database, part: SignedPart, now: float = 5.0) -> CustodyOutcome:
    return database.save_custody({PC: part, "b" * 26: part}, now)[PC]


def converse(database: Database, custody: Custody, now: float = 5.0) -> list[str | None]:
    """Be a PC with this log that connects; return the faults that were found."""
    faults: list[str | None] = []
    outcome = say(database, SignedPart(CustodyTold(custody.size, custody.root())), now)
    while (wanted := outcome.wanted) is not None and len(faults) < 20:
        try:
            follows = custody.since(wanted.after, 0).root() == wanted.root and wanted.after <= custody.size
        except ValueError:
            follows = False
        outcome = say(database, signed(custody.since(wanted.after if follows else 0, MAX_PAGE_RECORDS)), now)
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
    assert filled.custody_faults(0.0) == [CustodyFaultRow(PC, "pc", "malformed", 5.0)]
    assert filled.custody_faults(6.0) == []


def test_that_a_head_is_not_signed_by_its_pc_is_kept_once_a_day_and_shown(filled: Database) -> None:
    for now in (5.0, 6.0):
        filled.save_malformed_custody([PC, "b" * 26], now)
    assert filled.custody_faults(0.0) == [CustodyFaultRow(PC, "pc", "malformed", 5.0)]
    filled.save_malformed_custody([PC], 7.0 + CUSTODY_DAY_SECONDS)
    assert converse(filled, log_of(3)) == [None]
    assert filled.custody_pace(PC).malformed_at == 7.0 + CUSTODY_DAY_SECONDS, "what it signs well later changes nothing"
    assert filled.custody_pace(PC).records == 3


def test_one_pc_cannot_fill_the_database_with_logs(filled: Database) -> None:
    for n in range(MAX_CUSTODY_LOGS + 5):
        say(filled, signed(log_of(2, decision=n)))
    assert len(filled.custody_logs(PC)) == MAX_CUSTODY_LOGS
    assert filled.custody_pace(PC).held_back == 5
    for n in range(100, 103):
        say(filled, signed(log_of(2, decision=n)), 5.0 + NEXT_LOG_SECONDS)
    assert len(filled.custody_logs(PC)) == MAX_CUSTODY_LOGS + 1, "it is not shut out for ever"


def test_one_pc_cannot_fill_the_database_with_records(filled: Database) -> None:
    """However often it connects; what is too much is counted, told once a day, and has its turn later."""
    custody, told = Custody(), []
    for _ in range(30):
        for n in range(50):
            custody = custody.with_record(CustodyRecord(n, "acme", "2", 7, 1, "installed"))
        size = sum(log.custody.size for log in filled.custody_logs(PC))
        part = custody.since(size, MAX_PAGE_RECORDS)
        told.append(say(filled, signed(part)).held_back)
    (kept,) = filled.custody_logs(PC)
    assert kept.custody.size == MAX_CUSTODY_RECORDS_A_DAY
    assert (told.count(True), filled.custody_pace(PC).held_back) == (1, 18)
    assert filled.custody_pace(PC).held_back_at == 5.0
    day = 5.0 + CUSTODY_DAY_SECONDS
    part = custody.since(kept.custody.size, MAX_PAGE_RECORDS)
    assert say(filled, signed(part), day - 1).held_back is False, "told already"
    assert kept == filled.custody_logs(PC)[0]
    say(filled, signed(part), day)
    assert sum(len(log.custody.records) for log in filled.custody_logs(PC)) == MAX_CUSTODY_RECORDS_A_DAY + 100


def test_whoever_comes_back_after_years_has_all_that_it_holds_written_at_once(filled: Database) -> None:
    custody = log_of(5_000)
    assert converse(filled, custody) == ["gap", *[None] * 6]
    assert filled.custody_logs(PC)[-1].custody == custody
    assert filled.custody_pace(PC).held_back == 0


def test_a_backlog_and_a_restoration_in_one_day_are_written_the_next(filled: Database) -> None:
    converse(filled, log_of(450))
    other = log_of(450, decision=1)
    assert converse(filled, other) == ["shorter", None]
    assert converse(filled, other, 5.0 + CUSTODY_DAY_SECONDS) == [None] * 4
    assert [log.custody.size for log in filled.custody_logs(PC)] == [450, 450]


def test_two_pcs_with_one_identity_have_a_log_each(filled: Database) -> None:
    """Who has a stolen key cannot use up what is kept, and shut out the PC itself."""
    one, other = log_of(2), log_of(3, decision=1)
    for n in range(20):
        one, other = log_of(1, one, decision=n), log_of(1, other, decision=n)
        converse(filled, one)
        converse(filled, other)
    assert [kept.custody for kept in filled.custody_logs(PC)] == [one, other]
