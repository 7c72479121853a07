"""`seed_server.service.upkeep`: what is put in order at a start, and what the operator is warned of."""

from pathlib import Path
from typing import Any, cast

import pytest
import structlog.testing
import trio
import trio.testing
from cryptography import x509

from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import ServerAddress
from seed_server.enrolment.certificate_authority import CertificateAuthority, ServerCertificate
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.moving import change_addresses
from seed_server.initialising import initialise
from seed_server.service.upkeep import (
    ADDRESSES_SECONDS,
    CERTIFICATE_SECONDS,
    UNINFORMED_SECONDS,
    UPKEEP_SECONDS,
    Upkeep,
)
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.repository import Repository
from seed_server.signing.servers import AddressChange
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
    home, clock = ServerHome(tmp_path / "home"), FakeClock()
    initialise(home, SETTINGS, passphrase=None, now=0.0)
    used: list[ServerCertificate] = []

    def use(certificate: ServerCertificate) -> None:
        if not used and trio.current_time() < began + CERTIFICATE_SECONDS + 1.0:
            raise UserError("No memory.", FaultKind.STORAGE)
        used.append(certificate)

    began = trio.current_time()
    upkeep = Upkeep(home, SETTINGS, CertificateAuthority.open(home.ca), Repository.open(home, SETTINGS), clock)
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


async def test_the_certificate_names_every_address_as_soon_as_it_is_signed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    home, clock = ServerHome(tmp_path / "home"), FakeClock(1_800_000_000.0)
    initialise(home, SETTINGS, passphrase=None, now=clock.now())
    context, used = Context(home, clock), list[ServerCertificate]()
    authority = CertificateAuthority.open(home.ca)
    upkeep = Upkeep(home, SETTINGS, authority, Repository.open(home, SETTINGS), clock)
    assert names(upkeep.new_certificate()) == ["127.0.45.3"]
    keys, ada = OfflineKeys(home.offline_keys), Actor.local_user("ada")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(upkeep.follow_addresses, used.append)
        await trio.sleep(10 * ADDRESSES_SECONDS)
        assert used == []
        new = ServerAddress("patches.example.com", 8443, 7690)
        change_addresses(context, ada, AddressChange(add=new), keys)
        await trio.sleep(3 * ADDRESSES_SECONDS)
        assert [names(one) for one in used] == [["127.0.45.3", "patches.example.com"]]
        nursery.cancel_scope.cancel()


def names(certificate: ServerCertificate) -> list[str]:
    found = parse_certificate(certificate.certificate_pem).extensions
    said = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return [*map(str, said.get_values_for_type(x509.IPAddress)), *said.get_values_for_type(x509.DNSName)]


async def test_pcs_that_know_only_a_former_address_are_warned_of(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    home, clock = ServerHome(tmp_path / "home"), FakeClock(1_800_000_000.0)
    initialise(home, SETTINGS, passphrase=None, now=clock.now())
    context, keys = Context(home, clock), OfflineKeys(home.offline_keys)
    nothing: Any = None
    upkeep = Upkeep(home, SETTINGS, nothing, Repository.open(home, SETTINGS), clock)
    with context.database() as database, structlog.testing.capture_logs() as logs:
        database.add_endpoint("a" * 26, "pc-1", 1.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upkeep.warn_of_uninformed, context, database)
            await trio.sleep(3 * UNINFORMED_SECONDS)
            assert [one for one in logs if "former address" in one["event"]] == [], "it has not moved"
            new = ServerAddress("patches.example.com", 8443, 7690)
            change_addresses(context, Actor.local_user("ada"), AddressChange(add=new), keys)
            await trio.sleep(2 * UNINFORMED_SECONDS)
            nursery.cancel_scope.cancel()
    first = next(one for one in logs if "former address" in one["event"])
    assert (first["pcs"], first["of"], first["names"]) == (1, 1, "pc-1")
