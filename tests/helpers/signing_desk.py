"""A company whose signers are not on the server: a home without offline keys, signers' folders, and a PC."""

import random
import time
from pathlib import Path
from urllib.parse import unquote, urlparse

from click.testing import CliRunner

from p2pdist.trust.http_answers import HttpAnswer
from p2pdist.trust.store import Catalogue, TrustStore
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.bundle import Bundle, read_bundle
from seed_server.signing.repository import Repository
from seed_server.store.database import Database

SETTINGS = ServerSettings(name="hq", address="127.0.64.1")


class DirectoryHttp:
    """Answers as the web port of ``home`` would."""

    def __init__(self, home: ServerHome) -> None:
        self._root = home.root

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        try:
            data = (self._root / unquote(urlparse(url).path).lstrip("/")).read_bytes()
        except FileNotFoundError:
            return HttpAnswer(404, b"")
        assert len(data) <= max_bytes
        return HttpAnswer(200, data)


class Company:
    """One server, alice with the folder that `init` made, and bob with whatever he makes himself."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = ServerHome(directory / "home")
        self.alice, self.bob = directory / "alice", directory / "bob"
        self.bundle = directory / "stick.bundle"
        initialise(self.home, SETTINGS, passphrase=None, now=time.time())
        self.home.offline_keys.rename(self.alice)
        self.root = self.repository().trusted_root().encode()
        self.trusted = directory / "1.root.json"
        self.trusted.write_bytes(self.root)

    def repository(self) -> Repository:
        return Repository.open(self.home, SETTINGS)

    def database(self) -> Database:
        return Context(self.home).database()

    def file(self, name: str = "office.msi", seed: int = 1, length: int = 300_000) -> Path:
        path = self.directory / name
        path.write_bytes(random.Random(seed).randbytes(length))
        return path

    def on_server(self, *arguments: object) -> str:
        """Run a command on the server; raises what it raises."""
        words = [str(argument) for argument in arguments]
        return self.elsewhere(*words, "--home", self.home.root)

    def elsewhere(self, *arguments: object) -> str:
        """Run a command on a machine without a home."""
        result = CliRunner().invoke(seed_server, [str(one) for one in arguments], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.output

    def prepare(self, file: Path, patch_id: str = "office", version: str = "1.0", *options: object) -> Bundle:
        self.on_server(
            "publish", file, "--patch-id", patch_id, "--version", version, "--prepare", self.bundle, *options
        )
        return read_bundle(self.bundle)

    def sign(self, folder: Path, *options: object) -> str:
        return self.elsewhere("sign", self.bundle, "--keys", folder, "--yes", *options)

    def finish(self) -> str:
        return self.on_server("finish", self.bundle)

    def two_signers(self) -> None:
        """Make bob a second signer of patches, both of whom must sign."""
        self.elsewhere("keys", "new", "patches", "--keys", self.bob)
        public = self.bob / "patches.pub"
        self.on_server("keys", "set", "patches", "--add", public, "--threshold", 2, "--prepare", self.bundle)
        self.sign(self.alice, "--allow-changes")
        self.sign(self.bob, "--allow-changes", "--root", self.trusted)
        self.finish()

    def pc(self, name: str = "pc") -> TrustStore:
        """Return the trust store of a PC that enrolled when the server was new; the same name is the same PC."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return TrustStore(directory, base_url="https://hq", root=self.root, http=DirectoryHttp(self.home))

    async def seen_by(self, name: str = "pc") -> list[str]:
        """Return the patches that a PC accepts now. Raises `TrustError`."""
        catalogue: Catalogue = await self.pc(name).refresh(time.time())
        return [str(patch.ref) for patch in catalogue.patches]
