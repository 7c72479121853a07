"""`seed_server.store.fleet_counts`: what is counted is there, on both databases, and no whole table is read for it."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event

from seed_server.fleet.coverage import Reached, settled
from seed_server.fleet.overview import EVERYTHING, UNFINISHED, said_as
from seed_server.store import fleet_counts
from seed_server.store.count_rows import SaidReasons, StandingFilter
from seed_server.store.database import Database
from seed_server.store.rows import ReportRow
from tests.helpers.stored_fleet import NOW, store
from tests.helpers.stored_rows import all_reports
from tests.helpers.varied_fleet import REFUSAL, varied_fleet

FLEET = varied_fleet()


@pytest.fixture(scope="module")
def stored(lasting_database: Database) -> Database:
    store(lasting_database, FLEET)
    return lasting_database


def counted(database: Database, site: str | None) -> list[tuple[int, ReportRow]]:
    """Return the reports of PCs that are allowed here, each with its patch's number."""
    numbers = {head.ref: head.number for head in database.patch_heads()}
    allowed = {row.endpoint_id for row in database.endpoints() if not row.denied and site in (None, row.site)}
    return [(numbers[row.ref], row) for row in all_reports(database) if row.endpoint_id in allowed]


@pytest.mark.parametrize("site", [None, "leeds", "osaka"])
def test_every_pc_that_is_allowed_is_counted_once(stored: Database, site: str | None) -> None:
    number = None if site is None else stored.site_number(site)
    patches = [head.number for head in stored.patch_heads()]
    found = stored.fleet_counts(patches, UNFINISHED, site=number)
    rows = counted(stored, site)
    here = {row.endpoint_id for row in stored.endpoints() if row.connected}
    assert {
        (patch, said): count for patch, states in found.states.items() for said, count in states.items()
    } == Counter((patch, (row.state, row.install)) for patch, row in rows)
    assert found.connected == Counter(
        patch for patch, row in rows if row.endpoint_id in here and settled(row.state, row.install) is None
    )
    allowed = [row for row in stored.endpoints() if not row.denied and site in (None, row.site)]
    assert found.endpoints.allowed == len(allowed)
    assert found.endpoints.allowed_connected == sum(row.connected for row in allowed)
    failed = stored.said_of(patches, said_as(Reached.FAILED), site=number)
    assert failed == Counter(patch for patch, row in rows if settled(row.state, row.install) is Reached.FAILED)


def test_where_all_or_none_are_connected_the_same_is_counted(database: Database) -> None:
    fleet = varied_fleet(connected=True)
    store(database, fleet)
    patches = [head.number for head in database.patch_heads()]
    denied = [row.endpoint_id for row in fleet.endpoints if row.denied]
    some = database.fleet_counts(patches, UNFINISHED)
    assert some.endpoints.allowed == some.endpoints.allowed_connected == len(fleet.endpoints) - len(denied)
    assert some.connected == database.said_of(patches, UNFINISHED)
    database.disconnect_all(NOW)
    assert database.fleet_counts(patches, UNFINISHED).connected == {}


def test_pcs_that_claim_share_or_refuse_are_counted(stored: Database) -> None:
    counts = stored.endpoint_counts()
    assert (counts.everyone, counts.claiming, counts.shared) == (len(FLEET.endpoints), 1, 1)
    assert (counts.refusing, counts.refusing_host, counts.refuses) == (1, "pc-03", REFUSAL)


def test_the_reasons_of_most_pcs_come_first_and_failures_before_them(stored: Database) -> None:
    patches = [head.number for head in stored.patch_heads()]
    found = stored.reason_counts(patches, most=100)
    rows = counted(stored, None)
    said = Counter(
        (patch, True, row.install, row.install_reason)
        for patch, row in rows
        if row.install_reason and row.install not in ("", "installed")
    ) + Counter((patch, False, row.state, row.error) for patch, row in rows if row.error)
    assert {(one.patch, one.of_install, one.state, one.reason): one.endpoints for one in found} == said
    failures = [one.state in ("failed", "rolled_back") for one in found]
    assert failures == sorted(failures, reverse=True)
    for some in (True, False):
        counts = [one.endpoints for one, failure in zip(found, failures, strict=True) if failure is some]
        assert counts == sorted(counts, reverse=True)
    for one in found:
        givers = {
            row.endpoint_id
            for patch, row in rows
            if patch == one.patch
            and ((row.install, row.install_reason) if one.of_install else (row.state, row.error))
            == (one.state, one.reason)
        }
        assert {endpoint_id for endpoint_id, _ in one.examples} <= givers
        assert len(one.examples) == min(len(givers), fleet_counts.MAX_EXAMPLES)
    assert "not_applicable" not in {
        one.state for one in stored.reason_counts(patches, most=100, without=["not_applicable"])
    }


