"""`seed_server.signing.adoption`: what PCs hand in to a server that was restored from a backup."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from p2pdist.shared.errors import UserError
from seed_server.settings.home import ServerHome
from seed_server.signing import bins
from seed_server.signing.adoption import NotAdoptableError, judge
from seed_server.signing.metadata import public_key
from seed_server.signing.presented import PresentedFiles
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS
from tests.unit.seed_server.signing.test_repository import DAY, NOW, SETTINGS, Bench, Client

LATER = NOW + DAY
RESTORED = NOW + 2 * DAY


class Lost:
    """A repository that went on after its backup, and the server that was restored from that."""

    def __init__(self, directory: Path) -> None:
        self.bench = bench = Bench(directory)
        bench.publish("office", "1")
        self.backup = directory / "backup"
        shutil.copytree(bench.home.root, self.backup)
        self._restore(directory)

    def _restore(self, directory: Path) -> None:
        self.home = ServerHome(shutil.copytree(self.backup, directory / "restored"))
        self.presented = PresentedFiles(self.home)

    def restored_at(self, directory: Path) -> "Lost":
        """Return the same, with a server of its own that was restored from the same backup."""
        other = copy.copy(self)
        other._restore(directory)
        return other

    @property
    def repository(self) -> Repository:
        return Repository.open(self.home, SETTINGS)

    def go_on(self, *patch_ids: str) -> None:
        for at, patch_id in enumerate(patch_ids or ("browser",)):
            self.bench.publish(patch_id, "1", LATER + at)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that a PC that keeps everything would hand in."""
        for kind in ("metadata", "targets"):
            directory = self.bench.home.root / "tuf" / kind
            for path in directory.rglob("*"):
                if path.is_file() and path.name != "timestamp.json":
                    yield f"{kind}/{path.relative_to(directory)}", path.read_bytes()
        timestamp = (self.bench.home.tuf_metadata / "timestamp.json").read_bytes()
        yield f"metadata/{self.bench.repository.timestamp_version()}.timestamp.json", timestamp

    def hand_in(self, *but: str) -> None:
        for path, data in self.files():
            if not any(one in path for one in but):
                self.presented.keep(path, data)

    def pc(self) -> Client:
        """Return a PC that knew the lost state, at the restored server."""
        known = self.bench.directory / "pc"
        root = self.bench.repository.trusted_root()
        if not known.exists():
            Client(self.bench.home, known, root)
        return Client(self.home, known, root)


@pytest.fixture
def lost(tmp_path: Path) -> Lost:
    return Lost(tmp_path)


def test_a_restored_server_adopts_what_pcs_have_and_they_accept_it(lost: Lost) -> None:
    lost.go_on()
    refused = lost.bench.client()  # it has seen the lost state
    assert len(refused.rollouts()) == 2
    lost.hand_in()
    adopted = lost.repository.adopt_presented(RESTORED)
    assert adopted is not None
    assert not adopted.left
    assert {"rollouts", "order"} < {*adopted.roles}
    assert {one.patch_id for one in lost.repository.manifests()} == {"office", "browser"}
    assert [name for name, _, _ in lost.pc().rollouts()] == ["office", "browser"]
    assert lost.repository.timestamp_version() > lost.bench.repository.timestamp_version()
    assert not lost.home.presented.exists()


def test_what_is_known_already_is_not_adopted_again(lost: Lost) -> None:
    lost.hand_in()
    before = lost.repository.timestamp_version()
    assert lost.repository.adopt_presented(RESTORED) is None
    assert lost.repository.timestamp_version() == before


def test_the_order_of_publications_is_made_of_its_parts(lost: Lost) -> None:
    lost.go_on("browser", "archiver", "zip")
    for path, data in lost.files():
        if not path.endswith(".order"):  # no PC keeps the whole of it
            lost.presented.keep(path, data)
    adopted = lost.repository.adopt_presented(RESTORED)
    assert adopted is not None
    assert not adopted.left
    assert lost.repository.publication_order() == lost.bench.repository.publication_order()


