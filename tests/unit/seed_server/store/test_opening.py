"""`seed_server.store.opening`: a database is of one home, and no other home is let in."""

import shutil
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings, write_settings
from seed_server.store.database import Database
from seed_server.store.opening import open_database
from seed_server.store.tables import SERVERS
from tests.helpers.sources import ROOT, files_of

NOW = 1_900_000_000.0


def new_home(root: Path, database_url: str = "") -> ServerHome:
    home = ServerHome(root)
    settings = ServerSettings(name="hq", address="127.0.42.1", database_url=database_url)
    initialise(home, settings, passphrase=None, now=NOW)
    return home


@pytest.fixture
def homes(tmp_path: Path, place: Path | str) -> tuple[ServerHome, ServerHome]:
    """Return a home, and another one that somebody has given the first one's database."""
    if isinstance(place, Path):
        first, second = new_home(tmp_path / "first"), new_home(tmp_path / "second")
        shutil.copy(first.database, second.database)
    else:
        first, second = new_home(tmp_path / "first", place), new_home(tmp_path / "second")
        write_settings(second, ServerSettings(name="hq", address="127.0.42.1", database_url=place))
    return first, second


def test_a_second_home_is_refused_in_words(homes: tuple[ServerHome, ServerHome]) -> None:
    first, second = homes
    with pytest.raises(UserError, match="belongs to another seed server") as caught:
        operations.make_token(Context(second), Actor.local_user("ada"), uses=1, seconds=60)
    assert caught.value.kind is FaultKind.BAD_INPUT
    asked = "database_url in server.toml" if load_settings(first).database_url else "from a backup"
    assert asked in caught.value.message
    with Context(first).database() as database:
        assert database.tokens() == []


def test_one_that_was_nobodys_is_of_the_first_home_that_opens_it(homes: tuple[ServerHome, ServerHome]) -> None:
    first, second = homes
    for home in homes:  # as a migration leaves it, and an init that was cut off
        with Database.open(load_settings(home).database_place(home)) as database, database._writing() as connection:
            connection.execute(SERVERS.update().values(root_pin=""))
    open_database(second, load_settings(second)).close()
    if load_settings(first).database_url:
        with pytest.raises(UserError, match="belongs to another seed server"):
            open_database(first, load_settings(first))
    open_database(second, load_settings(second)).close()


def test_a_home_without_its_first_root_is_not_taken_for_another(homes: tuple[ServerHome, ServerHome]) -> None:
    first, _ = homes
    first.first_root.unlink()
    with pytest.raises(UserError, match="Restore it from a backup") as caught:
        open_database(first, load_settings(first))
    assert caught.value.kind is FaultKind.STORAGE


def test_every_opener_asks_whose_it_is() -> None:
    opening = ROOT / "seed_server" / "store" / "opening.py"
    assert [path for path in files_of("seed_server") if "Database.open(" in path.read_text()] == [opening]
