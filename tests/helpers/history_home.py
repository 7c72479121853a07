"""A server's home with years of history: two PCs, two patches, some steps each month."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.rows import SeenRow, ServedPayload
from tests.helpers.fake_clock import FakeClock

PCS = {"aaaaaaaaaaaaaaaaaaaaaaaaaa": "pc-a", "bbbbbbbbbbbbbbbbbbbbbbbbbb": "=pc-b"}
SITES = ("tokyo", "osaka")
PATCHES = ("office", "viewer")


def moment(year: int, month: int, day: int = 2, second: int = 0) -> float:
    """Return a moment in seconds since 1970."""
    return datetime(year, month, day, tzinfo=UTC).timestamp() + second


def new_home(directory: Path) -> Path:
    """Initialise a home in which nothing has happened yet; tests copy it."""
    home = ServerHome(directory / "home")
    settings = ServerSettings(name="hq", address="127.0.42.1")
    initialise(home, settings, passphrase=None, now=moment(2026, 10))
    with Database.open(home.database) as database:
        for sequence, name in enumerate(PATCHES, 1):
            database.add_patch(
                ServedPayload(
                    patch_id=name, version="1", title="", severity="high", cvss=None, file_name="file",
                    sha256="cd" * 32, length_bytes=1, torrent_hash=f"{sequence}" * 64, piece_length_bytes=262_144,
                    piece_count=1, sequence=sequence, published_at=5.0,
                )
            )  # fmt: skip
        for endpoint_id, hostname in PCS.items():
            database.add_endpoint(endpoint_id, hostname, moment(2026, 1))
        database.save_seen({
            endpoint_id: SeenRow(site, "127.0.42.1", "test", connected=False, last_seen_at=moment(2026, 1))
            for endpoint_id, site in zip(PCS, SITES, strict=True)
        })  # fmt: skip
    return home.root


def copied(home: Path, directory: Path, now: float) -> Context:
    """Return a copy of a home, at a time."""
    return Context(ServerHome(Path(shutil.copytree(home, directory / "copy"))), FakeClock(now))


def let_happen(database: Database, now: float, *, steps: int = 4) -> None:
    """Let each PC take some steps with each patch, a second after the other."""
    states = [("fetching", "", ""), ("verified", "failed", "exit code 1603")]
    for step in range(steps):
        state, install, reason = states[step % 2]
        reports = [
            PatchReport(
                patch_id=name, version="1", state=cast("PatchState", state), progress=0.5, bytes_from_origin=0,
                bytes_from_peers=0, bytes_wasted=0, seconds=1.0, error="",
                install=cast("InstallState", install), install_reason=reason,
            )
            for name in PATCHES
        ]  # fmt: skip
        database.save_reports(dict.fromkeys(PCS, reports), now + step)
