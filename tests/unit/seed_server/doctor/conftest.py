"""A new home for the tests of this room: made once, and copied by those that change it."""

import shutil
from pathlib import Path

import pytest

from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings

MADE_AT = 1_800_000_000.0


@pytest.fixture(scope="package")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("doctor") / "home"
    initialise(ServerHome(root), ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=MADE_AT)
    return root


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> ServerHome:
    shutil.copytree(made_home, tmp_path / "home")
    (tmp_path / "home").chmod(0o700)
    return ServerHome(tmp_path / "home")
