"""`seed_server.publishing.prepared`: a patch waits, is finished or dropped; whatever ends that, nothing breaks."""

import contextlib
import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.publication_order import Publications
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.prepared import drop, finish, prepare
from seed_server.publishing.publish import publish
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.bundle import Bundle, encode_bundle
from seed_server.signing.bundle_check import check_bundle
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.proposals import Proposals
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from tests.helpers.fake_clock import FakeClock

NOW = 1_900_000_000.0
CLOCK = FakeClock(NOW)


def unsaid(_bundle: Bundle) -> contextlib.AbstractContextManager[None]:
    """Announce nothing."""
    return contextlib.nullcontext()


SETTINGS = ServerSettings(name="hq", address="127.0.0.1")


class Server:
    """An initialised home, and what a signer would do with a bundle."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = ServerHome(directory / "home")
        initialise(self.home, SETTINGS, passphrase=None, now=NOW)
        self.keys = OfflineKeys(self.home.offline_keys)

    def publication(self, patch_id: str = "office", version: str = "1.0", seed: int = 1) -> Publication:
        path = self.directory / f"{patch_id}-{seed}.msi"
        path.write_bytes(random.Random(seed).randbytes(300_000))
        return Publication(Recipe(patch_id=patch_id, version=version, payload=(PayloadFile(path.as_posix()),)))

    def prepare(self, *names: Any, by_rings: bool = False, **named: Any) -> Bundle:
        publication = self.publication(*names, **named)
        return prepare(self.home, publication, actor="ann", clock=CLOCK, announced=unsaid, by_rings=by_rings)

    def signed(self, bundle: Bundle) -> Bundle:
        root = Repository.open(self.home, SETTINGS).trusted_root().encode()
        return check_bundle(bundle, root, NOW).sign({"patches": self.keys.load("patches")})

    def finish(self, bundle: Bundle, *, offered: bool = True) -> list[str]:
        finished = finish(self.home, self.signed(bundle), clock=CLOCK, offered=offered)
        return [row.file_name for row in finished.payloads]

    def publish(self, *names: Any, **named: Any) -> None:
        publish(self.home, self.publication(*names, **named), self.keys, clock=CLOCK)

    def announced(self) -> list[str]:
        return [str(entry.ref) for entry in Repository.open(self.home, SETTINGS).current_rollouts().entries]

    def rows(self) -> list[str]:
        with Database.open(self.home.database) as database:
            return [str(row.ref) for row in database.patches()]

    def content(self) -> int:
        return len([path for path in self.home.content.iterdir() if not path.name.endswith(".pieces")])


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_it_waits_unserved_and_is_announced_when_it_is_finished(server: Server) -> None:
    bundle = server.prepare()
    assert (server.announced(), server.rows(), server.content()) == ([], [], 1)
    assert PreparedBundles(server.home).all() == [bundle]
    assert server.finish(bundle) == ["office-1.msi"]
    assert (server.announced(), server.rows()) == (["office@1.0"], ["office@1.0"])
    assert PreparedBundles(server.home).all() == []
    with pytest.raises(UserError, match="was finished or dropped since"):
        server.finish(bundle)


def test_another_publication_goes_on_and_spares_what_waits(server: Server) -> None:
    waiting = server.prepare()
    server.publish("word", seed=2)
    assert server.content() == 2
    with pytest.raises(UserError, match="older state of patches"):
        server.finish(waiting)
    assert (server.announced(), server.rows(), server.content()) == (["word@1.0"], ["word@1.0"], 2)
    assert drop(server.home, waiting.bundle_id, unsaid, clock=CLOCK) == waiting
    assert server.content() == 1
    again = server.prepare()
    assert server.finish(again)
    assert server.announced() == ["word@1.0", "office@1.0"]


def test_two_bundles_of_one_file_share_it(server: Server) -> None:
    one, two = server.prepare(), server.prepare(version="1.1")
    drop(server.home, one.bundle_id, unsaid, clock=CLOCK)
    assert server.content() == 1
    assert server.finish(two)


def test_what_is_for_rings_is_offered_to_nobody_when_it_is_finished(server: Server) -> None:
    server.publish()
    bundle = server.prepare(version="2.0", seed=2, by_rings=True)
    assert bundle.bundle_id != replace(bundle, by_rings=False).bundle_id
    assert server.finish(bundle)
    assert (server.announced(), server.rows()) == (["office@1.0"], ["office@1.0", "office@2.0"])
    repository = Repository.open(server.home, SETTINGS)
    assert repository.publication_order().patches["office"] == Publications(newest=2, lowest=1)
    server.prepare(version="3.0", seed=3, by_rings=True)  # nothing that is offered goes with it
    assert {one.ref.version for one in repository.manifests()} == {"1.0", "2.0"}


def test_what_is_for_every_pc_is_not_finished_by_rings_where_it_would_take_away_what_is_offered(server: Server) -> None:
    first = server.prepare()
    assert server.finish(first, offered=False), "nothing of it was offered before"
    server.publish(version="1.1", seed=3)
    bundle = server.prepare(version="2.0", seed=2)
    with pytest.raises(UserError, match="none may install office@1.1 any more.*prepare it for rings"):
        server.finish(bundle, offered=False)
    assert server.announced() == ["office@1.1"]
    assert server.finish(bundle)


def test_a_bundle_for_every_pc_is_written_as_before(server: Server) -> None:
    assert b"by_rings" not in encode_bundle(server.prepare())


def test_another_recipe_of_an_offered_version_is_offered_to_nobody_before_its_rings(server: Server) -> None:
    server.publish()
    same = server.publication()
    corrected = dataclasses.replace(same, recipe=replace(same.recipe, title="Office, corrected"))
    publish(server.home, corrected, server.keys, clock=CLOCK, offered=False)
    assert server.announced() == []


def test_what_cannot_be_published_is_not_prepared(server: Server) -> None:
    server.publish()
    for publication, words in ((server.publication(), "published already"),):
        with pytest.raises(UserError, match=words) as caught:
            prepare(server.home, publication, actor="ann", clock=CLOCK, announced=unsaid)
        assert caught.value.kind is FaultKind.BAD_INPUT
    assert (PreparedBundles(server.home).all(), server.content()) == ([], 1)


def test_a_payload_that_was_taken_away_meanwhile(server: Server) -> None:
    bundle = server.prepare()
    for path in server.home.content.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no longer in the content folder"):
        server.finish(bundle)
    assert (server.announced(), server.rows()) == ([], [])


class Killed(BaseException):
    """The process ends here, and cleans nothing up."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (ContentStore, "keep"),
        (ContentStore, "write_piece_hashes"),
        (PreparedBundles, "keep"),
        (Database, "add_patch"),
        (Proposals, "finish"),
        (PreparedBundles, "drop"),
    ],
)
def test_whatever_ends_it_the_next_try_works(
    server: Server, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, moment: str
) -> None:
    server.publish("old", seed=5)
    real = getattr(owner, step)

    def end(*arguments: Any, **named: Any) -> Any:
        if moment == "after":
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, end)
        with pytest.raises(Killed):
            server.finish(server.prepare())
    if server.announced() == ["old@1.0"]:
        waiting = PreparedBundles(server.home).all()
        assert server.finish(waiting[0] if waiting else server.prepare())
    assert server.announced() == ["old@1.0", "office@1.0"] == server.rows()
    server.publish("new", seed=6)
    for bundle in PreparedBundles(server.home).all():
        drop(server.home, bundle.bundle_id, unsaid, clock=CLOCK)
    assert server.content() == 3
