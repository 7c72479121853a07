"""Both databases answer alike, with the same in them: what one's SQL cannot say is found here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.store.database import Database
from seed_server.store.event_rows import EventNumbers
from seed_server.store.people_rows import PersonRow
from seed_server.store.rollout_records import ApprovalRow, ExceptionRow, RolloutFault, RolloutRow
from seed_server.store.session_records import WebSessionRow
from tests.helpers.postgresql import PostgresServer
from tests.helpers.state_databases import postgres_server
from tests.helpers.stored_fleet import NOW, store
from tests.helpers.varied_fleet import varied_fleet

__all__ = ["postgres_server"]

FLEET = varied_fleet()
PCS = [row.endpoint_id for row in FLEET.endpoints]
PATCHES = range(1, len(FLEET.patches) + 1)
SITES = sorted({row.site for row in FLEET.endpoints if row.site})
NEEDS = (True, False, None)


def fill(database: Database) -> None:
    store(database, FLEET)
    for pc, needed in zip(PCS, NEEDS, strict=False):
        answer = DiagnosisAnswer(label="old", applies=needed is not None, needed=needed, reason="2.0")
        database.save_diagnosis(pc, Diagnosis(template="libraries", answers=(answer,)), NOW)
    exception = ExceptionRow(0, "app-*", "true", "tests", "ada", "ben", NOW, NOW + 9.0)
    database.end_exception(database.add_exception(exception), who="eve", now=NOW + 1.0)
    database.keep_rollout_faults([RolloutFault(0, NOW, "broken")])
    fill_people(database)
    database.try_writing()


def fill_people(database: Database) -> None:
    """Store who may do what, what they said of a rollout, and what became of their attempts to log in."""
    ada = PersonRow("ada", ("operator",), ("oslo",), (), NOW, "root", totp=b"seed", subject="https://id.example 7")
    assert database.add_person(ada)
    database.begin_totp("ada", 5)
    database.add_web_session(b"cookie", WebSessionRow("abc", "ada", NOW, NOW, NOW + 9.0, 9.0, "password"))
    database.note_second_factor("abc", NOW + 1.0)
    for source in ("127.0.0.1", "127.0.0.2"):
        database.note_login_failure("ada", source, NOW)
        database.note_login_failure("ada", source, NOW + 1.0)
    database.forget_login_failure("ada", "127.0.0.1")
    patch = FLEET.patches[0]
    rollout = RolloutRow(
        0, 1, patch.patch_id, patch.version, "usual", "ada", "", "waiting", 1, 1, NOW, NOW, b"plan", b""
    )
    number = database.add_rollout(rollout)
    for rings in (1, 2):  # the later word stands
        database.add_approval(number, ApprovalRow("ada", "ada", "operator", rings, NOW + rings))
    database.change_rollout(number, state="running", progress=b"first ring", now=NOW - 9.0, acknowledged=b"seen")


class Both(NamedTuple):
    """The same state twice."""

    sqlite: Database
    postgresql: Database


@contextmanager
def filled(postgres_server: PostgresServer, directory: Path) -> Iterator[Both]:
    with (
        Database.create(directory / "state.db") as sqlite,
        Database.open(postgres_server.new_state()) as postgresql,
    ):
        found = Both(sqlite, postgresql)
        for database in found:
            fill(database)
        yield found


@pytest.fixture(scope="module")
def both(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with filled(postgres_server, tmp_path_factory.mktemp("state")) as found:
        yield found


QUESTIONS: dict[str, Callable[[Database], Any]] = {
    "approvals": lambda one: (one.approvals(1), one.all_approvals()),
    "diagnosis_counts": lambda one: one.diagnosis_counts("libraries"),
    "cvss_scores": lambda one: one.cvss_scores(),
    "denied_ids": lambda one: one.denied_ids(),
    "done_by_day": lambda one: one.done_by_day(PATCHES, 0),
    "endpoint_card": lambda one: [one.endpoint_card(pc) for pc in [*PCS, "nobody"]],
    "event_names": lambda one: one.event_names(EventNumbers({1, 2, 999}, {*PATCHES}, {1, 2}, {1, 2, 3})),
    "exceptions": lambda one: one.exceptions(),
    "follow_ups_before": lambda one: one.follow_ups_before(NOW),
    "harm_pauses": lambda one: one.harm_pauses(NOW),
    "has_month_to_archive": lambda one: one.has_month_to_archive(NOW + 1e9, 1),
    "install_words": lambda one: [one.install_words(patch) for patch in PATCHES],
    "lacked_one_by_one": lambda one: [one.lacked_one_by_one(pc, PATCHES) for pc in PCS],
    "last_seen_at": lambda one: one.last_seen_at(),
    "logins": lambda one: one.logins("ada"),
    "months_to_remove": lambda one: one.months_to_remove(NOW + 1e9, 1),
    "payload_lengths": lambda one: [one.payload_lengths(patch) for patch in PATCHES],
    "pcs_of_sites": lambda one: one.pcs_of_sites(SITES),
    "pcs_that_answered": lambda one: [
        one.pcs_that_answered("libraries", "old", needed, after=0, limit=9) for needed in NEEDS
    ],
    "pcs_without_answer": lambda one: one.pcs_without_answer("libraries", "old", after=1, limit=9),
    "people": lambda one: (one.people(), one.take_totp_step("ada", 5)),
    "person_of_subject": lambda one: [one.person_of_subject(who) for who in ("https://id.example 7", "nobody")],
    "revoke_all_api_tokens": lambda one: one.revoke_all_api_tokens(NOW),
    "revoke_all_tokens": lambda one: one.revoke_all_tokens(NOW),
    "rollouts": lambda one: (one.rollout(1), one.rollouts(), one.rollouts(live=True)),
    "rollout_faults": lambda one: one.rollout_faults(),
    "said_between": lambda one: [one.said_between(patch) for patch in PATCHES],
    "said_on": lambda one: [one.said_on(patch, failures_since=0) for patch in PATCHES],
    "shared_identities": lambda one: one.shared_identities(),
    "site_names": lambda one: one.site_names(),
    "standing_on": lambda one: [one.standing_on(patch, range(1, len(PCS) + 1)) for patch in PATCHES],
    "titles": lambda one: one.titles(),
    "told_facts": lambda one: (one.told_facts(), one.told_facts([1, 2])),
    "under_way_at": lambda one: one.under_way_at(SITES, PATCHES, [("fetching", ""), ("verified", "waiting")]),
    "wan_bytes_of": lambda one: one.wan_bytes_of([patch.torrent_hash for patch in FLEET.patches]),
    "web_sessions": lambda one: one.web_sessions(),
    "words_since": lambda one: one.words_since(0, PATCHES),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_databases_answer_alike(both: Both, name: str) -> None:
    ask = QUESTIONS[name]
    assert _in_order(ask(both.postgresql)) == _in_order(ask(both.sqlite))


def test_what_is_asked_has_an_answer(both: Both) -> None:
    """Else two empty answers would be alike."""
    empty = {name for name, ask in QUESTIONS.items() if not _any(ask(both.sqlite))}
    assert empty == {
        "cvss_scores", "harm_pauses", "months_to_remove", "revoke_all_api_tokens", "revoke_all_tokens", "told_facts",
        "wan_bytes_of",
    }  # fmt: skip


def test_months_leave_both_databases_alike(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with filled(postgres_server, tmp_path) as both:
        left = []
        for database in both:
            for part in database.close_months(NOW + 1e9, 1):
                database.archive_month(replace(part, sha256="of its file"))
                assert database.drop_month(part)
            removed = database.months_to_remove(NOW + 1e9, 1)
            assert removed
            for part in removed:
                database.remove_month(part)
            assert database.months_to_remove(NOW + 1e9, 1) == []
            left.append(database.month_parts())
    assert left[0] == left[1]


def _any(answer: Any) -> bool:
    return any(map(_any, answer)) if type(answer) in (list, tuple) else bool(answer)


def _in_order(answer: Any) -> Any:
    """Return an answer with its lists in one order: each database has an order of its own where none is asked for."""
    if isinstance(answer, dict):
        return {key: _in_order(answer[key]) for key in sorted(answer, key=repr)}
    if type(answer) in (list, tuple):
        return sorted(map(_in_order, answer), key=repr)
    return answer
