"""`seed_server.signing.repository`, read by python-tuf's own client."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import filelock
import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from tuf.api.exceptions import DownloadHTTPError, ExpiredMetadataError
from tuf.ngclient import FetcherInterface, Updater

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, encode_approvers
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    Manifest,
    Payload,
    Rollouts,
    decode_manifest,
    decode_rollouts,
    manifest_target,
)
from p2pdist.shared.manifest.publication_order import ORDER_TARGET
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recall, Recalls, encode_recalls
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import (
    NOTHING_STAGED,
    STAGED_TARGET,
    StagedEntry,
    StagedRollouts,
    decode_staged,
    encode_staged,
)
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing import metadata, repository_files, repository_writer
from seed_server.signing.key_files import create_signing_key, key_path
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository
from seed_server.signing.repository_files import KEEP_VERSIONS
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES

DAY = 86_400.0
NOW = time.time()  # the client compares with the real clock
SETTINGS = ServerSettings(name="hq", address="127.0.0.1")
TORRENT = b"d4:infod6:lengthi1eee"


class DirectoryFetcher(FetcherInterface):
    """Serves a repository's directory as a web server would."""

    def __init__(self, home: ServerHome) -> None:
        self._root = home.root / "tuf"

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield (self._root / unquote(urlparse(url).path).lstrip("/")).read_bytes()
        except FileNotFoundError:
            raise DownloadHTTPError("not found", 404) from None


class Client:
    """An endpoint that starts from the root it was enrolled with."""

    def __init__(self, home: ServerHome, directory: Path, trusted_root: str) -> None:
        self.directory = directory
        (directory / "targets").mkdir(parents=True, exist_ok=True)
        self.updater = Updater(
            metadata_dir=str(directory),
            metadata_base_url="https://127.0.0.1/metadata/",
            target_dir=str(directory / "targets"),
            target_base_url="https://127.0.0.1/targets/",
            fetcher=DirectoryFetcher(home),
            bootstrap=trusted_root.encode(),
        )
        self.updater.refresh()

    def get(self, name: str) -> bytes | None:
        info = self.updater.get_targetinfo(name)
        return None if info is None else Path(self.updater.download_target(info)).read_bytes()

    def rollouts(self) -> list[tuple[str, str, int]]:
        data = self.get(ROLLOUTS_TARGET)
        assert data is not None
        return [(entry.patch_id, entry.version, entry.sequence) for entry in decode_rollouts(data).entries]


class Bench:
    """A repository with its keys."""

    def __init__(self, directory: Path, now: float = NOW) -> None:
        self.directory = directory
        self.home = ServerHome(directory / "home")
        self.keys = {name: create_signing_key(key_path(self.home.offline_keys, name), None) for name in OFFLINE_KEYS}
        self.keys |= {name: create_signing_key(key_path(self.home.online_keys, name), None) for name in ONLINE_ROLES}
        self.repository = Repository.create(self.home, SETTINGS, self.keys, now)
        self.clients = 0

    def versions(self, role: str) -> list[int]:
        """Return the versions of ``role`` on the disk, the newest last."""
        found = self.home.tuf_metadata.glob(f"*.{role}.json")
        return sorted(int(path.name.partition(".")[0]) for path in found)

    def newest(self, role: str) -> Path:
        """Return the file of the newest version of ``role``."""
        return self.home.tuf_metadata / f"{self.versions(role)[-1]}.{role}.json"

    def client(self) -> Client:
        self.clients += 1
        return Client(self.home, self.directory / f"client-{self.clients}", self.repository.trusted_root())

    def publish(self, patch_id: str, version: str, now: float = NOW, key: Ed25519PrivateKey | None = None) -> int:
        payload = Payload(file_name="a.bin", length_bytes=1, sha256="a" * 64, torrent_hash=f"{hash_digits(patch_id)}")
        manifest = Manifest(
            format=1, patch_id=patch_id, version=version, title="", severity="low", cvss=None, published_at=int(now),
            payloads=[payload], number=self.repository.publication_order().next_number(PatchId(patch_id)),
        )  # fmt: skip
        rollouts = with_entry(self.repository.current_rollouts(), PatchRef(patch_id, version))
        return self.repository.publish_patch(
            manifest, [TORRENT], rollouts, patches_key=key or self.keys["patches"], now=now
        )


