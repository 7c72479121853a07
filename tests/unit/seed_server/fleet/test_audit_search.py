"""One search looks at a bounded part of the log, finds all that is wanted in it, and says where it goes on."""

import base64
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.merkle_log import proves_consistency
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.audit_queries import READ_AT_A_TIME
from seed_server.fleet.audit_search import (
    AuditQuestion,
    newest_checkpoint,
    prove_consistency,
    read_entry,
    search_log,
)
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.settings.home import ServerHome
from seed_server.store.audit_entry import encode_entry
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import copied, new_home
from tests.helpers.rollout_company import BOB, Company

ADA, ADAS_TOKEN = Actor.local_user("ada"), Actor("ada", "token", Actor.local_user("ada").rights, "5f0c6a1b92d4")
NORA = Actor("nora", "password", Actor.local_user("nora").rights)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def desk(home: ServerHome, tmp_path: Path) -> tuple[Context, FakeClock]:
    return copied(home, tmp_path)


def _happen(context: Context, actor: Actor, clock: FakeClock, count: int) -> None:
    for _ in range(count):
        clock.wall += 60
        operations.make_token(context, actor, uses=1, seconds=60)


def _numbers(context: Context, question: AuditQuestion, most: int = 100) -> list[int]:
    return [one.entry.number for one in search_log(context, question, most).entries]


def test_a_person_is_found_whichever_way_they_came(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    begin = search_log(context, AuditQuestion(), 1).size
    for actor in (ADA, ADAS_TOKEN, NORA):
        _happen(context, actor, clock, 1)
    assert _numbers(context, AuditQuestion(who="ada")) == [begin + 1, begin]
    assert _numbers(context, AuditQuestion(who="ADA")) == [begin + 1, begin]
    assert _numbers(context, AuditQuestion(who="local:ada")) == [begin]
    assert _numbers(context, AuditQuestion(who="ada/5f0c6a1b92d4")) == [begin + 1]
    assert _numbers(context, AuditQuestion(who="ad")) == []


def test_deed_and_subject_are_found_by_a_part_of_them(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 1)
    (made,) = search_log(context, AuditQuestion(deed="MAKE tok"), 9).entries
    assert made.entry.operation == "make token"
    assert _numbers(context, AuditQuestion(subject=made.entry.subject[:5])) == [made.entry.number]
    assert _numbers(context, AuditQuestion(request=made.entry.request)) == [made.entry.number]
    assert _numbers(context, AuditQuestion(request="other")) == []


def test_all_of_a_rollout_is_found_by_its_number(company: Company) -> None:
    company.start()
    approve_rollout(company.context, BOB, 1)
    found = search_log(company.context, AuditQuestion(rollout=1), 9).entries
    assert [one.entry.operation for one in found] == ["approve rollout", "start rollout"]
    assert _numbers(company.context, AuditQuestion(rollout=11)) == []
    assert len(_numbers(company.context, AuditQuestion(subject="office", deed="rollout"))) == 2


def test_a_search_goes_on_where_the_one_before_has_ended(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, NORA, clock, 7)
    seen: list[int] = []
    before: int | None = None
    for _ in range(9):
        found = search_log(context, AuditQuestion(who="nora"), 3, before=before)
        seen += [one.entry.number for one in found.entries]
        if (before := found.before) is None:
            break
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)


def test_a_search_looks_at_so_many_entries_and_no_more(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, NORA, clock, 1)
    size = search_log(context, AuditQuestion(), 1).size
    _happen(context, ADA, clock, 5)
    first = search_log(context, AuditQuestion(who="nora"), 3, look=5)
    assert (first.entries, first.before, first.looked_at) == ([], size, (size, size + 5))
    second = search_log(context, AuditQuestion(who="nora"), 3, before=first.before, look=5)
    assert [one.entry.number for one in second.entries] == [size - 1]


def test_a_search_decodes_so_many_entries_and_no_more(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 1)
    (made,) = search_log(context, AuditQuestion(deed="make token"), 1).entries
    with context.database() as database, database.batch():
        for _ in range(READ_AT_A_TIME + 10):
            database.append_audit(lambda number: encode_entry(replace(made.entry, number=number)))
    size = search_log(context, AuditQuestion(), 1).size
    asked = AuditQuestion(deed="TOKEN", who="nobody")
    assert search_log(context, asked, 3).before is None  # no entry has the name in it: none is decoded
    asked = AuditQuestion(deed="TOKEN", subject="make")  # which all have, as their deed
    found = search_log(context, asked, 3, decode=10)
    assert (list(found.entries), found.looked_at) == ([], (size - READ_AT_A_TIME, size))
    assert found.before == size - READ_AT_A_TIME
    assert search_log(context, asked, 3, before=found.before, decode=READ_AT_A_TIME).before is None


