"""Reports are what a recomputation from the steps of all PCs says, and each PC that lacks a patch has one reason."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from sqlalchemy import select

from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.fleet.rollout_counting import known_pcs
from seed_server.reporting.held_pcs import FleetHolds
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.missing_queries import MissingLook
from seed_server.reporting.owners import Owners
from seed_server.reporting.service_level_queries import read_counts
from seed_server.reporting.service_levels import (
    JudgedPatch,
    LevelVerdict,
    deadline_of,
    hour_of_deadline,
    service_level,
    verdict,
)
from seed_server.settings.sections import SlaRule
from seed_server.store.database import Database
from seed_server.store.done_times import done_since, hour_of, said_done
from seed_server.store.event_months import hot_events
from seed_server.store.rollout_records import ExceptionRow
from seed_server.store.rows import SeenRow
from seed_server.store.tables import REPORTED_SINCE, states_of
from seed_server.store.tables_events import EVENT_TEXTS
from tests.helpers.varied_fleet import varied_fleet

PCS, PATCHES, STEPS = 12, 3, 60
DAY = 86_400
BEGIN = REPORTED_SINCE + 40 * DAY
RULES = [SlaRule(name="fast", share_percent=50, days=2), SlaRule(name="slow", share_percent=80, days=9)]
REASONS = ("replaced: 2 is installed", "withdrawn: crashes", "not applicable: no variant")


@dataclass
class History:
    """A fleet in which anything has happened."""

    database: Database
    now: float
    denied: frozenset[int]
    unseen: frozenset[int]
    exceptions: tuple[ExceptionRow, ...]


def happened(database: Database, random: Random) -> History:
    for published in varied_fleet().patches[:PATCHES]:
        database.add_patch(published)
    ids = [f"{number:026}" for number in range(PCS)]
    for number, endpoint_id in enumerate(ids):
        database.add_endpoint(endpoint_id, f"pc-{number}", BEGIN, ("till",) if number % 4 == 0 else ())
    now = float(BEGIN)
    for _ in range(STEPS):
        now += random.randrange(1, DAY // 2)
        said = {}
        for number in random.sample(range(PCS - 1), random.randrange(1, PCS // 2)):  # the last one never says a word
            patch = random.randrange(PATCHES)
            install = random.choice((*get_args(InstallState), "installed", "installed", ""))
            # of one PC and patch it is always the same: the history has steps of states, not of reasons
            reason = REASONS[(number + patch) % 3] if install == "not_applicable" else "waits for a maintenance window"
            said[ids[number]] = [
                PatchReport(
                    patch_id=f"p-{patch}", version="1", state=random.choice((*get_args(PatchState), "verified")),
                    progress=0.5, bytes_from_origin=0, bytes_from_peers=0, bytes_wasted=0, seconds=1.0, error="",
                    install=install, install_reason=reason if install not in ("", "installed") else "",
                )
            ]  # fmt: skip
        database.save_reports(said, now)
        if random.random() < 0.3:
            database.set_denied(random.choice(ids), random.random() < 0.5, pending=random.random() < 0.3)
    seen = {pc: now - random.choice((0, 1, 20)) * DAY for pc in ids}
    database.save_seen({
        pc: SeenRow(random.choice(("oslo", "leeds")), "192.0.2.1", "test", connected=False, last_seen_at=at)
        for pc, at in seen.items()
    })  # fmt: skip
    rows = database.ring_pcs()
    exception = ExceptionRow(1, random.choice(("", "p-1", "p-2@1")), '"till" in tags', "r", "o", "m", 1.0, now + DAY)
    return History(
        database,
        now,
        frozenset(row.number for row in rows if not row.allowed),
        frozenset(row.number for row in rows if row.last_seen_at <= now - 7 * DAY),
        (exception,),
    )


@pytest.fixture(params=range(12))
def history(request: pytest.FixtureRequest, tmp_path: Path):
    with Database.create(tmp_path / "state.db") as database:
        yield happened(database, Random(request.param))


def replayed(database: Database) -> dict[tuple[int, int], tuple[int, str, str, str]]:
    """Return of each PC and patch since when it is done, and its last word, from the steps alone."""
    with database.reading() as connection:
        steps = hot_events(connection, 0)
        rows = connection.execute(select(steps).order_by(steps.c.at, steps.c.endpoint)).mappings().all()
        texts = {0: ""} | dict(connection.execute(select(EVENT_TEXTS.c.number, EVENT_TEXTS.c.text)).all())
    found: dict[tuple[int, int], tuple[int, str, str, str]] = {}
    for row in rows:
        key = row["endpoint"], row["patch"]
        state, install = states_of(row["said"])
        reason = texts[row["text"]]
        before = found.get(key, (0,))[0]
        done = said_done(state, install, reason, row["at"])
        found[key] = done_since(before, done, row["said"]), state, install, reason
    return found


def holds(history: History) -> FleetHolds:
    return FleetHolds(history.database, history.exceptions, {}, partial(known_pcs, history.database))


def test_service_levels_are_what_the_steps_of_all_pcs_say(history: History) -> None:
    database, words = history.database, replayed(history.database)
    tills = {row.number for row in database.ring_pcs() if "till" in row.tags}
    allowed = {row.number for row in database.ring_pcs()} - history.denied
    patches = [
        JudgedPatch(head.number, head.ref, "", "high", None, float(BEGIN + 3_333 * head.number))
        for head in database.patch_heads()
    ]
    under = [(rule, one, limits) for one in patches for rule in RULES if (limits := deadline_of(rule, one))]
    counts = read_counts(database, under, holds(history), sorted(history.unseen - history.denied))
    verdicts = set()
    for rule, patch, limits in under:
        late_from = hour_of_deadline(limits[1])
        said = {pc: words[pc, patch.number] for pc in allowed if (pc, patch.number) in words}
        done = {pc: since for pc, (since, *_) in said.items() if since > 0}
        not_for_it = {pc for pc, (since, _, install, _) in said.items() if install == "not_applicable" and since <= 0}
        lacking = said.keys() - done.keys() - not_for_it
        held = (
            tills if any(one.patch in ("", patch.ref.patch_id, str(patch.ref)) for one in history.exceptions) else set()
        )
        level = service_level(rule, patch, limits, counts[patch.number, late_from], history.now)
        in_time = sum(hour_of(since) < late_from for since in done.values())
        assert (level.in_time, level.late, level.missing) == (in_time, len(done) - in_time, len(lacking))
        assert (level.applicable, level.unknown) == (len(done) + len(lacking), len(allowed) - len(said))
        assert level.excepted == len(lacking & held)
        assert level.silent == len((lacking - held) & history.unseen)
        running = history.now < limits[1]
        assert level.verdict is verdict(in_time, level.applicable, level.unknown, rule.share_percent, running=running)
        verdicts.add(level.verdict)
    assert verdicts <= set(LevelVerdict)


def test_a_search_at_a_site_goes_on_from_wherever_a_page_has_ended(history: History) -> None:
    database, heads = history.database, history.database.patch_heads()
    numbers = [head.number for head in heads]
    look = MissingLook("hq", True, history.now, heads, holds(history), Owners({}, {}), 7.0 * DAY)
    rows = [(row.patch.number, row.pc.endpoint, row.pc.site) for row in look.rows(database)]
    for name, few, size in itertools.product({site for *_, site in rows}, (0, 1_000), (1, 8, 100)):
        here = replace(look, site=database.site_number(name), few_pcs=few)
        there = [row[:2] for row in rows if row[2] == name]
        for at in range(-1, len(there), 9):
            patch, begin = there[at] if at >= 0 else (numbers[0], 0)
            rest = heads[numbers.index(patch) :]
            found = list(here.stretches(database, rest, begin, size, here.few(database)))
            assert [(one.patch.number, pc.endpoint) for one in found for pc in one.pcs] == there[at + 1 :]
            asked = [one.asked for one in found]
            assert asked == sorted(asked)
            assert asked[-1] <= (len(found) if few == 0 else len(rest))


def test_each_pc_that_lacks_a_patch_has_one_reason_and_nobody_else_has_any(history: History) -> None:
    database, words = history.database, replayed(history.database)
    heads = database.patch_heads()
    look = MissingLook(
        "hq", True, history.now, heads, holds(history), Owners({}, {}), 7.0 * DAY, page_rows=5
    )  # fmt: skip
    rows = list(look.rows(database))
    for name in {row.pc.site for row in rows}:
        there = [row for row in rows if row.pc.site == name]
        for few in (0, 1_000):  # one patch after the other, or all PCs of the site with all patches
            assert list(replace(look, site=database.site_number(name), few_pcs=few).rows(database)) == there
    everyone = {row.number for row in database.ring_pcs()}
    expected = {
        (head.number, pc)
        for head in heads
        for pc in everyone
        if (word := words.get((pc, head.number))) is None or word[0] == 0
    }
    found = [(row.patch.number, row.pc.endpoint) for row in rows]
    assert len(found) == len(set(found))
    assert set(found) == expected
    reasons = Counter(row.reason for row in rows)
    assert sum(reasons.values()) == len(expected)
    for row in rows:
        denied = row.pc.endpoint in history.denied
        assert (row.reason in (MissingReason.DENIED, MissingReason.PENDING)) is denied
        assert row.reason is not MissingReason.UNKNOWN or row.pc.state == "verified"
    numbers = [patch.number for patch in heads]
    said, done = database.said_counts(numbers), database.done_counts([(number, 1) for number in numbers])
    fleet = database.endpoint_counts().allowed
    for number in numbers:
        lacking = said[number].all - said[number].not_for_it - done[number, 1].all
        here = sum(row.patch.number == number and row.pc.endpoint not in history.denied for row in rows)
        assert here == lacking + (fleet - said[number].all)