def _with_online_keys(bench: Bench) -> ServerHome:
    shutil.copytree(ServerHome(bench.directory / "home").online_keys, bench.home.online_keys)
    return bench.home


def hash_digits(text: str) -> str:
    return text.encode().hex().ljust(64, "0")[:64]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_client_reads_what_was_published(bench: Bench) -> None:
    assert bench.client().rollouts() == []
    before = bench.repository.timestamp_version()
    assert bench.publish("office", "1.0+b~2") == before + 1 == bench.repository.timestamp_version()
    client = bench.client()
    assert client.rollouts() == [("office", "1.0+b~2", 1)]
    data = client.get(manifest_target(PatchId("office"), PatchVersion("1.0+b~2")))
    assert data is not None
    manifest = decode_manifest(data)
    assert [manifest] == Repository.open(bench.home, SETTINGS).manifests()
    assert client.get(f"torrents/{manifest.payloads[0].torrent_hash}.torrent") == TORRENT
    assert client.get("patches/other@1.manifest") is None


def test_a_template_is_read_and_taken_away(bench: Bench) -> None:
    key = bench.keys["patches"]
    bench.repository.change_document("patches", "templates/december", b"questions", key=key, now=NOW)
    bench.publish("office", "1")
    assert bench.client().get("templates/december") == b"questions"
    assert Repository.open(bench.home, SETTINGS).templates() == {"templates/december": b"questions"}
    bench.repository.change_document("patches", "templates/december", None, key=key, now=NOW)
    assert bench.client().get("templates/december") is None
    assert len(bench.repository.manifests()) == 1


def test_repository_from_before_there_were_templates_learns_of_them_by_a_renewal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setitem(metadata.DELEGATED_PATHS, "patches", ["patches/*", "torrents/*"])
        bench = Bench(tmp_path)
    key, version = bench.keys["patches"], bench.repository.timestamp_version()
    with pytest.raises(UserError, match="seed-server renew") as caught:
        bench.repository.change_document("patches", "templates/december", b"questions", key=key, now=NOW)
    assert caught.value.kind is FaultKind.REFUSED
    assert bench.repository.timestamp_version() == version
    root = bench.repository.trusted_root()
    assert Client(bench.home, tmp_path / "pc", root).get("templates/december") is None
    bench.repository.renew_offline_roles({name: bench.keys[name] for name in OFFLINE_KEYS}, NOW)
    bench.repository.change_document("patches", "templates/december", b"questions", key=key, now=NOW)
    assert Client(bench.home, tmp_path / "pc", root).get("templates/december") == b"questions"


def test_a_client_that_knew_an_older_state_goes_on(bench: Bench) -> None:
    root = bench.repository.trusted_root()
    for n in range(3):
        bench.publish(f"p{n}", "1")
        assert len(Client(bench.home, bench.directory / "same", root).rollouts()) == n + 1


def test_roles_sign_with_keys_of_their_own(bench: Bench) -> None:
    root = json.loads(bench.repository.trusted_root())["signed"]
    keyids = {role: set(root["roles"][role]["keyids"]) for role in ("root", "targets", "snapshot", "timestamp")}
    assert keyids["root"] == keyids["targets"]
    targets = json.loads(bench.newest("targets").read_text())["signed"]["delegations"]["roles"]
    assert {role["name"]: role["terminating"] for role in targets} == {
        "patches": True, "rollouts": True, "profiles": True,
    }  # fmt: skip
    distinct = [keyids["root"], keyids["snapshot"], keyids["timestamp"], *(set(role["keyids"]) for role in targets)]
    assert len(set.union(*distinct)) == len(distinct) == 6
    assert root["consistent_snapshot"] is True


def test_a_foreign_patches_key_is_refused_and_nothing_changes(bench: Bench) -> None:
    before = bench.repository.timestamp_version()
    foreign = Ed25519PrivateKey.generate()
    for attempt in (
        lambda: bench.publish("evil", "1", key=foreign),
        lambda: bench.repository.check_patches_key(foreign),
    ):
        with pytest.raises(UserError, match="not the one that this repository trusts") as caught:
            attempt()
        assert caught.value.kind is FaultKind.REFUSED
    bench.repository.check_patches_key(bench.keys["patches"])
    assert bench.repository.timestamp_version() == before
    assert bench.client().rollouts() == []


