"""Attacks on the signed metadata, from the server, the network and the disk; names as in the TUF specification.

After each refused attack the endpoint must still have what it accepted before,
and must go on when the server is honest again.
"""

import json
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.trust import roots, tuf_client
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.store import Catalogue, TrustError, TrustStore
from p2pdist.trust.tls_contexts import trusting_context

NOW = 1_800_000_000.0
DAY = 86_400.0
TIMESTAMP = "/tuf/metadata/timestamp.json"


@pytest.fixture(params=[False, True], ids=["file by file", "all at once"])
def repository(request: pytest.FixtureRequest, tuf_simulator: ModuleType) -> Any:
    simulator = tuf_simulator.RepositorySimulator()
    simulator.tells_news = request.param
    simulator.add_patch("alpha")
    simulator.publish()
    return simulator


@pytest.fixture
def new_store(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> Callable[[], TrustStore]:
    """Return a maker of stores over one directory: a second one is a restarted daemon."""
    return lambda: TrustStore(tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)


async def refused(store: TrustStore, kind: str, now: float = NOW) -> TrustError:
    with pytest.raises(TrustError) as caught:
        await store.refresh(now)
    assert caught.value.reason == kind, caught.value.message
    return caught.value


def current(repository: Any, name: str) -> str:
    versions = {
        "root": repository.root, "snapshot": repository.snapshot, **repository.targets,
    }  # fmt: skip
    return f"/tuf/metadata/{versions[name].signed.version}.{name}.json"


def tamper(repository: Any, path: str) -> None:
    """Change a value that is signed, keeping the signature."""
    document = json.loads(repository.files[path])
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    repository.files[path] = json.dumps(document).encode()


# --- forged and damaged metadata ------------------------------------------------------------


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "patches", "rollouts"])
@pytest.mark.parametrize("fresh", [True, False], ids=["first refresh", "later refresh"])
async def test_tampered_metadata_is_refused(
    repository: Any, new_store: Callable[[], TrustStore], name: str, fresh: bool
) -> None:
    accepted = None if fresh else await new_store().refresh(NOW)
    repository.add_patch("beta")
    repository.sign_targets("targets")
    repository.publish()
    honest = repository.backup()
    tamper(repository, TIMESTAMP if name == "timestamp" else current(repository, name))
    error = await refused(new_store(), "invalid_signature")
    assert "not signed by enough" in error.message
    assert await new_store().load_cached(NOW) == accepted
    repository.files = honest
    assert len((await new_store().refresh(NOW)).patches) == 2


@pytest.mark.parametrize("name", ["root", "timestamp", "snapshot", "targets", "patches", "rollouts"])
@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"signed":{}}', b"[" * 50_000])
async def test_rubbish_is_refused(
    repository: Any, new_store: Callable[[], TrustStore], name: str, rubbish: bytes
) -> None:
    path = (
        "/tuf/metadata/2.root.json"
        if name == "root"
        else current(repository, name)
        if name != "timestamp"
        else TIMESTAMP
    )
    repository.files[path] = rubbish
    with pytest.raises(TrustError) as caught:
        await new_store().refresh(NOW)
    assert caught.value.reason in {"malformed", "invalid_signature"}


