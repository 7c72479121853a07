"""What is seen of a site, in a real database."""

import sqlite3

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.messages import PatchReport
from seed_server.answers.site_findings import judge_site
from seed_server.fleet.context import Context
from seed_server.fleet.site_looks import look_at_site
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow
from seed_server.store.serve_lock import serve_lock
from seed_server.store.site_health import Affected
from tests.helpers.fake_clock import FakeClock
from tests.unit.seed_server.doctor.conftest import MADE_AT, home, made_home
from tests.unit.seed_server.doctor.test_looks_state import PAYLOAD

__all__ = ["home", "made_home"]

CLOCK = "This PC's clock cannot be believed: it differs from the server's."


def filled(home: ServerHome) -> None:
    with Database.open(home.database) as database:
        database.add_patch(PAYLOAD)
        for number in range(5):
            pc = str(number + 2) * 26
            database.add_endpoint(pc, f"pc-{number}", MADE_AT)
            database.save_seen({pc: SeenRow("leeds", "10.0.0.1", "p2pdist 0.2.0", True, MADE_AT)})
        report = PatchReport(
            patch_id="office", version="1", state="verified", progress=1.0, bytes_from_origin=0, bytes_from_peers=0,
            seconds=1.0, bytes_wasted=0, error="", install="waiting", install_reason=CLOCK,
        )  # fmt: skip
        database.save_reports({"2" * 26: [report]}, MADE_AT)
        database.save_findings({"3" * 26: ["cut_off"], "4" * 26: ["cut_off"]})


def test_a_sites_pcs_and_what_they_wait_for(home: ServerHome) -> None:
    filled(home)
    with serve_lock(home, timeout_seconds=1.0).held():
        facts = look_at_site(Context(home, FakeClock(MADE_AT)), "leeds")
    assert facts.serving
    assert (facts.health.allowed, facts.health.connected) == (5, 5)
    assert facts.clock == Affected(1, ("pc-0",))
    assert facts.full.count == 0
    wrong = {one.code: one.observed for one in judge_site(facts) if one.verdict == "wrong"}
    assert list(wrong) == ["site-clock", "site-isolation", "site-release"]
    assert "2 of 5 PCs (pc-1, pc-2)" in wrong["site-isolation"]
    assert "p2pdist 0.2.0 (5)" in wrong["site-release"]


def test_a_site_that_is_not_known_is_refused_with_the_nearest(home: ServerHome) -> None:
    filled(home)
    with pytest.raises(UserError, match="leeds") as refused:
        look_at_site(Context(home, FakeClock(MADE_AT)), "leds")
    assert refused.value.kind is FaultKind.BAD_INPUT


def test_a_database_of_an_earlier_release_is_not_changed(home: ServerHome) -> None:
    with sqlite3.connect(home.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    before = home.database.read_bytes()
    with pytest.raises(UserError, match="earlier release"):
        look_at_site(Context(home, FakeClock(MADE_AT)), "leeds")
    assert home.database.read_bytes() == before