class Killed(BaseException):
    """The process ends here."""


def test_killed_before_any_write_the_old_state_stands_and_the_next_publish_works(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.publish("first", "1")
    real, writes = durable_files.write_file, 0

    def count(path: Path, data: bytes, *, mode: int = 0o644) -> None:
        nonlocal writes
        writes += 1
        if writes > allowed:
            raise Killed
        real(path, data, mode=mode)

    monkeypatch.setattr(durable_files, "write_file", count)
    for allowed in range(20):
        writes = 0
        try:
            bench.publish("second", f"{allowed}")
        except Killed:
            monkeypatch.setattr(durable_files, "write_file", real)
            assert bench.client().rollouts() == [("first", "1", 1)]
            monkeypatch.setattr(durable_files, "write_file", count)
            continue
        break
    assert allowed == 11  # 5 targets, 4 roles, snapshot, timestamp
    assert bench.client().rollouts() == [("first", "1", 1), ("second", "11", 2)]


def test_fresh_roles_are_left_alone(bench: Bench) -> None:
    version = bench.repository.timestamp_version()
    assert not bench.repository.refresh_timestamp(NOW + 0.4 * DAY)
    assert bench.repository.timestamp_version() == version
    assert bench.repository.refresh_timestamp(NOW, force=True)
    assert bench.repository.timestamp_version() == version + 1
    assert bench.client().rollouts() == []


def test_a_timestamp_says_when_it_was_signed(bench: Bench) -> None:
    def issued() -> object:
        return json.loads((bench.home.tuf_metadata / "timestamp.json").read_bytes())["signed"]["x-p2pdist-issued"]

    assert issued() == int(NOW)
    bench.publish("first", "1", NOW + 60)
    assert issued() == int(NOW + 60)
    assert bench.client().rollouts() == [("first", "1", 1)]


@pytest.mark.parametrize(
    ("age_days", "snapshot", "rollouts"), [(0.6, 0, 0), (4, 1, 0), (16, 1, 1), (60, 1, 1)]
)  # fmt: skip
def test_a_server_that_was_left_alone_comes_back(tmp_path: Path, age_days: float, snapshot: int, rollouts: int) -> None:
    bench = Bench(tmp_path, now=NOW - age_days * DAY)
    bench.publish("office", "1", now=NOW - age_days * DAY)
    if age_days > 1:
        with pytest.raises(ExpiredMetadataError):
            bench.client()
    before = {role: len(bench.versions(role)) for role in ("snapshot", "rollouts")}
    assert bench.repository.refresh_timestamp(NOW)
    assert not bench.repository.refresh_timestamp(NOW)
    assert bench.client().rollouts() == [("office", "1", 1)]
    written = {role: len(bench.versions(role)) - count for role, count in before.items()}
    assert written == {"snapshot": snapshot, "rollouts": rollouts}


def test_offline_roles_are_renewed_with_the_offline_keys_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, now=NOW - 100 * DAY)
    bench.publish("office", "1", now=NOW - 100 * DAY)
    root = bench.repository.trusted_root()
    bench.repository.refresh_timestamp(NOW)
    client = bench.client()
    with pytest.raises(ExpiredMetadataError):
        client.get("patches/office@1.manifest")
    with pytest.raises(UserError, match="not the one that this repository trusts"):
        bench.repository.renew_offline_roles({name: Ed25519PrivateKey.generate() for name in OFFLINE_KEYS}, NOW)
    bench.repository.renew_offline_roles({name: bench.keys[name] for name in OFFLINE_KEYS}, NOW)
    client = bench.client()
    assert client.get("patches/office@1.manifest")
    assert (tmp_path / f"client-{bench.clients}" / "root.json").exists()
    assert bench.repository.trusted_root() == root
    expiries = {expiry.role: expiry.expires_at for expiry in bench.repository.expiries()}
    assert expiries["root"] == expiries["targets"] == int(NOW + 365 * DAY)
    assert expiries["patches"] == int(NOW + 90 * DAY)


def test_a_lifetime_that_was_made_shorter_takes_effect(bench: Bench) -> None:
    shorter = ServerSettings(name="hq", address="127.0.0.1", timestamp_lifetime_hours=1)
    assert Repository.open(bench.home, shorter).refresh_timestamp(NOW)
    expiries = {expiry.role: expiry.expires_at for expiry in bench.repository.expiries()}
    assert expiries["timestamp"] == int(NOW + 3_600)


