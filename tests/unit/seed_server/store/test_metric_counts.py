"""Counts for a monitoring system, on both databases."""

from p2pdist.shared.wire.messages import PatchReport, PatchState
from seed_server.store.database import Database
from seed_server.store.metric_counts import SitePcs
from seed_server.store.rollout_records import RolloutRow
from seed_server.store.rows import SeenRow, ServedPayload

NOW = 1_900_000_000.0
DAY = 86_400.0
PATCH = ServedPayload(
    patch_id="office", version="1", title="", severity="high", cvss=None, file_name="f", sha256="ab" * 32,
    length_bytes=1_000, torrent_hash="0" * 64, piece_length_bytes=262_144, piece_count=1, sequence=1, published_at=1.0,
)  # fmt: skip


def seen(site: str, *, connected: bool, at: float) -> SeenRow:
    return SeenRow(site, "10.0.0.1", "p2pdist/1", connected, at)


def test_each_pc_is_in_one_state(database: Database) -> None:
    for name in "abcdefg":
        database.add_endpoint(name, name, NOW, [])
    database.save_seen(
        {
            "a": seen("oslo", connected=True, at=NOW - 9 * DAY),  # connected, whatever the clock says
            "b": seen("oslo", connected=False, at=NOW - DAY),
            "c": seen("oslo", connected=False, at=NOW - 9 * DAY),
            "d": seen("bergen", connected=False, at=NOW),
            "e": seen("bergen", connected=True, at=NOW),
        }
    )
    database.set_denied("d", True)
    database.set_denied("f", True, pending=True)
    assert database.pc_states(NOW - 3 * DAY) == {
        "connected": 2, "away": 1, "silent": 1, "never_seen": 1, "denied": 1, "pending": 1,
    }  # fmt: skip
    assert sum(database.pc_states(NOW).values()) == database.endpoint_counts().everyone == 7
    pcs = database.site_pcs()
    assert (pcs["oslo"], pcs["bergen"]) == (SitePcs(3, 1), SitePcs(1, 1))


def test_nothing_is_counted_where_nothing_is(database: Database) -> None:
    assert set(database.pc_states(NOW).values()) == {0}
    assert (database.site_pcs(), database.sent_bytes(), database.rollout_states()) == ({}, {}, {})
    assert database.steps_since(NOW) == 0
    assert database.steps_since(0.0) == 0


def test_what_went_to_a_site_is_one_sum(database: Database) -> None:
    database.add_wan_bytes({("oslo", "a"): 1 << 40, ("oslo", "b"): 1, ("bergen", "a"): 5})
    assert database.sent_bytes() == {"oslo": (1 << 40) + 1, "bergen": 5}


def test_rollouts_are_counted_by_state(database: Database) -> None:
    for state in ("running", "running", "halted"):
        database.add_rollout(
            RolloutRow(
                number=0, patch=1, patch_id="office", version="1", template="rings", author="ada", note="",
                state=state, required=1, sequence=1, created_at=NOW, changed_at=NOW, plan=b"", progress=b"",
            )
        )  # fmt: skip
    assert database.rollout_states() == {"running": 2, "halted": 1}


def test_steps_are_counted_since_a_moment(database: Database) -> None:
    database.add_endpoint("a", "a", NOW, [])
    database.add_patch(PATCH)
    steps: tuple[tuple[float, PatchState], ...] = ((NOW - 400, "fetching"), (NOW - 200, "verified"))
    for at, state in steps:
        report = PatchReport(
            patch_id="office", version="1", state=state, progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
            seconds=1.0, bytes_wasted=0, error="",
        )  # fmt: skip
        database.save_reports({"a": [report]}, at)
    assert [database.steps_since(NOW - seconds) for seconds in (500, 300, 100)] == [2, 1, 0]