def test_a_role_waits_for_the_manifests_that_it_lists(lost: Lost) -> None:
    lost.go_on()
    lost.hand_in("browser@1.manifest")
    adopted = lost.repository.adopt_presented(RESTORED)
    assert adopted is not None
    assert adopted.left == (bins.role_listing("patches/browser@1.manifest"),)
    assert [one.patch_id for one in lost.repository.manifests()] == ["office"]
    lost.hand_in()
    assert lost.repository.adopt_presented(RESTORED) is not None
    assert {one.patch_id for one in lost.repository.manifests()} == {"office", "browser"}


def test_a_newer_root_and_what_hangs_on_it_is_adopted(lost: Lost) -> None:
    lost.bench.repository.renew_offline_roles({name: lost.bench.keys[name] for name in OFFLINE_KEYS}, LATER)
    lost.hand_in()
    adopted = lost.repository.adopt_presented(RESTORED)
    assert adopted is not None
    assert adopted.roots == 1
    lost.pc()


def test_a_torrent_that_nobody_has_holds_nothing_up(lost: Lost) -> None:
    lost.go_on()
    lost.hand_in(".torrent")
    adopted = lost.repository.adopt_presented(RESTORED)
    assert adopted is not None
    assert not adopted.left


@pytest.mark.parametrize("role", ["order", "rollouts", "root", "timestamp"])
def test_what_other_keys_have_signed_is_never_adopted(lost: Lost, tmp_path: Path, role: str) -> None:
    lost.go_on()
    foreign = Lost(tmp_path / "foreign")
    foreign.bench.publish("evil", "1", LATER)
    keys = {name: foreign.bench.keys[name] for name in OFFLINE_KEYS}
    foreign.bench.repository.renew_offline_roles(keys, RESTORED, young_too=True)
    lost.hand_in()
    path, data = next(one for one in sorted(foreign.files(), reverse=True) if one[0].endswith(f".{role}.json"))
    lost.presented.keep(path, data)
    before = lost.repository.timestamp_version()
    with pytest.raises(NotAdoptableError):
        lost.repository.adopt_presented(RESTORED)
    assert lost.repository.timestamp_version() == before


def test_nothing_older_is_adopted(lost: Lost) -> None:
    lost.go_on()
    current = lost.bench.repository._files.load()
    old = {role: metadata.to_bytes() for role, metadata in lost.repository._files.load().targets.items()}
    assert not judge(current, (), old, RESTORED).is_any


def test_who_took_the_patches_key_away_ends_what_that_has_signed(lost: Lost) -> None:
    targets = lost.bench.repository._files.load().targets["targets"]
    new = public_key(Ed25519PrivateKey.generate())
    assert targets.signed.delegations is not None
    assert targets.signed.delegations.roles is not None
    old = targets.signed.delegations.roles["patches"].keyids[0]
    targets.signed.add_key(new, "patches")
    targets.signed.revoke_key(old, "patches")
    targets.signed.version += 1
    targets.sign(CryptoSigner(lost.bench.keys["root"]))
    with pytest.raises(NotAdoptableError, match="patches version [0-9]+ is not signed"):
        judge(lost.repository._files.load(), (), {"targets": targets.to_bytes()}, RESTORED)


def signed_again(lost: Lost, role: str, version: int, key: Ed25519PrivateKey) -> bytes:
    """Return what the server before has of a role, in another version and with another signature."""
    current = lost.bench.repository._files.load()
    alone: dict[str, Metadata[Any]] = {"snapshot": current.snapshot, "timestamp": current.timestamp}
    metadata = alone[role] if role in alone else current.targets[role]
    metadata.signed.version = version
    metadata.sign(CryptoSigner(key))
    return metadata.to_bytes()


@pytest.mark.parametrize("role", ["snapshot", "timestamp", "rollouts", "order"])
def test_who_has_stolen_a_key_cannot_drive_versions_up_to_where_pcs_accept_none(lost: Lost, role: str) -> None:
    """What is signed next is above what was adopted: above the largest version, no PC would take it, for ever."""
    lost.go_on()
    version = 1 << 62  # as PCs may have accepted it
    stolen = lost.bench.keys["patches" if role == "order" else role]
    evil = signed_again(lost, role, version, stolen)
    lost.hand_in(f".{role}.json")
    lost.presented.keep(f"metadata/{version}.{role}.json", evil)
    with pytest.raises(NotAdoptableError, match="ahead of this server's clock"):
        lost.repository.adopt_presented(RESTORED)
    lost.presented.clear()
    lost.hand_in()
    assert lost.repository.adopt_presented(RESTORED) is not None
    lost.pc()


