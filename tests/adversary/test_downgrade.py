"""A stolen server goes back to an old patch: real publications, the real trust store, the real installer.

The attacker has the server with its online keys, and everything that the offline `patches` key ever signed.
"""

import hashlib
import io
import shutil
import tarfile
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from p2pdist.install.installer import Installer
from p2pdist.install.loop import DETECT_AGAIN_SECONDS, DaemonHooks, Installs
from p2pdist.install.plan import Candidate, PlanRow
from p2pdist.install.requests import InstallRequests
from p2pdist.install.service import skipped_candidate
from p2pdist.local_api.messages import PatchOrder
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, RolloutEntry, Rollouts, encode_rollouts
from p2pdist.shared.manifest.recipe import ArchiveInstall, FileCheck, HealthCheck, ScriptInstall
from p2pdist.trust.http_answers import HttpAnswer
from p2pdist.trust.store import TrustStore
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import publish
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys, key_path, load_signing_key
from seed_server.signing.repository import Repository
from tests.helpers.fake_clock import FakeClock

SETTINGS = ServerSettings(name="hq", address="127.0.65.1")
URL = "https://127.0.65.1:8443"


class Server:
    """A seed server's home, served from its files: to the PC, and to whoever has stolen it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock(1_900_000_000.0)
        self.files: dict[str, bytes] = {}
        """Every payload that was ever published, by its SHA-256."""
        directory.mkdir()
        self.home = ServerHome(directory / "home")
        initialise(self.home, SETTINGS, passphrase=None, now=self.clock.wall)

    @property
    def repository(self) -> Repository:
        return Repository.open(self.home, SETTINGS)

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        path = self.home.root / url.removeprefix(f"{URL}/")
        return HttpAnswer(200, path.read_bytes()) if path.is_file() else HttpAnswer(404, b"")

    def publish(self, version: str, data: bytes, patch_id: str = "acme", **recipe: Any) -> None:
        (file := self.directory / "acme").write_bytes(data)
        self.files[hashlib.sha256(data).hexdigest()] = data
        publication = Publication(
            Recipe(patch_id=patch_id, version=version, payload=(PayloadFile(file.as_posix()),), **recipe)
        )
        publish(self.home, publication, OfflineKeys(self.home.offline_keys, None), clock=self.clock)

    def roll_out(self, *refs: str) -> None:
        """Sign rollouts as whoever has the online keys can."""
        named = [PatchRef.parse(ref) for ref in refs]
        entries = [
            RolloutEntry(patch_id=ref.patch_id, version=ref.version, sequence=n) for n, ref in enumerate(named, 1)
        ]
        key = load_signing_key(key_path(self.home.online_keys, "rollouts"), None)
        data = encode_rollouts(Rollouts(format=1, entries=entries))
        self.repository.change_document("rollouts", ROLLOUTS_TARGET, data, key=key, now=self.clock.wall)


class Pc:
    """A PC's trust store and installer, without the transfer between them: the files are here."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.server = server
        self.root = directory / "root"
        self.root.mkdir(parents=True)
        self.home = EndpointHome(directory / "home")
        self.candidates: list[Candidate] = []
        self.start()

    def start(self) -> None:
        """Start anew, as after a restart."""

        async def damaged(_torrent: str) -> None:
            raise AssertionError

        self.store = TrustStore(
            self.directory / "trust",
            base_url=URL,
            root=self.server.repository.trusted_root().encode(),
            http=self.server,
        )
        self.installs = Installs(
            self.home,
            Installer(self.root, self.directory / "scratch", scripts_on_host=True),
            lambda: self.candidates,
            DaemonHooks(lambda: None, damaged, lambda: None),
            self.server.clock,
            may_restart=False,
            zone=lambda _now: UTC,
        )

    async def refresh_and_install(self) -> None:
        catalogue = await self.store.refresh(self.server.clock.wall)
        here = [
            Candidate(patch.manifest, patch.entry.sequence, patch.payload, self.file(patch.payload.sha256))
            for patch in catalogue.patches
        ]
        self.candidates = here + [skipped_candidate(skipped, {}) for skipped in catalogue.not_applicable]
        await self.installs.load()
        for _ in range(10):
            if await self.installs.step() > 0:
                return
        raise AssertionError("it does not come to rest")

    def file(self, sha256: str) -> str:
        path = self.directory / sha256
        path.write_bytes(self.server.files[sha256])
        return str(path)

    def current(self) -> str:
        return str((self.root / "opt/acme/current").readlink())

    def row(self, version: str) -> PlanRow:
        return next(row for row in self.installs.plan() if row.candidate.ref == PatchRef("acme", version))


def tree(version: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("VERSION")
        member.size = len(version)
        archive.addfile(member, io.BytesIO(version.encode()))
    return packed.getvalue()


ARCHIVE: dict[str, Any] = {"install": ArchiveInstall(directory="/opt/acme")}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "server")


@pytest.fixture
def pc(tmp_path: Path, server: Server) -> Pc:
    return Pc(tmp_path / "pc", server)


async def at_2_1(server: Server, pc: Pc) -> None:
    """Bring the PC to 2.0 and on to 2.1, as an honest server does."""
    for version in ("2.0", "2.1"):
        server.publish(version, tree(version), **ARCHIVE)
        await pc.refresh_and_install()
        assert pc.current() == f"versions/{version}"


async def test_the_rollouts_key_cannot_go_back_to_an_old_archive(server: Server, pc: Pc) -> None:
    await at_2_1(server, pc)
    server.roll_out("acme@2.0")
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"
    row = pc.row("2.0")
    assert row.state == "not_applicable"
    assert row.reason == (
        "refused: a newer one is signed, and this one may not be installed any more "
        "(it is publication 1, the lowest allowed is 2)"
    )


