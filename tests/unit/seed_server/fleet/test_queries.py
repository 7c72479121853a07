"""`seed_server.fleet.queries`: what is known of the fleet, joined."""

from pathlib import Path

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.queries import FleetStatus, install_counts, read_status
from seed_server.fleet.sites import site_statuses
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.rows import ReportRow, ServedPayload, SiteLimitRow
from seed_server.store.serve_lock import serve_lock

LIMIT = SiteLimitRow(
    site="oslo", at=1.0, active=True, endpoints=8, fetchers=1, rate=2_400_000, capacity=2_500_000, configured=True,
    state="scavenge", reason="", seconds={}, yield_seconds=12.0, sending_seconds=91.5,
)  # fmt: skip
PAYLOAD = ServedPayload(
    patch_id="office", version="1", title="", severity="low", cvss=None, file_name="a.bin", sha256="a" * 64,
    length_bytes=1_000_000, torrent_hash="b" * 64, piece_length_bytes=1 << 18, piece_count=4, sequence=1,
    published_at=0.0,
)  # fmt: skip
REPORT = ReportRow(
    endpoint_id="a" * 26, patch_id="office", version="1", state="verified", progress=1.0, bytes_from_origin=0,
    bytes_from_peers=0, bytes_wasted=0, seconds=1.0, error="", reported_at=1.0, install="waiting",
)  # fmt: skip


def test_sites_that_are_sent_to_come_first() -> None:
    quiet = msgspec.structs.replace(LIMIT, site="bergen", active=False)
    oslo, bergen = site_statuses([quiet, LIMIT], {"oslo": (1_010_000, 1_000_000), "paris": (1, 1)})
    assert (oslo.limit.site, oslo.wan_bytes, oslo.file_bytes, oslo.origin_ratio) == ("oslo", 1_010_000, 1_000_000, 1.01)
    assert (bergen.limit.site, bergen.origin_ratio) == ("bergen", None)


def test_a_patch_knows_its_payloads_reports_and_damage() -> None:
    second = msgspec.structs.replace(PAYLOAD, number=1, torrent_hash="d" * 64, damaged="piece 0 gone")
    other = msgspec.structs.replace(PAYLOAD, version="2", torrent_hash="e" * 64)
    status = FleetStatus("hq", True, [PAYLOAD, other], [], [REPORT], {}, [PAYLOAD, second, other])
    assert (status.payloads_of(PAYLOAD), status.payloads_of(other)) == ([PAYLOAD, second], [other])
    assert (status.damage_of(PAYLOAD), status.damage_of(other)) == ("piece 0 gone", "")
    assert (status.verified_on(PAYLOAD), status.verified_on(other)) == (1, 0)
    assert install_counts(status.of_patch(PAYLOAD))["waiting"] == 1
    assert sum(install_counts(status.of_patch(other)).values()) == 0


def test_a_server_serves_while_its_lock_is_held(tmp_path: Path) -> None:
    context = Context(ServerHome(tmp_path / "home"))
    with pytest.raises(UserError) as caught:
        read_status(context)
    assert caught.value.kind is FaultKind.NOT_SET_UP
    initialise(context.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=0.0)
    assert (read_status(context).server_name, read_status(context).serving) == ("hq", False)
    with serve_lock(context.home, timeout_seconds=0.0).held():
        assert read_status(context).serving
    assert not read_status(context).serving


def test_a_repository_that_cannot_be_read_leaves_the_rest_to_be_seen(tmp_path: Path) -> None:
    context = Context(ServerHome(tmp_path / "home"))
    initialise(context.home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=0.0)
    with context.database() as database:
        database.add_patch(PAYLOAD)
    assert read_status(context).unannounced == {PAYLOAD.ref}
    (context.home.tuf_metadata / "timestamp.json").write_bytes(b"{}")
    status = read_status(context)
    assert (status.patches, status.unannounced) == ([PAYLOAD], frozenset())
    assert "timestamp is damaged" in status.repository_problem
