"""`seed_server.publishing.publish`: the real store, child, database and repository; crashes between every two steps."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import pytest

from bench import sample_packages as packages
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, PieceIndex, parse_sha256
from p2pdist.shared.manifest.documents import Manifest, Rollouts
from p2pdist.shared.manifest.recipe import DebInstall, HealthCheck, PackageCheck, ScheduleRules, UnitCheck
from seed_server.initialising import initialise
from seed_server.publishing import publish as publishing
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import Published, publish
from seed_server.publishing.publish_lock import publish_lock
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore, verify_piece
from seed_server.store.database import Database, ServedPayload
from tests.helpers.fake_clock import FakeClock

NOW = 1_900_000_000.0
CLOCK = FakeClock(NOW)
SETTINGS = ServerSettings(name="hq", address="127.0.0.1")
PASSPHRASE = b"correct horse battery"


def recipe(*files: Path, **changes: Any) -> Recipe:
    payload = tuple(PayloadFile(file.as_posix(), language="" if n == 0 else f"l{n}") for n, file in enumerate(files))
    return Recipe(**({"patch_id": "office", "version": "1.0", "payload": payload} | changes))


class Server:
    """An initialised home and files to publish."""

    def __init__(self, directory: Path, passphrase: bytes | None = None) -> None:
        self.directory = directory
        self.home = ServerHome(directory / "home")
        initialise(self.home, SETTINGS, passphrase=passphrase, now=NOW)

    def file(self, name: str = "office.msi", seed: int = 1, length: int = 600_000) -> Path:
        path = self.directory / name
        path.write_bytes(random.Random(seed).randbytes(length))
        return path

    def publish(
        self,
        *files: Path,
        patch_id: str = "office",
        version: str = "1.0",
        offline_keys: Path | None = None,
        passphrase: bytes | None = None,
        **options: Any,
    ) -> Published:
        publication = Publication(recipe(*files, patch_id=patch_id, version=version))
        keys = OfflineKeys(offline_keys or self.home.offline_keys, passphrase)
        return publish(self.home, publication, keys, clock=CLOCK, **options)

    def rows(self) -> list[ServedPayload]:
        with Database.open(self.home.database) as database:
            return database.patches()

    def rollouts(self) -> Rollouts:
        return Repository.open(self.home, SETTINGS).current_rollouts()

    def announced(self) -> list[tuple[str, str]]:
        return [(entry.patch_id, entry.version) for entry in self.rollouts().entries]

    def content(self) -> set[str]:
        return {path.name for path in self.home.content.iterdir()}

    def check_all_announced_can_be_served(self) -> None:
        with Database.open(self.home.database) as database:
            rows = {row.torrent_hash: row for row in database.payloads()}
        store = ContentStore(self.home.content)
        payloads = [p for manifest in Repository.open(self.home, SETTINGS).manifests() for p in manifest.payloads]
        for payload in payloads:
            row = rows[payload.torrent_hash]
            assert (row.sha256, row.language, row.damaged) == (payload.sha256, payload.language, "")
            sha256 = parse_sha256(payload.sha256)
            hashes = store.piece_hashes(sha256)
            assert len(hashes) == row.piece_count
            for number, expected in enumerate(hashes):
                piece = store.read_piece(sha256, PieceIndex(number), row.piece_length_bytes)
                lengths = {"piece_length": row.piece_length_bytes, "file_length": row.length_bytes}
                assert verify_piece(piece, expected, **lengths)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_publication_is_announced_and_can_be_served(server: Server) -> None:
    stages: list[tuple[str, int, int]] = []
    published = server.publish(server.file(), on_progress=lambda *stage: stages.append(stage))
    assert not published.repaired
    assert (published.patch.sequence, published.patch.published_at) == (1, NOW)
    assert server.rows() == [published.patch]
    assert server.announced() == [("office", "1.0")]
    assert {stage: (done, total) for stage, done, total in stages} == {
        "copying": (600_000, 600_000),
        "hashing": (600_000, 600_000),
    }
    server.check_all_announced_can_be_served()


def test_a_newer_version_becomes_the_current_one(server: Server) -> None:
    server.publish(server.file())
    server.publish(server.file(seed=2), version="1.1")
    server.publish(server.file(seed=3), patch_id="word")
    assert [(e.patch_id, e.version, e.sequence) for e in server.rollouts().entries] == [
        ("office", "1.1", 2),
        ("word", "1.0", 3),
    ]
    assert len(server.rows()) == 3
    server.check_all_announced_can_be_served()


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (lambda s: s.directory / "missing.bin", {}, "There is no file"),
        (lambda s: s.file(length=0), {}, "is empty"),
        (lambda s: s.directory, {}, "is a directory"),
        (lambda s: s.file(name=".hidden"), {}, "file name"),
        (lambda s: s.file(), {"patch_id": "a/b"}, "patch id"),
        (lambda s: s.file(), {"version": " "}, "version"),
        (lambda s: s.file(seed=2), {"patch_id": "old"}, "old 1.0 is published already"),
    ],
)
def test_what_is_refused_leaves_nothing(
    server: Server, make: Callable[[Server], Path], options: dict[str, Any], words: str
) -> None:
    server.publish(server.file(seed=7), patch_id="old")
    before = (server.content(), server.rows(), server.rollouts())
    with pytest.raises(UserError, match=words) as caught:
        server.publish(make(server), **options)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert (server.content(), server.rows(), server.rollouts()) == before


def test_a_home_that_is_not_initialised(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the home of a seed server") as caught:
        publish(ServerHome(tmp_path), Publication(recipe(tmp_path / "x")), OfflineKeys(tmp_path), clock=CLOCK)
    assert caught.value.kind is FaultKind.NOT_SET_UP


def test_the_offline_folder_may_be_elsewhere(server: Server) -> None:
    safe = server.directory / "safe"
    server.home.offline_keys.rename(safe)
    with pytest.raises(UserError, match="attach the offline folder"):
        server.publish(server.file())
    server.publish(server.file(), offline_keys=safe)
    assert server.announced() == [("office", "1.0")]


def test_another_servers_offline_folder_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Server(tmp_path / "other")
    with pytest.raises(UserError, match="not the one that this repository trusts"):
        server.publish(server.file(), offline_keys=other.home.offline_keys)
    assert not server.content()


def test_encrypted_keys_need_their_passphrase(tmp_path: Path) -> None:
    server = Server(tmp_path, PASSPHRASE)
    for passphrase, words in ((None, "is encrypted"), (b"wrong horse battery", "does not open")):
        with pytest.raises(UserError, match=words):
            server.publish(server.file(), passphrase=passphrase)
    server.publish(server.file(), passphrase=PASSPHRASE)
    assert Repository.open(server.home, SETTINGS).refresh_timestamp(NOW, force=True)  # serve needs none


def test_two_publications_at_the_same_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "publish_lock", partial(publish_lock, wait_seconds=0.1))
    with filelock.FileLock(server.home.publish_lock), pytest.raises(UserError, match="is at work") as caught:
        server.publish(server.file())
    assert caught.value.kind is FaultKind.BUSY


def test_a_file_that_changes_after_it_was_looked_into_is_not_published(server: Server) -> None:
    first, second = server.file("a.msi"), server.file("b.msi", seed=2)

    def change(stage: str, *_: int) -> None:
        if stage == "copying" and second.stat().st_size == 600_000:
            server.file("b.msi", seed=3, length=600_001)

    with pytest.raises(UserError, match=r"b\.msi changed while it was read") as caught:
        server.publish(first, second, on_progress=change)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert server.announced() == []
    assert not server.content()


class Killed(BaseException):
    """The process ends here, and cleans nothing up."""


STEPS = [
    (publishing, "build_torrent"),
    (ContentStore, "keep"),
    (ContentStore, "write_piece_hashes"),
    (Database, "add_patch"),
    (Repository, "publish_patch"),
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "step"), STEPS)
@pytest.mark.parametrize("dead", [True, False], ids=["killed", "interrupted"])
def test_whatever_ends_it_nothing_half_made_is_announced_and_the_next_run_works(
    server: Server, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, moment: str, dead: bool
) -> None:
    server.publish(server.file(seed=5), patch_id="old")
    real = getattr(owner, step)

    def end(*arguments: Any, **named: Any) -> Any:
        if moment == "after":
            real(*arguments, **named)
        raise Killed

    files = (server.file(), server.file("office-ja.msi", seed=2, length=100))
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, end)
        if dead:
            patch.setattr(publishing.PublishingWork, "undo_unless_announced", lambda *_: None)
            patch.setattr("shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            server.publish(*files)
    announced = (step, moment) == ("publish_patch", "after")
    assert server.announced() == [("old", "1.0"), *([("office", "1.0")] if announced else [])]
    server.check_all_announced_can_be_served()
    if not dead and not announced:
        assert len(server.rows()) == len(server.content()) / 2 == 1
        assert server.content() <= {name for row in server.rows() for name in (row.sha256, f"{row.sha256}.pieces")}
    if announced:
        with pytest.raises(UserError, match="published already"):
            server.publish(*files)
    else:
        # under another name: the rows of the dead one must not stand in the way
        server.publish(*files, patch_id="renamed")
        assert server.announced() == [("old", "1.0"), ("renamed", "1.0")]
        assert {row.patch_id for row in server.rows()} == {"old", "renamed"}
    server.check_all_announced_can_be_served()
    assert not [name for name in server.content() if name.startswith(".")]


def mark_damaged(server: Server, row: ServedPayload) -> None:
    (server.home.content / row.sha256).write_bytes(b"tampered")
    with Database.open(server.home.database) as database:
        database.mark_damaged(row.torrent_hash, "piece 0 is not what was published")


def remove_payload(server: Server, row: ServedPayload) -> None:
    (server.home.content / row.sha256).unlink()


def forget_row(server: Server, row: ServedPayload) -> None:
    with Database.open(server.home.database) as database:
        database.remove_patch(row.patch_id, row.version)


@pytest.mark.parametrize("damage", [mark_damaged, remove_payload, forget_row])
def test_the_same_publication_again_repairs_a_payload(
    server: Server, damage: Callable[[Server, ServedPayload], None]
) -> None:
    file = server.file()
    row = server.publish(file).patch
    damage(server, row)
    coded_by_it = server.home.coded / ("a" * 64) / row.sha256
    coded_by_it.mkdir(parents=True)
    with pytest.raises(UserError, match="published with other content"):
        server.publish(server.file("other.msi", seed=9))
    version = Repository.open(server.home, SETTINGS).timestamp_version()
    server.home.offline_keys.rename(server.directory / "safe")  # nothing new is signed offline
    published = server.publish(file)
    assert published.repaired
    assert not coded_by_it.exists()
    assert published.patch == row
    assert server.rows() == [row]
    assert server.announced() == [("office", "1.0")]
    assert Repository.open(server.home, SETTINGS).timestamp_version() == version + 1
    server.check_all_announced_can_be_served()


def test_a_payload_that_the_publication_describes_stays_as_it_was(server: Server) -> None:
    file = server.file()
    server.publish(file)
    file.write_bytes(b"changed afterwards")
    server.check_all_announced_can_be_served()
    with pytest.raises(UserError, match="published with other files"):
        publish(
            server.home,
            Publication(recipe(file, title="again")),
            OfflineKeys(server.home.offline_keys),
            clock=CLOCK,
        )


class TestVariants:
    def test_all_are_announced_and_can_be_served(self, server: Server) -> None:
        stages: dict[str, tuple[int, int]] = {}
        files = (server.file(), server.file("office-ja.msi", seed=2), server.file("office-zh.msi", seed=3, length=5))
        published = server.publish(*files, on_progress=lambda stage, *done: stages.update({stage: done}))
        assert stages == {"copying": (1_200_005, 1_200_005), "hashing": (1_200_005, 1_200_005)}
        assert [row.file_name for row in published.payloads] == ["office.msi", "office-ja.msi", "office-zh.msi"]
        (manifest,) = Repository.open(server.home, SETTINGS).manifests()
        assert [(one.language, one.length_bytes) for one in manifest.payloads] == [
            ("", 600_000),
            ("l1", 600_000),
            ("l2", 5),
        ]
        server.check_all_announced_can_be_served()

    def test_the_same_content_twice_is_refused_and_leaves_nothing(self, server: Server) -> None:
        with pytest.raises(UserError, match="content of another payload"):
            server.publish(server.file(), server.file("again.msi"))
        assert (server.content(), server.rows(), server.announced()) == (set(), [], [])

    def test_one_damaged_variant_is_repaired_by_its_file_alone(self, server: Server) -> None:
        files = (server.file(), server.file("office-ja.msi", seed=2))
        published = server.publish(*files)
        mark_damaged(server, published.payloads[1])
        with pytest.raises(UserError, match=r"office-ja\.msi of office 1\.0 is damaged"):
            server.publish(files[0])
        again = server.publish(files[1])
        assert (again.repaired, again.payloads) == (True, published.payloads)
        server.check_all_announced_can_be_served()
        for row in published.payloads:
            remove_payload(server, row)
        assert server.publish(*files).repaired
        server.check_all_announced_can_be_served()


class TestRecipes:
    def publish(self, server: Server, patch_id: str, seed: int, **changes: Any) -> Manifest:
        file = server.file(seed=seed, length=10)
        if "install" in changes:
            file.write_bytes(packages.deb(version="1.0"))
        publication = Publication(recipe(file, patch_id=patch_id, **changes))
        publish(server.home, publication, OfflineKeys(server.home.offline_keys), clock=CLOCK)
        found = {manifest.patch_id: manifest for manifest in Repository.open(server.home, SETTINGS).manifests()}
        return found[patch_id]

    def test_the_manifest_carries_the_recipe(self, server: Server) -> None:
        fields: dict[str, Any] = {
            "applies_to": 'os.family == "debian"',
            "install": DebInstall(package="acme", version="1.0"),
            "detect": (PackageCheck(name="acme", at_least="1.0"),),
            "health": HealthCheck(checks=(UnitCheck(unit="acme.service"),)),
            "schedule": ScheduleRules(windows=("mon-fri 22:00-05:00",)),
        }
        manifest = self.publish(server, "acme", 1, **fields)
        assert {name: getattr(manifest, name) for name in fields} == fields

    def test_what_is_required_is_published_before(self, server: Server) -> None:
        with pytest.raises(UserError, match="requires base, which is not published") as caught:
            self.publish(server, "acme", 1, requires=("base",))
        assert caught.value.kind is FaultKind.BAD_INPUT
        self.publish(server, "base", 2)
        assert self.publish(server, "acme", 1, requires=("base",)).requires == ("base",)
        with pytest.raises(UserError, match="patches wait for each other"):
            self.publish(server, "base", 3, version="2.0", requires=("acme",))
        assert server.announced() == [("base", "1.0"), ("acme", "1.0")]

    def test_versions_that_are_offered_no_more_wait_for_nothing(self, server: Server) -> None:
        self.publish(server, "base", 1)
        self.publish(server, "acme", 2, requires=("base",))
        self.publish(server, "acme", 3, version="2.0")
        self.publish(server, "base", 4, version="2.0", requires=("acme",))
        assert server.announced() == [("acme", "2.0"), ("base", "2.0")]

    def test_a_wrong_place_in_an_expression_is_pointed_at(self, server: Server) -> None:
        with pytest.raises(UserError, match="column 5: os.build is a number") as caught:
            self.publish(server, "acme", 1, applies_to='not os.build == "1"')
        assert caught.value.message.endswith('    not os.build == "1"\n        ^')
        assert not server.content()


class TestOrder:
    def numbers(self, server: Server) -> dict[str, tuple[int, bool]]:
        manifests = Repository.open(server.home, SETTINGS).manifests()
        return {f"{one.patch_id}@{one.version}": (one.number, one.downgrade) for one in manifests}

    def publish(self, server: Server, version: str, seed: int, **changes: Any) -> None:
        publication = Publication(recipe(server.file(seed=seed, length=10), version=version, **changes))
        publish(server.home, publication, OfflineKeys(server.home.offline_keys), clock=CLOCK)

    def test_each_publication_has_the_next_number_and_only_the_last_two_stay_listed(self, server: Server) -> None:
        for seed, version in enumerate(("1.0", "1.1", "1.2"), 1):
            self.publish(server, version, seed)
        self.publish(server, "1.0", 4, patch_id="word")
        assert self.numbers(server) == {"office@1.1": (2, False), "office@1.2": (3, False), "word@1.0": (1, False)}
        order = Repository.open(server.home, SETTINGS).publication_order()
        assert {name: (one.newest, one.lowest) for name, one in order.patches.items()} == {
            "office": (3, 3),
            "word": (1, 1),
        }
        # the publication after removes what is not listed any more
        assert {(row.patch_id, row.version) for row in server.rows()} == {
            ("office", "1.1"), ("office", "1.2"), ("word", "1.0"),
        }  # fmt: skip
        server.check_all_announced_can_be_served()

    def test_what_it_supersedes_is_signed_in_numbers(self, server: Server) -> None:
        self.publish(server, "1.0", 1, patch_id="old")
        self.publish(server, "1.1", 2, patch_id="old")
        self.publish(server, "1.0", 3, patch_id="older")
        self.publish(server, "2.0", 4, supersedes=("old", "older@1.0", "office", "never@1"))
        found = {one.ref: one.replaces for one in Repository.open(server.home, SETTINGS).manifests()}
        assert found[PatchRef("office", "2.0")] == {"old": 2, "older": 1}

    def test_a_step_back_has_to_be_asked_for(self, server: Server) -> None:
        self.publish(server, "1.9", 1)
        self.publish(server, "1.10", 2)
        for version, seed, words in (
            ("1.9", 1, r"office 1\.9 is published already.*To go back from 1\.10 to it, add --downgrade"),
            ("1.8", 3, r"1\.8 is earlier than 1\.10, which is the newest office: PCs would go back"),
        ):
            with pytest.raises(UserError, match=words):
                self.publish(server, version, seed)
        self.publish(server, "beta", 4)  # whether that is earlier, nobody knows
        assert self.numbers(server) == {"office@1.10": (2, False), "office@beta": (3, False)}

    def test_going_back_is_a_publication_with_a_number_of_its_own(self, server: Server) -> None:
        self.publish(server, "1.0", 1)
        self.publish(server, "1.1", 2)
        with pytest.raises(UserError, match="was published with other files"):
            self.publish(server, "1.0", 9, downgrade=True)
        self.publish(server, "1.0", 1, downgrade=True)
        assert self.numbers(server) == {"office@1.1": (2, False), "office@1.0": (3, True)}
        assert server.announced() == [("office", "1.0")]
        server.check_all_announced_can_be_served()
        with pytest.raises(UserError, match="is published already"):
            self.publish(server, "1.0", 1, downgrade=True)
        self.publish(server, "1.2", 3)
        assert self.numbers(server) == {"office@1.0": (3, True), "office@1.2": (4, False)}

    def test_the_same_bytes_are_published_again(self, server: Server) -> None:
        self.publish(server, "1.0", 1)
        (first,) = Repository.open(server.home, SETTINGS).manifests()
        for version, changes in (
            ("1.1", {}),
            ("1.1", {"title": "with another title"}),
            ("7", {"patch_id": "word"}),
        ):
            publication = Publication(recipe(server.file(seed=1, length=10), version=version, **changes))
            keys = OfflineKeys(server.home.offline_keys)
            published = publish(server.home, publication, keys, clock=CLOCK)
            assert first.ref in published.same_bytes or version == "1.1"
            assert published.patch.torrent_hash == first.payloads[0].torrent_hash
        assert self.numbers(server) == {"office@1.0": (1, False), "office@1.1": (3, False), "word@7": (1, False)}
        assert server.announced() == [("office", "1.1"), ("word", "7")]
        assert len(server.content()) == 2, "one payload and the hashes of its pieces"
        server.check_all_announced_can_be_served()

    def test_a_damaged_file_that_several_patches_share_is_repaired_for_all(self, server: Server) -> None:
        for patch_id in ("office", "word", "calc"):
            self.publish(server, "1.0", 1, patch_id=patch_id)
            mark_damaged(server, server.rows()[-1])
        assert [row.patch_id for row in server.rows() if row.damaged] == ["office", "word", "calc"]
        self.publish(server, "1.0", 1, patch_id="word")
        assert [row for row in server.rows() if row.damaged] == []
        server.check_all_announced_can_be_served()

    def test_going_back_repairs_what_was_damaged_here(self, server: Server) -> None:
        self.publish(server, "1.0", 1)
        self.publish(server, "1.1", 2)
        (old,) = (row for row in server.rows() if row.version == "1.0")
        mark_damaged(server, old)
        self.publish(server, "1.0", 1, downgrade=True)
        assert self.numbers(server)["office@1.0"] == (3, True)
        server.check_all_announced_can_be_served()

    def test_there_must_be_something_to_go_back_from(self, server: Server) -> None:
        with pytest.raises(UserError, match="No office was published that it could go back from"):
            self.publish(server, "1.0", 1, downgrade=True)
        assert not server.content()
