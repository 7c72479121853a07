"""A real fleet whose state is in PostgreSQL, which goes away for a while."""

import json
import os
from pathlib import Path

import pytest

from bench.fleet import is_verified, open_fleet
from bench.fleet_processes import FleetError, run_command
from tests.helpers.postgresql import running_server, why_not

pytestmark = pytest.mark.processes

WITHIN_SECONDS = 60.0  # each step takes seconds; a machine may be busy


@pytest.mark.slow
async def test_the_server_goes_on_when_its_database_server_is_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := why_not():
        pytest.skip(reason)
    for name in ("first", "second"):
        (tmp_path / name).write_bytes(os.urandom(300_000))
    with running_server() as postgres:
        monkeypatch.setenv("SEED_SERVER_DATABASE_URL", postgres.new_database())
        async with open_fleet(tmp_path, network="127.0.42", endpoints=1) as fleet:
            await fleet.init_server()
            await fleet.start_server()
            (member,) = fleet.endpoints.values()
            await fleet.start_endpoint(1)
            await fleet.publish(tmp_path / "first", "first")
            await fleet.wait_until(lambda: is_verified(member, "first"), WITHIN_SECONDS, "the first patch")

            postgres.stop()
            with pytest.raises(FleetError, match="Cannot reach the database"):
                await fleet.publish(tmp_path / "second", "second")
            postgres.start()

            await fleet.publish(tmp_path / "second", "second")
            await fleet.wait_until(lambda: is_verified(member, "second"), WITHIN_SECONDS, "the second patch")
            assert not fleet.server.has_died
            said = json.loads(await run_command("seed-server", "status", "--home", fleet.server.home, "--json"))
            assert [patch["id"] for patch in said["patches"]] == ["first", "second"]
            assert not (fleet.server.home / "state.db").exists()