@pytest.mark.parametrize("role", ["snapshot", "patches", "targets", "root", "timestamp"])
def test_we_never_sign_on_top_of_tampered_metadata(bench: Bench, role: str) -> None:
    path = bench.home.tuf_metadata / "timestamp.json" if role == "timestamp" else bench.newest(role)
    metadata = json.loads(path.read_text())
    metadata["signed"]["expires"] = "2090-01-01T00:00:00Z"
    for content in (json.dumps(metadata).encode(), b"{", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged or was tampered with") as caught:
            bench.publish("office", "1")
        assert caught.value.kind is FaultKind.STORAGE


def test_a_tampered_target_is_noticed(bench: Bench) -> None:
    (path,) = (bench.home.tuf_targets / "rollouts").iterdir()
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="rollouts/current is damaged"):
        bench.repository.current_rollouts()


def test_a_root_that_the_old_root_did_not_sign_is_refused(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "other")
    other.repository.renew_offline_roles({name: other.keys[name] for name in OFFLINE_KEYS}, NOW)
    (bench.home.tuf_metadata / "2.root.json").write_bytes((other.home.tuf_metadata / "2.root.json").read_bytes())
    with pytest.raises(UserError, match="root is damaged or was tampered with"):
        bench.repository.current_rollouts()


def test_another_writer_makes_us_wait_then_say_so(bench: Bench) -> None:
    waiting = Repository(bench.home, SETTINGS, lock_seconds=0.05)
    with filelock.FileLock(bench.home.repository_lock), pytest.raises(UserError, match="Another process") as caught:
        waiting.refresh_timestamp(NOW, force=True)
    assert caught.value.kind is FaultKind.BUSY
    with waiting.locked():
        assert waiting.refresh_timestamp(NOW, force=True)


def test_old_versions_are_removed(bench: Bench) -> None:
    for n in range(KEEP_VERSIONS + 3):
        bench.publish("office", str(n))
    for role in ("snapshot", "order", "rollouts"):
        assert len(list(bench.home.tuf_metadata.glob(f"*.{role}.json"))) == KEEP_VERSIONS
    assert len(list((bench.home.tuf_targets / "rollouts").iterdir())) == KEEP_VERSIONS
    assert (bench.home.tuf_metadata / "1.root.json").exists()
    assert bench.client().rollouts() == [("office", str(KEEP_VERSIONS + 2), KEEP_VERSIONS + 3)]


@pytest.mark.parametrize("back_seconds", [0.0, 0.3, 3_600.0], ids=["at once", "in one second", "clock set back"])
def test_versions_grow_whatever_the_clock_does(bench: Bench, back_seconds: float) -> None:
    bench.publish("office", "1", now=NOW)
    before = {role: bench.versions(role)[-1] for role in ("order", "rollouts", "snapshot")}
    pc = bench.client()
    bench.publish("vpn", "1", now=NOW - back_seconds)
    assert {role: bench.versions(role)[-1] for role in before} == {role: was + 1 for role, was in before.items()}
    again = Client(bench.home, pc.directory, bench.repository.trusted_root())
    assert again.rollouts() == [("office", "1", 1), ("vpn", "1", 2)]


def test_a_restored_repository_goes_on_above_what_pcs_have_seen(bench: Bench, tmp_path: Path) -> None:
    """The offline roles too: whatever they sign next is above what was lost."""
    backup = tmp_path / "backup"
    shutil.copytree(bench.home.root / "tuf", backup)
    for n in range(20):
        bench.publish("office", str(n), now=NOW + n)
    pc = bench.client()
    lost = {role: bench.versions(role)[-1] for role in ("order", "rollouts", "snapshot")}
    lost_timestamp = bench.repository.timestamp_version()
    shutil.rmtree(bench.home.root / "tuf")
    shutil.copytree(backup, bench.home.root / "tuf")
    bench.publish("vpn", "1", now=NOW + 3_600)
    assert all(bench.versions(role)[-1] > version for role, version in lost.items())
    assert bench.repository.timestamp_version() > lost_timestamp
    again = Client(bench.home, pc.directory, bench.repository.trusted_root())
    assert again.rollouts() == [("vpn", "1", 1)]