def test_what_a_key_has_signed_that_was_taken_away_since_does_not_outlast_that(lost: Lost) -> None:
    """The server was set back to before that, and whoever has the old key comes first, with a high version."""
    old = lost.bench.keys["patches"]
    evil = signed_again(lost, "order", int(RESTORED), old)
    targets = lost.bench.repository._files.load().targets
    new = Ed25519PrivateKey.generate()
    delegations = targets["targets"].signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    targets["targets"].signed.add_key(public_key(new), "patches")
    targets["targets"].signed.revoke_key(delegations.roles["patches"].keyids[0], "patches")
    targets["targets"].signed.version = int(LATER)
    targets["targets"].sign(CryptoSigner(lost.bench.keys["root"]))
    bins.divide(targets, lambda *_: b"")
    honest = {"targets": targets["targets"].to_bytes()}
    for role in bins.PATCHES_FAMILY:
        targets[role].signed.version = int(LATER)
        targets[role].sign(CryptoSigner(new))
        honest[role] = targets[role].to_bytes()
    before = lost.repository._files.load()
    misled = judge(before, (), {"order": evil}, RESTORED).current
    assert misled.targets["order"].signed.version == int(RESTORED)
    after = judge(misled, (), honest, RESTORED).current
    assert {role: after.targets[role].to_bytes() for role in honest} == honest


def test_a_root_for_other_online_keys_is_refused_with_what_to_do(lost: Lost) -> None:
    current = lost.bench.repository._files.load()
    other = Bench(lost.bench.directory / "other")
    root = current.root
    root.signed.version += 1
    old = root.signed.roles["timestamp"].keyids[0]
    root.signed.add_key(public_key(other.keys["timestamp"]), "timestamp")
    root.signed.revoke_key(old, "timestamp")
    root.signatures.clear()
    root.sign(CryptoSigner(lost.bench.keys["root"]))
    lost.presented.keep("metadata/2.root.json", root.to_bytes())
    with pytest.raises(UserError, match="timestamp key is not the one"):
        lost.repository.adopt_presented(RESTORED)
    assert not (lost.home.tuf_metadata / "2.root.json").exists()


def test_a_path_out_of_the_folder_is_nowhere(lost: Lost) -> None:
    with pytest.raises(FileNotFoundError):
        lost.presented.keep("../../evil", b"x")
    assert lost.presented.roles() == {}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lost, dict[str, list[bytes]], dict[str, set[bytes]]]:
    """Return a restored server, files of each role that a PC may hand in, and those of them that are to be believed."""
    lost = Lost(tmp_path_factory.mktemp("pool"))
    older = {role: metadata.to_bytes() for role, metadata in lost.repository._files.load().targets.items()}
    lost.go_on()
    newer = {role: metadata.to_bytes() for role, metadata in lost.bench.repository._files.load().targets.items()}
    foreign = Bench(tmp_path_factory.mktemp("foreign"))
    foreign.publish("evil", "1", LATER)
    evil = {role: metadata.to_bytes() for role, metadata in foreign.repository._files.load().targets.items()}
    files = {
        role: [older[role], newer[role], evil[role], newer[role].replace(b"browser", b"bravest"), b"{}", b"[" * 9_999]
        for role in newer
    }
    files["unknown"] = [newer["patches"]]
    return lost, files, {role: {older[role], newer[role]} for role in newer}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_handed_in_nothing_counts_but_what_the_keys_have_signed_and_no_version_sinks(
    pool: tuple[Lost, dict[str, list[bytes]], dict[str, set[bytes]]], data: st.DataObject
) -> None:
    lost, files, believed = pool
    chosen = data.draw(st.dictionaries(st.sampled_from(sorted(files)), st.integers(0, 5), max_size=6))
    roles = {role: files[role][number % len(files[role])] for role, number in chosen.items()}
    current = lost.repository._files.load()
    try:
        newer = judge(current, (), roles, RESTORED)
    except NotAdoptableError:
        assert any(role not in believed or one not in believed[role] for role, one in roles.items())
        return
    for role, metadata in newer.current.targets.items():
        assert metadata.signed.version >= current.targets[role].signed.version
        assert metadata.to_bytes() in believed[role]