async def test_it_cannot_go_back_either_beside_the_new_one(server: Server, pc: Pc) -> None:
    await at_2_1(server, pc)
    server.roll_out("acme@2.1", "acme@2.0")
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"


async def test_nor_where_the_journal_is_lost(server: Server, pc: Pc) -> None:
    await at_2_1(server, pc)
    pc.home.installs.unlink()
    pc.start()
    server.roll_out("acme@2.0")
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"


async def test_nor_where_the_trust_floor_is_lost_and_all_metadata_is_of_the_old_day(
    tmp_path: Path, server: Server, pc: Pc
) -> None:
    server.publish("2.0", tree("2.0"), **ARCHIVE)
    shutil.copytree(server.home.root / "tuf", tmp_path / "old")
    server.publish("2.1", tree("2.1"), **ARCHIVE)
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"
    shutil.rmtree(server.home.root / "tuf")
    shutil.copytree(tmp_path / "old", server.home.root / "tuf")
    shutil.rmtree(pc.directory / "trust")
    pc.start()
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"
    assert pc.row("2.0").older == (
        "this PC has had a newer one, or one that supersedes it (it is publication 1, the lowest allowed is 2)"
    )


async def test_nor_to_an_old_version_on_a_pc_that_never_had_the_new_one(server: Server, pc: Pc) -> None:
    for version in ("2.0", "2.1"):
        server.publish(version, tree(version), **ARCHIVE)
    server.roll_out("acme@2.0")
    await pc.refresh_and_install()
    assert not (pc.root / "opt/acme/current").exists()


async def test_nor_with_a_script_that_detects_its_exact_version(server: Server, pc: Pc) -> None:
    state = pc.root / "state"
    for version in ("2.0", "2.1"):
        check = FileCheck(path="/state", sha256=hashlib.sha256(f"{version}\n".encode()).hexdigest())
        run = f"echo {version} > {state}\n".encode()
        server.publish(version, run, install=ScriptInstall(interpreter="sh"), detect=(check,))
        await pc.refresh_and_install()
        assert state.read_text() == f"{version}\n"
    server.roll_out("acme@2.0")
    await pc.refresh_and_install()
    assert state.read_text() == "2.1\n"


async def test_a_failed_health_check_still_goes_back(server: Server, pc: Pc) -> None:
    server.publish("2.0", tree("2.0"), **ARCHIVE)
    await pc.refresh_and_install()
    health = HealthCheck(checks=(FileCheck(path="/opt/acme/current/missing"),), within_seconds=1)
    server.publish("2.1", tree("2.1"), **ARCHIVE, health=health)
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"
    assert pc.row("2.1").state == "rolled_back"


async def test_nor_by_the_old_name_of_what_superseded_it(server: Server, pc: Pc) -> None:
    server.publish("1.0", tree("1.0"), patch_id="old-acme", **ARCHIVE)
    await pc.refresh_and_install()
    server.publish("2.0", tree("2.0"), supersedes=("old-acme",), **ARCHIVE)
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"
    server.clock.wall += DETECT_AGAIN_SECONDS  # by then it is seen that the old one is gone
    server.roll_out("old-acme@1.0")
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"
    (row,) = pc.installs.plan()
    assert row.reason == (
        "refused: this PC has had a newer one, or one that supersedes it (it is publication 1, the lowest allowed is 2)"
    )


async def test_an_old_patch_cannot_keep_a_new_one_away_by_its_relations(server: Server, pc: Pc) -> None:
    server.publish("1.0", tree("1.0"), patch_id="suite", supersedes=("acme",), **ARCHIVE)
    server.publish("1.1", tree("1.1"), patch_id="suite", applies_to='site == "nowhere"', **ARCHIVE)
    server.publish("2.0", tree("2.0"), **ARCHIVE)
    server.roll_out("suite@1.0", "acme@2.0")
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"


async def test_whoever_has_the_offline_key_can_go_back(server: Server, pc: Pc) -> None:
    await at_2_1(server, pc)
    with pytest.raises(UserError, match=r"To go back from 2\.1 to it, add --downgrade"):
        server.publish("2.0", tree("2.0"), **ARCHIVE)
    server.publish("2.0", tree("2.0"), downgrade=True, **ARCHIVE)
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"
    server.roll_out("acme@2.1")  # and the server cannot undo that
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"


async def test_a_users_own_rollback_is_no_step_back_of_the_server(server: Server, pc: Pc) -> None:
    await at_2_1(server, pc)
    await InstallRequests(pc.installs, server.clock).roll_back(PatchOrder("acme"))
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.0"
    await InstallRequests(pc.installs, server.clock).retry(PatchOrder("acme"))
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"


async def test_what_was_withdrawn_for_good_cannot_be_offered_again(server: Server, pc: Pc) -> None:
    server.publish("2.0", tree("2.0"), **ARCHIVE)
    server.repository.withdraw_patch(
        PatchRef("acme", ""),
        "crashes",
        patches_key=OfflineKeys(server.home.offline_keys, None).load("patches"),
        now=server.clock.wall,
    )
    server.roll_out("acme@2.0")
    await pc.refresh_and_install()
    assert not (pc.root / "opt/acme").exists()
    assert "the lowest allowed is 2" in pc.row("2.0").reason
    server.publish("2.1", tree("2.1"), **ARCHIVE)
    await pc.refresh_and_install()
    assert pc.current() == "versions/2.1"