async def test_metadata_of_another_repository_is_refused(
    tuf_simulator: ModuleType, repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    store = new_store()
    repository.files = tuf_simulator.RepositorySimulator().files
    await refused(store, "invalid_signature")


async def test_metadata_of_another_role_in_its_place_is_refused(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    repository.files[TIMESTAMP] = repository.files[current(repository, "snapshot")]
    await refused(new_store(), "malformed")


async def test_below_the_threshold_nothing_counts(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.signers["root"] = repository.signers["root"][:1]
    repository.sign_targets("targets")
    repository.publish()
    await refused(new_store(), "invalid_signature")


async def test_one_key_that_signs_twice_is_one_signature(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.signers["root"] = [repository.signers["root"][0]] * 2
    repository.sign_targets("targets")
    repository.publish()
    await refused(new_store(), "invalid_signature")


# --- keys ---------------------------------------------------------------------------------------


async def test_root_rotation_is_followed(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    await new_store().refresh(NOW)
    repository.rotate("root")
    repository.rotate("timestamp", "snapshot")
    repository.publish()
    assert len((await new_store().refresh(NOW)).patches) == 1
    repository.down = True
    assert await new_store().load_cached(NOW) is not None


async def test_a_new_root_without_the_old_keys_is_refused(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    await new_store().refresh(NOW)
    stolen = repository.signers["root"]
    repository.rotate("root")
    repository._sign(repository.root, *(s for s in repository.signers["root"] if s not in stolen))
    repository.files["/tuf/metadata/2.root.json"] = repository.root.to_bytes()
    await refused(new_store(), "invalid_signature")


async def test_a_skipped_root_version_is_refused(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    await new_store().refresh(NOW)
    repository.root.signed.version += 1
    repository.rotate("root")
    repository.files["/tuf/metadata/2.root.json"] = repository.files.pop("/tuf/metadata/3.root.json")
    await refused(new_store(), "rolled_back")


async def test_a_revoked_timestamp_key_signs_nothing_any_more(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    await new_store().refresh(NOW)
    stolen = repository.signers["timestamp"]
    repository.rotate("timestamp")
    repository.publish()
    repository.signers["timestamp"] = stolen
    repository.sign_timestamp()
    await refused(new_store(), "invalid_signature")


@pytest.mark.parametrize("lost", ["", "accepted", "floor"], ids=["whole", "accepted deleted", "floor deleted"])
async def test_withholding_a_newer_root_later_changes_nothing_also_without_one_of_the_files(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path, lost: str
) -> None:
    before = repository.backup()
    repository.rotate("root", "timestamp")
    repository.publish()
    await new_store().refresh(NOW)
    if lost:
        next(tmp_path.glob(f"*/{lost}")).unlink()
    new, repository.files = repository.files, before
    await refused(new_store(), "invalid_signature")  # root 2 is known, and no longer trusts that timestamp's key
    repository.files = new
    del repository.files["/tuf/metadata/2.root.json"]
    assert len((await new_store().refresh(NOW)).patches) == 1


@pytest.mark.parametrize("attacked", ["timestamp", "snapshot"])
async def test_a_fast_forward_attack_is_recovered_from_by_new_keys(
    repository: Any, new_store: Callable[[], TrustStore], attacked: str
) -> None:
    role = getattr(repository, attacked).signed
    honest_version = role.version
    role.version = 1 << 40
    repository.sign_snapshot()
    repository.sign_timestamp()
    await new_store().refresh(NOW)
    role.version = honest_version
    repository.publish()
    await refused(new_store(), "rolled_back")
    repository.rotate("timestamp", "snapshot")
    repository.publish()
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_a_version_that_no_floor_can_hold_is_refused(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    repository.timestamp.signed.version = 1 << 70
    repository.sign_timestamp()
    await refused(new_store(), "rolled_back")


# --- a role beyond its paths ----------------------------------------------------------------------


async def test_the_rollouts_key_cannot_introduce_a_patch(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    accepted = await new_store().refresh(NOW)
    repository.add_patch("evil")
    moved = repository.targets["patches"].signed.targets
    for path in [path for path in moved if "evil" in path] + [path for path in moved if path.startswith("torrents/")]:
        repository.targets["rollouts"].signed.targets[path] = moved[path]
    for path in [path for path in moved if "evil" in path]:
        del moved[path]
    repository.publish()
    catalogue = await new_store().refresh(NOW)
    assert catalogue.patches == accepted.patches
    assert [(patch.entry.patch_id, patch.reason) for patch in catalogue.refused] == [
        ("evil", "no trusted key has signed 'patches/evil@1.manifest'")
    ]


async def test_the_patches_key_cannot_roll_out(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.targets["patches"].signed.targets |= repository.targets["rollouts"].signed.targets
    repository.targets["rollouts"].signed.targets.clear()
    for name in ("patches", "rollouts"):
        repository.sign_targets(name)
    repository.sign_snapshot()
    repository.sign_timestamp()
    assert (await new_store().refresh(NOW)).patches == ()


async def test_the_rollouts_key_cannot_sign_as_patches(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    repository.signers["patches"] = repository.signers["rollouts"]
    repository.publish()
    await refused(new_store(), "invalid_signature")


# --- rollback, mix-and-match, freeze, expiry -------------------------------------------------------------


@pytest.mark.parametrize("cache", ["whole", "accepted", "floor"], ids=["whole", "accepted deleted", "floor deleted"])
async def test_a_rolled_back_repository_is_refused(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path, cache: str
) -> None:
    old = repository.backup()
    repository.add_patch("beta")
    repository.publish()
    new = repository.backup()
    await new_store().refresh(NOW)
    if cache != "whole":
        next(tmp_path.glob(f"*/{cache}")).unlink()
    repository.files = old
    assert "older or mixed" in (await refused(new_store(), "rolled_back")).message
    await refused(new_store(), "rolled_back")
    repository.files = new
    assert len((await new_store().refresh(NOW)).patches) == 2


async def test_deleting_the_files_below_a_running_daemon_resets_nothing(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path
) -> None:
    old = repository.backup()
    repository.publish()
    store = new_store()
    await store.refresh(NOW)
    for name in ("floor", "accepted"):
        next(tmp_path.glob(f"*/{name}")).unlink()
    repository.files = old
    await refused(store, "rolled_back")


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "floor alone"])
async def test_a_role_rolled_back_by_the_online_keys_is_refused(
    repository: Any, new_store: Callable[[], TrustStore], tmp_path: Path, cache: bool
) -> None:
    repository.publish()
    await new_store().refresh(NOW)
    if not cache:
        next(tmp_path.glob("*/accepted")).unlink()
    repository.snapshot.signed.meta["patches.json"].version -= 1
    repository.sign_snapshot()
    repository.sign_timestamp()
    await refused(new_store(), "rolled_back")


async def test_a_role_that_vanishes_is_refused(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    await new_store().refresh(NOW)
    del repository.snapshot.signed.meta["profiles.json"]
    repository.sign_snapshot()
    repository.sign_timestamp()
    await refused(new_store(), "malformed")


@pytest.mark.parametrize("name", ["snapshot", "patches", "rollouts"])
async def test_mixing_versions_of_different_times_is_refused(
    repository: Any, new_store: Callable[[], TrustStore], name: str
) -> None:
    old = repository.files[current(repository, name)]
    repository.publish()
    repository.files[current(repository, name)] = old
    await refused(new_store(), "rolled_back")


@pytest.mark.parametrize("name", ["root", "timestamp", "snapshot", "targets", "patches", "rollouts"])
async def test_expired_metadata_is_refused(tuf_simulator: ModuleType, tmp_path: Path, name: str) -> None:
    repository = tuf_simulator.RepositorySimulator()
    repository.add_patch("alpha")
    role = {"root": repository.root, "timestamp": repository.timestamp, "snapshot": repository.snapshot}
    metadata = (role | repository.targets)[name]
    metadata.signed.expires = metadata.signed.expires.replace(year=2020)
    repository.sign_root()
    repository.sign_targets("targets")
    repository.publish()
    store = TrustStore(tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)
    assert "clock" in (await refused(store, "expired")).message
    assert await store.load_cached(NOW) is None


@pytest.mark.parametrize(("days", "kind"), [(9.99, ""), (10, "expired"), (11, "expired")])
async def test_metadata_expires_to_the_second(
    repository: Any, new_store: Callable[[], TrustStore], days: float, kind: str
) -> None:
    if kind:
        await refused(new_store(), kind, NOW + days * DAY)
    else:
        await new_store().refresh(NOW + days * DAY)


async def test_a_freeze_raises_the_alarm_long_before_the_expiry(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    assert (await new_store().refresh(NOW)).stale == ""
    assert (await new_store().refresh(NOW + 5.4 * DAY)).stale == ""
    assert "withholds" in (await new_store().refresh(NOW + 5.6 * DAY)).stale


async def test_a_clock_set_back_does_not_revive_expired_metadata(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    """The server's timestamp key is stolen: it signs an ever higher version, but with the old expiry."""
    old_expiry = repository.timestamp.signed.expires
    for metadata in (repository.root, repository.timestamp, repository.snapshot, *repository.targets.values()):
        metadata.signed.expires = old_expiry.replace(year=old_expiry.year + 1)
    repository.rotate()
    repository.sign_targets("targets")
    repository.sign_targets("profiles")
    repository.publish()
    await new_store().refresh(NOW + 20 * DAY)
    repository.timestamp.signed.expires = old_expiry
    repository.sign_timestamp()
    await refused(new_store(), "expired", NOW)


async def test_a_clock_far_ahead_accepts_nothing_and_does_not_poison_the_floor(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    await refused(new_store(), "expired", NOW + 10_000 * DAY)
    assert len((await new_store().refresh(NOW)).patches) == 1
    await refused(new_store(), "expired", NOW + 10_000 * DAY)
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_a_clock_a_little_ahead_does_not_hold_up_fresh_metadata_once_it_is_right(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    """A time source that lies by less than a timestamp's life: what it says is not taken for a proof."""
    repository.issued = NOW
    repository.publish()
    await new_store().refresh(NOW + 9 * DAY)
    repository.timestamp.signed.expires -= timedelta(days=5)
    repository.publish()
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_expired_metadata_is_refused_by_the_time_at_which_newer_metadata_was_issued(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    """A stolen timestamp key signs an old expiry, and the PC's clock is set back; see the same without that field."""
    old_expiry = repository.timestamp.signed.expires
    repository.issued = NOW + 20 * DAY
    for metadata in (repository.root, repository.timestamp, repository.snapshot, *repository.targets.values()):
        metadata.signed.expires = old_expiry + timedelta(days=365)
    repository.rotate()
    repository.sign_targets("targets")
    repository.sign_targets("profiles")
    repository.publish()
    await new_store().refresh(NOW + 20 * DAY)
    repository.timestamp.signed.expires = old_expiry
    repository.sign_timestamp()
    await refused(new_store(), "expired", NOW)


# --- documents --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["tampered", "truncated", "oversized", "missing", "error"])
async def test_one_bad_document_on_the_server_refuses_that_patch_alone(
    repository: Any, new_store: Callable[[], TrustStore], damage: str
) -> None:
    repository.add_patch("beta")
    repository.publish()
    (path,) = (path for path in repository.files if "alpha@1.manifest" in path)
    honest = repository.files[path]
    repository.files[path] = {"tampered": bytes([honest[0] ^ 1]) + honest[1:], "truncated": honest[:-1]}.get(
        damage, honest + b"x"
    )
    if damage in {"missing", "error"}:
        repository.status_of[path] = 404 if damage == "missing" else 500
    catalogue = await new_store().refresh(NOW)
    assert [patch.entry.patch_id for patch in catalogue.patches] == ["beta"]
    assert [patch.entry.patch_id for patch in catalogue.refused] == ["alpha"]
    repository.files[path] = honest
    repository.status_of.clear()
    assert len((await new_store().refresh(NOW)).patches) == 2


async def test_a_tampered_rollouts_document_is_refused(repository: Any, new_store: Callable[[], TrustStore]) -> None:
    path = repository.target_url("rollouts", "rollouts/current")
    repository.files[path] = bytes(len(repository.files[path]))
    await refused(new_store(), "malformed")


async def test_a_signed_rollouts_document_that_is_no_document_is_refused(
    repository: Any, new_store: Callable[[], TrustStore]
) -> None:
    repository.add_target("rollouts", "rollouts/current", b"rubbish")
    repository.sign_targets("rollouts")
    repository.sign_snapshot()
    repository.sign_timestamp()
    await refused(new_store(), "malformed")


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "root"])
async def test_oversized_metadata_is_refused_before_it_is_read(
    repository: Any, new_store: Callable[[], TrustStore], name: str
) -> None:
    caps = {
        "timestamp": (TIMESTAMP, tuf_client.MAX_TIMESTAMP_BYTES),
        "snapshot": (current(repository, "snapshot"), tuf_client.MAX_SNAPSHOT_BYTES),
        "root": ("/tuf/metadata/2.root.json", roots.MAX_ROOT_BYTES),
    }
    path, cap = caps[name]
    if name == "root":
        repository.rotate("root")
    padding = cap - len(repository.files[path])
    repository.files[path] += b" " * padding
    await new_store().refresh(NOW)
    repository.publish()
    path = caps[name][0] if name != "snapshot" else current(repository, "snapshot")
    if name == "root":
        path = "/tuf/metadata/3.root.json"
        repository.rotate("root")
    repository.files[path] += b" " * (cap + 1 - len(repository.files[path]))
    await refused(new_store(), "malformed")


# --- over a real connection ---------------------------------------------------------------------------------


@pytest.fixture
def web_port(certificates: ModuleType, tmp_path: Path) -> Iterator[Any]:
    authority = certificates.Authority("control")
    with certificates.serving(authority, tmp_path, address="127.0.2.7") as port:
        port.ca = authority.pem
        yield port


async def test_the_whole_way_over_tls(repository: Any, web_port: Any, tmp_path: Path) -> None:
    web_port.answers = {("GET", path): (200, data) for path, data in repository.files.items()}
    async with HttpsClient(trusting_context(web_port.ca)) as http:
        store = TrustStore(tmp_path / "trust", base_url=web_port.url, root=repository.first_root, http=http)
        assert len((await store.refresh(NOW)).patches) == 1


def endless(stop: threading.Event) -> Callable[[Any], None]:
    def answer(file: Any) -> None:
        while not stop.is_set():
            file.write(b" " * 65_536)

    return answer


def dripping(stop: threading.Event) -> Callable[[Any], None]:
    def answer(file: Any) -> None:
        while not stop.wait(0.02):
            file.write(b" ")
            file.flush()

    return answer


@pytest.mark.parametrize(("attack", "kind"), [(endless, "malformed"), (dripping, "unreachable")])
async def test_endless_and_slow_data_end(
    repository: Any, web_port: Any, tmp_path: Path, attack: Callable[[threading.Event], Any], kind: str
) -> None:
    stop = threading.Event()
    web_port.streams = {TIMESTAMP: attack(stop)}
    try:
        async with HttpsClient(trusting_context(web_port.ca), grace_seconds=0.5, min_bytes_per_second=10_000) as http:
            store = TrustStore(tmp_path / "trust", base_url=web_port.url, root=repository.first_root, http=http)
            with trio.fail_after(10):
                await refused(store, kind)
    finally:
        stop.set()


async def test_a_server_that_never_answers_ends(repository: Any, web_port: Any, tmp_path: Path) -> None:
    web_port.answers = {("GET", TIMESTAMP): None}
    async with HttpsClient(trusting_context(web_port.ca), grace_seconds=0.3) as http:
        store = TrustStore(tmp_path / "trust", base_url=web_port.url, root=repository.first_root, http=http)
        with trio.fail_after(10):
            await refused(store, "unreachable")


# --- the files on this PC's disk ------------------------------------------------------------------------------


class Endpoint:
    """An endpoint with a filled trust directory, made once: each example damages a copy of it."""

    def __init__(self, tuf_simulator: ModuleType) -> None:
        self.repository = tuf_simulator.RepositorySimulator()
        self.repository.add_patch("alpha")
        self.repository.add_patch("beta")
        self.repository.rotate("root")
        self.repository.publish()
        self.base_url = tuf_simulator.BASE_URL
        with tempfile.TemporaryDirectory() as directory:
            self.accepted: Catalogue = trio.run(self.store(Path(directory)).refresh, NOW)
            self.files = {
                str(path.relative_to(directory)): path.read_bytes()
                for path in Path(directory).rglob("*")
                if path.is_file()
            }

    def store(self, directory: Path) -> TrustStore:
        return TrustStore(directory, base_url=self.base_url, root=self.repository.first_root, http=self.repository)


@pytest.fixture(scope="module")
def endpoint(tuf_simulator: ModuleType) -> Endpoint:
    return Endpoint(tuf_simulator)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), kind=st.sampled_from(["flip", "truncate", "delete", "append", "empty"]))
def test_damaged_files_are_never_accepted_and_are_downloaded_anew(endpoint: Endpoint, seed: int, kind: str) -> None:
    rng = random.Random(seed)
    name = rng.choice(sorted(endpoint.files))
    with tempfile.TemporaryDirectory() as directory:
        for path, data in endpoint.files.items():
            (Path(directory) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(directory) / path).write_bytes(data)
        victim = Path(directory) / name
        damaged = bytearray(endpoint.files[name])
        if kind == "flip":
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        elif kind == "truncate":
            del damaged[rng.randrange(len(damaged)) :]
        elif kind == "append":
            damaged += b"\0"
        elif kind == "empty":
            damaged.clear()
        victim.write_bytes(damaged)
        if kind == "delete":
            victim.unlink()

        async def scenario() -> None:
            cached = await endpoint.store(Path(directory)).load_cached(NOW)
            if cached is not None:
                assert all(patch in endpoint.accepted.patches for patch in cached.patches)
            assert await endpoint.store(Path(directory)).refresh(NOW) == endpoint.accepted
            assert await endpoint.store(Path(directory)).load_cached(NOW) == endpoint.accepted

        trio.run(scenario)