def test_the_root_counts_one_by_one_and_every_other_role_by_time(bench: Bench) -> None:
    assert bench.versions("root") == [1]
    assert bench.versions("targets") == bench.versions("patches") == [int(NOW)]
    bench.repository.renew_offline_roles({name: bench.keys[name] for name in OFFLINE_KEYS}, NOW + DAY)
    assert bench.versions("root") == [1, 2]
    assert bench.versions("patches") == [int(NOW), int(NOW + DAY)]


def test_a_repository_numbered_by_release_0_2_0_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as release:
        release.setattr(repository_writer, "next_version", lambda _role, version, _now: version + 1)
        bench.home = ServerHome(bench.directory / "older")
        bench.repository = Repository.create(_with_online_keys(bench), SETTINGS, bench.keys, NOW)
        bench.publish("office", "1")
    assert bench.versions("rollouts") == [1, 2]
    pc = bench.client()
    bench.publish("vpn", "1")
    assert bench.versions("rollouts") == [1, 2, int(NOW)]
    again = Client(bench.home, pc.directory, bench.repository.trusted_root())
    assert again.rollouts() == [("office", "1", 1), ("vpn", "1", 2)]


def test_a_home_without_a_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no repository") as caught:
        Repository.open(ServerHome(tmp_path), SETTINGS)
    assert caught.value.kind is FaultKind.NOT_SET_UP


def test_a_clock_that_was_set_back_does_not_cost_the_rollouts_in_force(bench: Bench) -> None:
    for n in range(KEEP_VERSIONS):
        bench.publish("office", f"1.{n}")
    for path in (bench.home.tuf_targets / "rollouts").iterdir():
        os.utime(path, (NOW + 400 * DAY, NOW + 400 * DAY))  # written while the clock was a year ahead
    bench.publish("office", "2.0")
    assert bench.client().rollouts() == [("office", "2.0", KEEP_VERSIONS + 1)]
    assert len(list((bench.home.tuf_targets / "rollouts").iterdir())) == KEEP_VERSIONS


def test_a_patch_too_many_is_refused_here_rather_than_by_every_endpoint(bench: Bench) -> None:
    bench.publish("office", "1.0")
    size = bench.newest("order").stat().st_size
    bench.repository = Repository(bench.home, SETTINGS, max_role_bytes=size - 1)
    with pytest.raises(UserError) as caught:
        bench.publish("editor", "1.0")
    assert caught.value.kind is FaultKind.REFUSED
    assert bench.client().rollouts() == [("office", "1.0", 1)]


def test_leftovers_go_and_whatever_kept_metadata_names_stays(bench: Bench) -> None:
    for number in range(3):
        key = bench.keys["patches"]
        data = f"questions {number}".encode()
        bench.repository.change_document("patches", "templates/december", data, key=key, now=NOW)
    bench.publish("office", "1")
    targets = {path.name for path in bench.home.tuf_targets.rglob("*") if path.is_file()}
    assert sum(name.endswith(".december") for name in targets) == 3  # a client in the middle of a refresh may want any
    stray = bench.home.tuf_targets / "patches" / f"{'0' * 64}.office@2.manifest"
    notes = bench.home.tuf_targets / "notes.txt"
    for path in (stray, notes, bench.home.tuf_metadata / ".timestamp.json.0123456789ab.tmp"):
        path.write_bytes(b"x")
    assert bench.repository.remove_leftovers() == 2
    assert {path.name for path in bench.home.tuf_targets.rglob("*") if path.is_file()} == targets | {"notes.txt"}
    assert bench.client().rollouts() == [("office", "1", 1)]


@pytest.mark.parametrize("named", [PatchRef("office", ""), PatchRef("office", "1")], ids=str)
def test_another_patch_s_damaged_manifest_keeps_nothing_from_being_withdrawn_for_good(
    bench: Bench, named: PatchRef
) -> None:
    bench.publish("office", "1")
    bench.publish("word", "1")
    (manifest,) = (bench.home.tuf_targets / "patches").glob("*.word@1.manifest")
    manifest.write_bytes(b"damaged")
    key = bench.keys["patches"]
    assert bench.repository.withdraw_patch(named, "crashes", patches_key=key, now=NOW) == (PatchRef("office", "1"),)
    assert bench.client().rollouts() == [("word", "1", 2)]
    assert bench.repository.publication_order().refusal("office", 1)


