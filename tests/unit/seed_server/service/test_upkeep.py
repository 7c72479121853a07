"""`seed_server.service.upkeep`: what is put in order at a start, and what the operator is warned of."""

from pathlib import Path
from typing import Any, cast

import pytest
import structlog.testing
import trio
import trio.testing

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.certificate_authority import CertificateAuthority, ServerCertificate
from seed_server.initialising import initialise
from seed_server.service.upkeep import CERTIFICATE_SECONDS, UPKEEP_SECONDS, Upkeep
from seed_server.settings import ServerHome, ServerSettings
from seed_server.signing.repository import Repository
from tests.helpers.fake_clock import FakeClock

SETTINGS = ServerSettings(name="hq", address="127.0.45.3")


async def looked_through(home: ServerHome) -> list[Any]:
    nothing, repository = cast("Any", None), Repository.open(home, SETTINGS)
    with structlog.testing.capture_logs() as logs:
        await Upkeep(home, SETTINGS, nothing, repository, nothing).clear_up()
    return logs


async def test_offline_keys_that_lie_here_unencrypted_are_warned_of(tmp_path: Path) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    (warning,) = await looked_through(home)
    assert warning["log_level"] == "warning"
    assert "offline keys lie here, not encrypted" in warning["event"]
    assert warning["keys"] == ["patches", "profiles", "root"]
    (home.offline_keys / "root.pem").chmod(0o644)
    (warning,) = await looked_through(home)
    assert "chmod 600" in warning["reason"]
    home.offline_keys.rename(tmp_path / "safe")
    assert await looked_through(home) == []


async def test_encrypted_offline_keys_are_not_warned_of(tmp_path: Path) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, SETTINGS, passphrase=b"correct horse battery", now=0.0)
    assert await looked_through(home) == []


@pytest.mark.parametrize("folder", ["tuf/metadata", "tuf/targets/patches", "tuf"])
async def test_what_killed_writers_left_is_removed_at_the_start(tmp_path: Path, folder: str) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, SETTINGS, passphrase=b"correct horse battery", now=0.0)
    (home.root / folder).mkdir(exist_ok=True)
    (home.tuf_targets / "patches").mkdir(exist_ok=True)
    for left in (
        home.root / folder / ".timestamp.json.0123456789ab.tmp",
        home.tuf_targets / "patches" / f"{'a' * 64}.x",
    ):
        left.write_bytes(b"x")
    before = {path for path in (home.root / "tuf").rglob("*") if path.is_file()}
    (info,) = await looked_through(home)
    assert info["files"] == 2
    after = {path for path in (home.root / "tuf").rglob("*") if path.is_file()}
    assert len(before - after) == 2
    assert Repository.open(home, SETTINGS).current_rollouts().entries == []


async def test_a_new_certificate_is_used_long_before_the_old_one_expires(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    home, nothing, clock = ServerHome(tmp_path / "home"), cast("Any", None), FakeClock()
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    used: list[ServerCertificate] = []

    def use(certificate: ServerCertificate) -> None:
        if not used and trio.current_time() < began + CERTIFICATE_SECONDS + 1.0:
            raise UserError("No memory.", FaultKind.STORAGE)
        used.append(certificate)

    began = trio.current_time()
    upkeep = Upkeep(home, SETTINGS, CertificateAuthority.open(home.ca), nothing, clock)
    with trio.move_on_after(CERTIFICATE_SECONDS + UPKEEP_SECONDS + 1.0):
        await upkeep.keep_certificate(use)
    (certificate,) = used
    assert certificate.expires_at > clock.now() + 2 * CERTIFICATE_SECONDS


async def test_what_goes_wrong_while_it_signs_ends_nothing_else(mock_clock: trio.testing.MockClock) -> None:
    """The web port and the rollouts live in the same part: a document that no code expects must not end them."""
    mock_clock.autojump_threshold = 0.05  # it signs in a thread, which the clock is not to overtake
    asked: list[float] = []

    class Broken:
        def refresh_timestamp(self, now: float) -> bool:
            asked.append(now)
            raise ValueError("a document that no code expects")

    nothing = cast("Any", None)
    upkeep = Upkeep(nothing, SETTINGS, nothing, cast("Any", Broken()), FakeClock())
    with structlog.testing.capture_logs() as logs, trio.move_on_after(2 * UPKEEP_SECONDS):
        await upkeep.keep_fresh()
    assert len(asked) >= 2
    assert {entry["event"] for entry in logs} == {"metadata cannot be signed"}
