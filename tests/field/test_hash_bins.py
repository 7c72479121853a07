"""What PCs make of a `patches` role that the server has divided: those of release 0.2.0, and newer ones."""

import json
import shutil
import time
from pathlib import Path

import pytest
from tuf.ngclient import Updater
from tuf.ngclient.config import UpdaterConfig

from p2pdist.shared.manifest.documents import ROLLOUTS_TARGET, Manifest, encode_rollouts
from p2pdist.shared.manifest.publication_order import ORDER_TARGET
from p2pdist.shared.wire.trust_news import decode_news
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.errors import TrustError
from p2pdist.trust.http_answers import HttpAnswer
from p2pdist.trust.store import TrustStore
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import create_signing_key, key_path
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS, ONLINE_ROLES
from seed_server.store.trust_news import BY_DIFFERENCES, IN_WHOLE_FILES, KEPT, SWAPPED, NewsForm, TrustNewsReader
from tests.helpers.old_repository import manifest_of, publish_as_release_0_2_0, torrent_of
from tests.helpers.signing_desk import DirectoryHttp
from tests.unit.seed_server.signing.test_repository import DirectoryFetcher

NOW = time.time()  # python-tuf's own client looks at the real clock
DAY = 86_400.0
SETTINGS = ServerSettings(name="hq", address="127.0.41.1")
PATCHES = ("office", "vpn", "kernel", "browser", "reader", "editor")
MAX_ROLES_0_2_0 = 64


class CountedHttp(DirectoryHttp):
    """Remembers which files were asked for, without their hashes and versions."""

    def __init__(self, home: ServerHome) -> None:
        super().__init__(home)
        self.asked: list[str] = []

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        self.asked.append(url.rpartition("/")[2].partition(".")[2])
        return await super().get(url, max_bytes=max_bytes)