def test_a_version_that_is_not_listed_any_more_is_not_withdrawn_for_good(bench: Bench) -> None:
    bench.publish("office", "1")
    with pytest.raises(UserError, match="No office@0 is known here") as caught:
        bench.repository.withdraw_patch(PatchRef("office", "0"), "late", patches_key=bench.keys["patches"], now=NOW)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_withdrawn_patch_is_offered_to_nobody_and_for_good_with_the_offline_key(bench: Bench) -> None:
    bench.publish("office", "1")
    bench.publish("word", "1")
    office = PatchRef("office", "")
    assert bench.repository.withdraw_patch(office, "crashes", patches_key=None, now=NOW) == (PatchRef("office", "1"),)
    assert bench.client().rollouts() == [("word", "1", 2)]
    assert bench.repository.publication_order().refusal("office", 1) == ""
    with pytest.raises(UserError, match="office is withdrawn already"):
        bench.repository.withdraw_patch(office, "late", patches_key=None, now=NOW)
    bench.repository.withdraw_patch(office, "late", patches_key=bench.keys["patches"], now=NOW)
    assert bench.repository.publication_order().refusal("office", 1)
    with pytest.raises(UserError, match="office is withdrawn for good") as caught:
        bench.repository.withdraw_patch(office, "late", patches_key=bench.keys["patches"], now=NOW)
    assert caught.value.kind is FaultKind.BAD_INPUT
    with pytest.raises(UserError, match="patches key is not the one"):
        bench.repository.withdraw_patch(PatchRef("word", "1"), "late", patches_key=bench.keys["rollouts"], now=NOW)
    assert bench.client().rollouts() == [("word", "1", 2)]
    bench.publish("office", "2")
    assert bench.client().rollouts() == [("word", "1", 2), ("office", "2", 3)]


@pytest.mark.parametrize("target", [ROLLOUTS_TARGET, ORDER_TARGET])
def test_what_a_newer_release_wrote_is_not_signed_anew_without_it(bench: Bench, target: str) -> None:
    bench.publish("office", "1")
    role = "rollouts" if target == ROLLOUTS_TARGET else "patches"
    written = msgpack.unpackb(bench.client().get(target) or b"") | {"rings": ["pilot"]}
    bench.repository.change_document(role, target, msgpack.packb(written), key=bench.keys[role], now=NOW)
    with pytest.raises(UserError, match="A newer release of seed-server wrote .* does not know rings") as caught:
        bench.publish("vpn", "1")
    assert caught.value.kind is FaultKind.REFUSED
    assert bench.client().rollouts() == [("office", "1", 1)]  # and a PC reads it


def staged(bench: Bench, patch_id: str, sequence: int, *, opened_at: tuple[int, ...] = (1,)) -> StagedRollouts:
    """Return a rollout by rings of what is published."""
    ref = PatchRef(patch_id, "1")
    plan = RolloutPlan(
        format=1, patch_id=ref.patch_id, version=ref.version, number=1, manifest_sha256="a" * 64, salt=b"s" * 16,
        rings=(PlannedRing("everyone"),), silent_after_seconds=0,
    )  # fmt: skip
    return StagedRollouts(format=1, entries=(StagedEntry(sequence=sequence, plan=plan, opened_at=opened_at),))


def test_a_rollout_by_rings_is_announced_with_the_rollouts_at_once(bench: Bench) -> None:
    bench.publish("office", "1")
    assert bench.repository.current_staged() == NOTHING_STAGED
    before, by_rings = bench.repository.current_rollouts(), staged(bench, "office", 1)
    version = bench.repository.timestamp_version()
    assert bench.repository.stage(by_rings, now=NOW, rollouts=replace(before, entries=[])) == version + 1
    client = bench.client()
    assert client.rollouts() == []
    assert decode_staged(client.get(STAGED_TARGET) or b"") == bench.repository.current_staged() == by_rings
    assert [entry.ref for entry in bench.repository.offered().entries] == [PatchRef("office", "1")]
    assert bench.publish("word", "1")
    assert [entry.sequence for entry in bench.repository.current_rollouts().entries] == [1], "of its document alone"
    assert bench.repository.stage(NOTHING_STAGED, now=NOW) > version
    assert bench.client().rollouts() == [("word", "1", 1)]