def test_words_in_other_letters_are_found_too(desk: tuple[Context, FakeClock]) -> None:
    context, _ = desk
    with context.audited(ADA, Deed("deny", "Bürö-PC", details={"patch": "Größe@1"})):
        pass
    (one,) = search_log(context, AuditQuestion(deed="deny"), 9).entries
    for words in ("BÜRÖ", "bürö-pc", "GRÖSSE", "größe"):
        assert _numbers(context, AuditQuestion(subject=words)) == [one.entry.number], words
    assert _numbers(context, AuditQuestion(subject="buro")) == []


def test_moments_bound_a_search_also_where_a_clock_was_put_back(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 5)
    noon = clock.wall
    _happen(context, NORA, clock, 5)
    size = search_log(context, AuditQuestion(), 1).size
    assert _numbers(context, AuditQuestion(until=noon + 60)) == list(range(size - 6, -1, -1))
    assert _numbers(context, AuditQuestion(since=noon + 60)) == list(range(size - 1, size - 6, -1))
    assert _numbers(context, AuditQuestion(since=noon + 60, until=noon + 121)) == [size - 4, size - 5]
    clock.wall = noon - 30  # somebody has put the clock back
    _happen(context, ADA, clock, 1)
    clock.wall = noon + 3_600
    found = _numbers(context, AuditQuestion(since=noon, until=noon + 31))
    assert found == [size, size - 6]


def test_what_is_looked_at_ends_where_the_time_that_is_asked_for_begins(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 3)
    found = search_log(context, AuditQuestion(since=clock.wall + 60), 9)
    assert (list(found.entries), found.before) == ([], None)


def test_one_entry_is_read_by_its_number(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 1)
    first = read_entry(context, 0)
    assert first is not None
    assert first.entry.number == 0
    assert read_entry(context, 1_000_000) is None


# --- consistency -------------------------------------------------------------------------


def test_the_log_goes_on_as_a_checkpoint_says_that_was_kept(desk: tuple[Context, FakeClock]) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 3)
    kept = newest_checkpoint(context)
    assert kept is not None
    _happen(context, ADA, clock, 4)
    proof = prove_consistency(context, kept[1])
    assert proof.holds
    assert not proof.other_key
    assert (proof.now.size, proof.kept.size) == (kept[0].size + 4, kept[0].size)
    assert proves_consistency(proof.kept.size, proof.kept.root, proof.now.size, proof.now.root, proof.hashes)


def test_a_log_that_was_put_back_does_not_go_on_as_it_was_seen(home: ServerHome, tmp_path: Path) -> None:
    one, clock = copied(home, tmp_path / "one")
    other, _ = copied(home, tmp_path / "other")
    _happen(one, ADA, clock, 3)
    _happen(other, NORA, clock, 3)
    seen = newest_checkpoint(one)
    assert seen is not None
    assert not prove_consistency(other, seen[1]).holds  # as many entries, and others
    empty, _ = copied(home, tmp_path / "empty")
    for context in (empty, other):
        proof = prove_consistency(context, seen[1])
        assert (proof.holds, proof.hashes) == (False, ())


def test_what_is_no_checkpoint_of_this_log_is_said(desk: tuple[Context, FakeClock], tmp_path: Path) -> None:
    context, clock = desk
    _happen(context, ADA, clock, 2)
    kept = newest_checkpoint(context)
    assert kept is not None
    signature = kept[1].rsplit(b" ", 1)[1]
    forged = kept[1].replace(signature, base64.b64encode(bytes(68)) + b"\n")
    for note in (b"", b"nonsense", forged, kept[1] * 100):
        with pytest.raises(UserError) as raised:
            prove_consistency(context, note)
        assert raised.value.kind is FaultKind.BAD_INPUT
    strange, clock = copied(new_home(tmp_path / "strange"), tmp_path / "copy")
    _happen(strange, ADA, clock, 1)
    with pytest.raises(UserError, match="is of the log") as raised:
        prove_consistency(strange, kept[1])
    assert raised.value.kind is FaultKind.BAD_INPUT