class Server:
    def __init__(self, directory: Path, now: float = NOW) -> None:
        self.directory, self.home = directory, ServerHome(directory / "home")
        keys = {name: create_signing_key(key_path(self.home.offline_keys, name), None) for name in OFFLINE_KEYS}
        self.keys = keys | {
            name: create_signing_key(key_path(self.home.online_keys, name), None) for name in ONLINE_ROLES
        }
        self.repository = Repository.create(self.home, SETTINGS, self.keys, now)
        self.http = CountedHttp(self.home)

    def publish(self, patch_id: str, version: str = "1", now: float = NOW) -> Manifest:
        number = self.repository.publication_order().next_number(patch_id)  # type: ignore[arg-type]
        manifest = manifest_of(patch_id, version, number=number, now=now)
        rollouts = with_entry(self.repository.current_rollouts(), manifest.ref)
        key = self.keys["patches"]
        self.repository.publish_patch(manifest, [torrent_of(manifest)], rollouts, patches_key=key, now=now)
        return manifest

    def pc(self, name: str = "pc") -> TrustStore:
        root = self.repository.trusted_root().encode()
        return TrustStore(self.directory / name, base_url="https://127.0.0.1:8443", root=root, http=self.http)

    def old_pc(self, name: str) -> Updater:
        """A PC as release 0.2.0 had it: python-tuf's client with its caps; it knows nothing of parts of the order."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return Updater(
            metadata_dir=str(directory), metadata_base_url="https://127.0.0.1/metadata/",
            target_dir=str(directory), target_base_url="https://127.0.0.1/targets/",
            fetcher=DirectoryFetcher(self.home), bootstrap=self.repository.trusted_root().encode(),
            config=UpdaterConfig(snapshot_max_length=64 << 10, max_delegations=MAX_ROLES_0_2_0),
        )  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.fixture
def old_server(tmp_path: Path) -> Server:
    """A server whose patches release 0.2.0 has published."""
    server = Server(tmp_path)
    manifests = [manifest_of(patch_id, "1") for patch_id in PATCHES]
    publish_as_release_0_2_0(server.repository, manifests, server.keys, NOW)
    return server


def offered(catalogue: Catalogue) -> list[str]:
    assert not catalogue.refused
    assert not catalogue.not_applicable
    return [str(patch.manifest.ref) for patch in catalogue.patches]


def found_by_old_pc(server: Server, name: str) -> bool:
    pc = server.old_pc(name)
    pc.refresh()
    wanted = [
        ORDER_TARGET,
        *(f"patches/{entry.ref}.manifest" for entry in server.repository.current_rollouts().entries),
    ]
    wanted += [f"torrents/{one.payloads[0].torrent_hash}.torrent" for one in server.repository.manifests()]
    return all(pc.get_targetinfo(target) is not None for target in wanted)


async def test_a_repository_of_release_0_2_0_is_divided_by_its_next_publication(old_server: Server) -> None:
    pc = old_server.pc()
    assert len(offered(await pc.refresh(NOW))) == len(PATCHES)
    assert found_by_old_pc(old_server, "old")
    old_server.publish("shell")
    wanted = [*(f"{patch_id}@1" for patch_id in PATCHES), "shell@1"]
    assert offered(await pc.refresh(NOW)) == offered(await old_server.pc("new").refresh(NOW)) == wanted
    assert found_by_old_pc(old_server, "old"), "one that knew the single role"
    assert found_by_old_pc(old_server, "older"), "and one that is new"
    snapshot = max(old_server.home.tuf_metadata.glob("*.snapshot.json"), key=lambda path: int(path.name.split(".")[0]))
    assert len(json.loads(snapshot.read_bytes())["signed"]["meta"]) < MAX_ROLES_0_2_0


async def test_a_repository_of_release_0_2_0_is_divided_by_a_renewal(old_server: Server) -> None:
    old_server.repository.renew_offline_roles({name: old_server.keys[name] for name in OFFLINE_KEYS}, NOW)
    assert len(list(old_server.home.tuf_metadata.glob("*.manifests-*.json"))) == 32
    assert len(offered(await old_server.pc().refresh(NOW))) == len(PATCHES)
    assert found_by_old_pc(old_server, "old")


async def test_a_publication_costs_a_pc_one_bin_and_one_part_of_the_order(old_server: Server) -> None:
    old_server.publish("shell")
    pc = old_server.pc()
    await pc.refresh(NOW)
    for version in ("2", "3", "4"):
        old_server.http.asked.clear()
        old_server.publish("office", version)
        assert f"office@{version}" in offered(await pc.refresh(NOW))
        asked = old_server.http.asked
        assert not [name for name in asked if name.startswith("torrents-") or name == "order"], "for release 0.2.0"
        bins = [name for name in asked if name.startswith("manifests-")]
        parts = [name for name in asked if name.startswith("order-")]
        assert (len(bins), len(parts)) == (1, 1), asked
        assert "patches.json" not in asked


@pytest.mark.parametrize("form", [IN_WHOLE_FILES, BY_DIFFERENCES, SWAPPED])
def test_news_hold_nothing_that_only_release_0_2_0_reads(server: Server, form: NewsForm) -> None:
    server.publish("office")
    known = max(int(path.name.partition(".")[0]) for path in server.home.tuf_metadata.glob("*.snapshot.json"))
    server.publish("vpn")
    answer = TrustNewsReader(server.home.tuf_metadata, server.home.tuf_targets).answer(1, known, form)
    news = decode_news(answer or b"")
    names = {path.rpartition("/")[2].partition(".")[2] for path in (*news.files, *news.changed)}
    assert not [name for name in names if name.startswith("torrents-") or name == "order"]
    kinds = {name.partition("-")[0] for name in names}
    assert {"manifests", "order.json", "order", "rollouts.json", "current", "snapshot.json"} <= kinds
    assert [name for name in names if name.endswith(".torrent")]


async def test_an_order_that_release_0_2_0_reads_whole_says_the_same_as_its_parts(old_server: Server) -> None:
    old_server.publish("office", "2")
    old_server.repository.withdraw_patch(
        old_server.repository.current_rollouts().entries[0].ref, "bad", patches_key=old_server.keys["patches"], now=NOW
    )
    pc = old_server.old_pc("old")
    pc.refresh()
    info = pc.get_targetinfo(ORDER_TARGET)
    assert info is not None
    assert old_server.repository.publication_order().patches["office"].newest == 2
    assert old_server.repository.publication_order().patches["vpn"].lowest == 2


async def test_what_was_accepted_from_bins_is_read_again_without_the_server(server: Server) -> None:
    for patch_id in PATCHES:
        server.publish(patch_id)
    assert len(offered(await server.pc().refresh(NOW))) == len(PATCHES)
    cached = await server.pc().load_cached(NOW)
    assert cached is not None
    assert len(offered(cached)) == len(PATCHES)


async def test_a_stolen_server_brings_no_older_publication_back(server: Server) -> None:
    server.publish("office", "1")
    server.publish("office", "2")
    server.publish("vpn")
    pc = server.pc()
    assert offered(await pc.refresh(NOW)) == ["office@2", "vpn@1"]
    current = server.repository._files.load()  # with the online keys, as a thief has them
    rollouts = with_entry(server.repository.current_rollouts(), manifest_of("office", "1").ref)
    writer = server.repository._writer
    writer.add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, encode_rollouts(rollouts))
    writer.commit(current, ("rollouts",), {}, NOW)
    for name in ("pc", "new"):
        catalogue = await server.pc(name).refresh(NOW)
        assert [str(patch.manifest.ref) for patch in catalogue.patches] == ["vpn@1"]
        assert [str(one.manifest.ref) for one in catalogue.not_applicable] == ["office@1"]


@pytest.mark.parametrize("role", ["order", "manifests"])
async def test_a_bin_that_is_older_or_gone_is_refused(server: Server, role: str) -> None:
    server.publish("office", "1")
    pc = server.pc()
    await pc.refresh(NOW)
    current = server.repository._files.load()
    meta = current.snapshot.signed.meta
    name = next(name for name in sorted(meta) if name.startswith(role))
    gone = meta.pop(name)
    server.repository._writer.commit(current, (), {}, NOW, snapshot=True)
    with pytest.raises(TrustError, match=f"missing info for .{name}"):
        await pc.refresh(NOW)
    gone.version -= 1
    meta[name] = gone
    server.repository._writer.commit(current, (), {}, NOW, snapshot=True)
    with pytest.raises(TrustError, match=name.removesuffix(".json")):
        await pc.refresh(NOW)


def test_bins_live_as_long_as_patches_and_are_signed_with_it_at_half_of_their_life(server: Server) -> None:
    server.publish("office")
    before = len(list(server.home.tuf_metadata.glob("*.manifests-*.json")))
    server.publish("office", "2", now=NOW + 44 * DAY)
    assert len(list(server.home.tuf_metadata.glob("*.manifests-*.json"))) == before + 1
    (patches,) = (one for one in server.repository.expiries() if one.role == "patches")
    assert round((patches.expires_at - NOW) / DAY) == 90, "the first bin to expire"
    server.publish("office", "3", now=NOW + 46 * DAY)
    assert len(list(server.home.tuf_metadata.glob("*.manifests-*.json"))) >= before + 32
    (patches,) = (one for one in server.repository.expiries() if one.role == "patches")
    assert round((patches.expires_at - NOW) / DAY) >= 44 + 90


async def test_a_renewal_after_a_restore_signs_all_that_pcs_have_seen_newer(server: Server) -> None:
    server.publish("office", "1")
    shutil.copytree(server.home.root / "tuf", server.directory / "backup")
    pc = server.pc()
    for number, patch_id in enumerate(PATCHES, 1):
        server.publish(patch_id, "2", now=NOW + number)
    await pc.refresh(NOW)
    shutil.rmtree(server.home.root / "tuf")
    shutil.copytree(server.directory / "backup", server.home.root / "tuf")
    keys = {name: server.keys[name] for name in OFFLINE_KEYS}
    server.repository.renew_offline_roles(keys, NOW + DAY)
    with pytest.raises(TrustError):
        await pc.refresh(NOW + DAY)
    server.repository.renew_offline_roles(keys, NOW + DAY, young_too=True)
    assert offered(await pc.refresh(NOW + DAY)) == ["office@1"]


def test_a_renewal_signs_no_bin_that_is_young(server: Server) -> None:
    server.publish("office")
    before = {path.name for path in server.home.tuf_metadata.iterdir()}
    server.repository.renew_offline_roles({name: server.keys[name] for name in OFFLINE_KEYS}, NOW + 10 * DAY)
    new = {path.name for path in server.home.tuf_metadata.iterdir()} - before
    assert not [name for name in new if "manifests-" in name or "torrents-" in name]


class ControlConnection:
    """The way to the news over the control connection, without the connection."""

    def __init__(self, server: Server) -> None:
        self._reader = TrustNewsReader(server.home.tuf_metadata, server.home.tuf_targets)
        self.everything: list[int] = []
        """The lengths of answers with everything."""

    async def ask(self, root: int, snapshot: int) -> bytes | None:
        return self._reader.answer(root, snapshot, BY_DIFFERENCES)

    async def ask_everything(self, root: int, snapshot: int) -> bytes | None:
        answer = self._reader.answer(root, snapshot, KEPT)
        self.everything.append(len(answer or b""))
        return answer


async def test_who_keeps_everything_gets_a_publication_by_what_is_new_in_it(server: Server) -> None:
    """By whole files it cost each of eight PCs 190 kB at 4,000 patches, over the line of their site."""
    for number in range(150):
        server.publish(f"patch-{number}")
    root, control = server.repository.trusted_root().encode(), ControlConnection(server)
    pc = TrustStore(
        server.directory / "keeper", base_url="https://127.0.0.1:8443", root=root, http=server.http, ask_news=control
    )
    pc.keeps_all = True
    await pc.refresh(NOW)
    await pc.keep_spare()
    assert not control.everything, "of what is not here, nothing can be told by differences"
    for patch_id in ("new-1", "new-2", "new-3"):
        server.publish(patch_id)
        server.http.asked.clear()
        await pc.refresh(NOW)
        await pc.keep_spare()
        assert not server.http.asked
        assert control.everything.pop() < 8_000
        told = await pc.told()
        assert told is not None
        assert told.complete
    server.publish("new-4")
    await pc.refresh(NOW)  # and the next one comes before it has kept this one
    server.publish("new-5")
    server.http.asked.clear()
    await pc.refresh(NOW)
    await pc.keep_spare()
    assert not server.http.asked
    told = await pc.told()
    assert told is not None
    assert told.complete
