"""`seed_server.store.done_tallies`: counts of PCs that are done, as the rows say after any history; follow-ups end."""

from collections import Counter
from random import Random
from typing import get_args

import pytest
from sqlalchemy import select

from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.store.database import Database
from seed_server.store.done_times import done_since, hour_of, said_done
from seed_server.store.report_rows import FollowUpRow
from seed_server.store.rows import SeenRow
from seed_server.store.tables import ENDPOINTS, REPORTED_SINCE, STANDING, said_code
from seed_server.store.tables_reporting import DONE_TALLIES, FOLLOW_UPS
from tests.helpers.varied_fleet import varied_fleet

PCS, PATCHES = 6, 3
REASONS = ("", "replaced: 2 is installed", "withdrawn: crashes")


def new_fleet(database: Database) -> list[str]:
    ids = [f"{number:026}" for number in range(PCS)]
    for patch in varied_fleet().patches[:PATCHES]:
        database.add_patch(patch)
    for number, endpoint_id in enumerate(ids):
        database.add_endpoint(endpoint_id, f"pc-{number}", 1.0)
    return ids


def report(patch: int, state: PatchState, install: InstallState, reason: str = "") -> PatchReport:
    return PatchReport(
        patch_id=f"p-{patch}", version="1", state=state, progress=0.5, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=0, seconds=1.0, error="", install=install, install_reason=reason,
    )  # fmt: skip


def counted(database: Database) -> Counter[tuple[int, int]]:
    """Count the rows themselves, as the tallies ought to."""
    said = STANDING.c
    query = select(said.patch, said.done_at).join_from(STANDING, ENDPOINTS).where(~ENDPOINTS.c.denied, said.done_at > 0)
    with database.reading() as connection:
        return Counter((patch, hour_of(at)) for patch, at in connection.execute(query))


def kept(database: Database) -> dict[tuple[int, int], int]:
    with database.reading() as connection:
        query = select(DONE_TALLIES.c.patch, DONE_TALLIES.c.hour, DONE_TALLIES.c.endpoints)
        return {(patch, hour): number for patch, hour, number in connection.execute(query)}


@pytest.mark.parametrize("seed", range(3))
def test_tallies_and_rows_agree_with_all_that_was_said(database: Database, seed: int) -> None:
    random = Random(seed)
    ids, denied = new_fleet(database), set[str]()
    since: dict[tuple[str, int], int] = {}
    now = 0
    for step in range(40):
        now = REPORTED_SINCE + 1_000 * step
        said = {}
        for endpoint_id in random.sample(ids, random.randrange(1, PCS)):
            patch = random.randrange(PATCHES)
            state = random.choice((*get_args(PatchState), "verified", "verified"))
            install = random.choice((*get_args(InstallState), "installed", "", ""))
            reason = random.choice(REASONS)
            said[endpoint_id] = [report(patch, state, install, reason)]
            at = said_done(state, install, reason, now - REPORTED_SINCE)
            key = endpoint_id, patch
            since[key] = done_since(since.get(key, 0), at, said_code(state, install))
        database.save_reports(said, now)
        if step % 5 == 0:
            one = random.choice(ids)
            denied ^= {one}
            database.set_denied(one, one in denied)
        if step == 30:
            database.save_seen({ids[0]: SeenRow("oslo", "192.0.2.1", "test", connected=True, last_seen_at=now)})
        assert kept(database) == dict(counted(database))
    with database.reading() as connection:
        rows = select(ENDPOINTS.c.endpoint_id, STANDING.c.patch, STANDING.c.done_at).join_from(STANDING, ENDPOINTS)
        numbers = {head.number: int(head.patch_id[2:]) for head in database.patch_heads()}
        found = {(pc, numbers[patch]): at for pc, patch, at in connection.execute(rows)}
    assert found == since
    database.forget_endpoint(ids[1], now)
    assert kept(database) == dict(counted(database))


def follow_ups(database: Database) -> list[tuple[int, int]]:
    with database.reading() as connection:
        return sorted(
            (pc, patch) for pc, patch in connection.execute(select(FOLLOW_UPS.c.endpoint, FOLLOW_UPS.c.patch))
        )


def test_a_follow_up_ends_when_the_pc_has_the_patch_and_not_before(database: Database) -> None:
    ids = new_fleet(database)
    numbers = [head.number for head in database.patch_heads()]
    with database.reading() as connection:
        pcs = dict(connection.execute(select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number)).all())
    rows = [FollowUpRow(5.0, pcs[pc], patch, "told", "", "local:ada") for pc in ids[:2] for patch in numbers[:2]]
    database.save_follow_ups(rows)
    database.save_reports({ids[0]: [report(0, "verified", "failed", "exit code 3")]}, REPORTED_SINCE + 10)
    assert len(follow_ups(database)) == 4
    database.save_reports(
        {ids[0]: [report(0, "verified", "installed"), report(1, "waiting", "not_applicable")]}, 1e9 + 9e8
    )
    assert follow_ups(database) == sorted((pcs[ids[1]], patch) for patch in numbers[:2])
    assert database.drop_follow_ups(pcs[ids[1]], numbers[:1]) == 1
    database.forget_endpoint(ids[1])
    assert follow_ups(database) == []