def test_of_many_patches_each_has_its_worst_failure_before_any_has_a_second(stored: Database) -> None:
    patches = [head.number for head in stored.patch_heads()]
    found = stored.reason_counts(patches, most=100, of_many=True)
    failed = [one.patch for one in found if one.state in ("failed", "rolled_back")]
    distinct = len(set(failed))
    assert distinct > 1
    assert len(failed) > distinct
    assert len(set(failed[:distinct])) == distinct


def test_the_pace_is_that_of_the_last_steps(stored: Database) -> None:
    installed, delivered = said_as(Reached.INSTALLED), said_as(Reached.DELIVERED)
    paces = stored.paces(NOW - 3600.0, installed, delivered)
    rows = Counter((row.ref, row.state, row.install) for row in all_reports(stored))  # denied ones took steps too
    for head in stored.patch_heads():
        pace = paces[head.number]
        assert pace.installed == rows[head.ref, "verified", "installed"]
        assert pace.delivered == rows[head.ref, "verified", ""]
        assert pace.since == NOW - 3600.0
    assert stored.paces(NOW - 1.0, installed, delivered) == {}
    cut = stored.paces(NOW - 3600.0, installed, delivered, most=5)
    assert sum(pace.installed + pace.delivered for pace in cut.values()) <= 5
    assert {pace.since for pace in cut.values()} == {NOW - 60.0}, "that of the oldest step that was looked at"


def test_who_gives_a_reason_is_found_by_it(stored: Database) -> None:
    heads = {head.number: head.patch_id for head in stored.patch_heads()}

    def found(word: str) -> tuple[set[str], set[str]]:
        reasons = stored.reasons_with(lambda reason: word in reason)
        said = {*reasons.of_install.values(), *reasons.of_file}
        return said, {heads[number] for number in stored.patches_with_reason(heads, reasons)}

    assert found("Disk") == ({"The Disk is full"}, {"p-1"})
    assert found("exit code") == ({"exit code 0", "exit code 1"}, {"p-1", "p-2"})
    assert found("nonsense") == (set(), set())


def test_no_question_reads_a_whole_table_of_what_pcs_say(stored: Database) -> None:
    """Millions of rows would be read for each screen; few rows hide it."""
    if stored._engines.path is None:
        pytest.skip("PostgreSQL chooses its plans by what is in the tables")
    asked: dict[str, Any] = {}

    def keep(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:
        asked[statement] = parameters

    event.listen(stored._engines.reader, "before_cursor_execute", keep)
    patches = [head.number for head in stored.patch_heads()][:2]
    site = stored.site_number("leeds")
    for where in (None, site):
        stored.fleet_counts(patches, UNFINISHED, site=where)
        stored.reason_counts(patches, most=5, site=where)
        stored.paces(NOW - 3600.0, said_as(Reached.INSTALLED), said_as(Reached.DELIVERED), site=where)
        for silent in (False, True):
            disk = SaidReasons({1: "disk"}, frozenset({"The Disk is full"}))
            wanted = StandingFilter(frozenset(EVERYTHING), silent, None, where, None if silent else disk)
            stored.standing_page(patches[0], wanted, ranks=[UNFINISHED], limit=3)
            stored.standing_page(patches[0], wanted, after=(-1, 4), limit=3)
            stored.standing_count(patches[0], wanted)
    stored.standing_of(FLEET.endpoints[0].endpoint_id)
    stored.wan_bytes_of(["ab" * 32])
    event.remove(stored._engines.reader, "before_cursor_execute", keep)
    plans = {}
    with stored.reading() as connection:
        for statement, parameters in asked.items():
            if statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans[statement] = [row.detail for row in plan]
    assert len(plans) > 10
    large = ("standing", "standing_notes", "tallies", "events", "wan_bytes")
    scans = {
        s: [d for d in plan if any(d.split(" USING")[0] == f"SCAN {t}" for t in large)] for s, plan in plans.items()
    }
    assert {s: found for s, found in scans.items() if found} == {}


def test_pcs_of_a_site_are_counted_also_those_that_are_off_and_not_those_that_are_denied(stored: Database) -> None:
    names = {row.site for row in FLEET.endpoints if row.site}
    for name in names:
        assert stored.endpoints_at(name) == sum(row.site == name and not row.denied for row in FLEET.endpoints)
    assert stored.endpoints_at("nowhere") == 0