def test_a_withdrawal_takes_it_out_of_both_documents(bench: Bench) -> None:
    bench.publish("office", "1")
    bench.repository.stage(staged(bench, "office", 1), now=NOW)
    assert bench.repository.withdraw_patch(PatchRef("office", ""), "crashes", patches_key=None, now=NOW) == (
        PatchRef("office", "1"),
    )
    assert (bench.repository.current_rollouts().entries, bench.repository.current_staged().entries) == ([], ())
    assert [one.reason for one in bench.repository.current_staged().stopped] == ["crashes"]
    bench.repository.offer_patch(PatchRef("office", ""), now=NOW)
    assert bench.repository.current_staged().stopped == ()
    assert [entry.ref for entry in bench.repository.offered().entries] == [PatchRef("office", "1")]


def test_what_is_offered_by_rings_alone_can_be_withdrawn(bench: Bench) -> None:
    bench.publish("office", "1")
    nobody = Rollouts(format=1, entries=[])
    bench.repository.stage(staged(bench, "office", 1), now=NOW, rollouts=nobody)
    gone = bench.repository.withdraw_patch(PatchRef("office", "1"), "crashes", patches_key=None, now=NOW)
    assert gone == (PatchRef("office", "1"),)
    assert bench.repository.offered().entries == []
    with pytest.raises(UserError, match="withdrawn already"):
        bench.repository.withdraw_patch(PatchRef("office", "1"), "crashes", patches_key=None, now=NOW)


def test_the_rollouts_in_force_of_both_kinds_stay_on_the_disk(bench: Bench) -> None:
    directory = bench.home.tuf_targets / "rollouts"
    in_force = ["rollouts/a.current", "rollouts/b.staged"]
    for at, path in enumerate(
        [*in_force, *(f"rollouts/{n}.{kind}" for n in range(40) for kind in ("current", "staged"))]
    ):
        file = bench.home.tuf_targets / path
        file.write_bytes(b"")
        os.utime(file, (at, at))
    repository_files.prune(bench.home, (), in_force)
    assert {"a.current", "b.staged", "39.current", "39.staged"} <= {path.name for path in directory.iterdir()}
    kinds = [path.suffix for path in directory.iterdir()]
    assert kinds.count(".staged") == KEEP_VERSIONS


def test_what_a_newer_release_put_into_the_rollouts_by_rings_is_not_signed_away(bench: Bench) -> None:
    bench.publish("office", "1")
    by_rings = staged(bench, "office", 1)
    bench.repository.stage(by_rings, now=NOW)
    newer = {**msgpack.unpackb(encode_staged(by_rings)), "windows": 1}
    writer, current = bench.repository._writer, bench.repository._files.load()
    writer.add_target(current.targets["rollouts"].signed, STAGED_TARGET, msgpack.packb(newer))
    writer.commit(current, ("rollouts",), {}, NOW)
    with pytest.raises(UserError, match="newer release of seed-server wrote rollouts/staged.*windows"):
        bench.repository.stage(NOTHING_STAGED, now=NOW)


def test_approvers_and_recalls_are_the_offline_key_s(bench: Bench) -> None:
    now = int(NOW)
    approvers = Approvers(format=1, keys={"kim": b"k" * 32}, required=1, required_in_emergency=1, since=now)
    recalls = Recalls(format=1, recalls=(Recall("office", 1, "", "crashes", now),))
    for target, data in ((APPROVERS_TARGET, encode_approvers(approvers)), (RECALLS_TARGET, encode_recalls(recalls))):
        bench.repository.change_document("patches", target, data, key=bench.keys["patches"], now=NOW)
        assert bench.client().get(target) == data
        with pytest.raises(UserError, match="not the one that this repository trusts"):
            bench.repository.change_document("patches", target, None, key=bench.keys["rollouts"], now=NOW)


def test_who_looks_is_handed_no_copy_and_who_changes_changes_their_own(bench: Bench) -> None:
    bench.publish("office", "1")
    files = bench.repository._files
    looked = files.current()
    changed = files.load()
    changed.snapshot.signed.version += 1
    changed.targets["rollouts"].signed.targets.clear()
    assert files.current() is looked
    assert bench.repository.current_rollouts().entries
    assert looked.snapshot.signed.version == changed.snapshot.signed.version - 1
