"""A whole home whose state is in PostgreSQL, and what is said when PostgreSQL does not do what it is asked."""

import stat
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.fleet import endpoint_operations, operations, queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.store.database import Database
from seed_server.store.engines import Engines
from tests.helpers.postgresql import PostgresServer

ADA = Actor.local_user("ada")
NOW = 1_900_000_000.0


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Return a connection of the owner of the database."""
    opened = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    yield opened
    opened.dispose()


@pytest.fixture
def as_owner(engine: Engine) -> Callable[[str], None]:
    """Return what carries a statement out as the owner of the database."""

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    return run


@pytest.fixture(scope="session")
def database_at(postgres_server: PostgresServer) -> Callable[[], Database]:
    """Return what opens one database for all tests that only read it."""
    url = postgres_server.new_database()
    Database.create(url).close()
    return partial(Database.open, url)


def settings(url: str) -> ServerSettings:
    return ServerSettings(name="hq", address="127.0.42.1", database_url=url)


def test_a_home_works_without_a_database_file(tmp_path: Path, url: str) -> None:
    home = ServerHome(tmp_path / "home")
    initialise(home, settings(url), passphrase=None, now=NOW)
    assert not home.database.exists()
    assert stat.S_IMODE(home.settings.stat().st_mode) == 0o600, "it may hold a password"
    context = Context(home)
    made = operations.make_token(context, ADA, uses=1, seconds=60)
    with context.database() as database:
        database.add_endpoint("a" * 26, "pc-1", NOW)
    endpoint_operations.deny(context, ADA, "pc-1")
    assert [token.token_id for token in queries.read_tokens(context)] == [made.token_id]
    assert [endpoint.denied for endpoint in queries.read_status(context).endpoints] == [True]
    endpoint_operations.allow(context, ADA, "pc-1")
    endpoint_operations.forget_endpoint(context, ADA, "pc-1")
    assert queries.read_status(context).endpoints == []


def test_a_database_in_use_is_given_to_no_second_server(tmp_path: Path, url: str) -> None:
    first, second = ServerHome(tmp_path / "first"), ServerHome(tmp_path / "second")
    initialise(first, settings(url), passphrase=None, now=NOW)
    with pytest.raises(UserError, match="in use by a seed server") as caught:
        initialise(second, settings(url), passphrase=None, now=NOW)
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert not second.settings.exists()


def test_dead_rows_of_the_largest_table_are_cleared_up_before_they_are_many(url: str, engine: Engine) -> None:
    Database.create(url).close()
    with engine.connect() as connection:
        options = connection.exec_driver_sql("SELECT reloptions FROM pg_class WHERE relname = 'standing'").scalar_one()
    assert options == ["autovacuum_vacuum_scale_factor=0.02"]


@pytest.mark.parametrize("command", ["status", "endpoints", "token"])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_password_is_not_shown(tmp_path: Path, url: str, command: str, as_json: bool) -> None:
    home = ServerHome(tmp_path / "home")
    secret = url.replace("postgres@", "postgres:hunter2@")
    options = ["--home", str(home.root), *(["--json"] if as_json else [])]
    words = [["init", "--name", "hq", "--address", "127.0.42.1", "--database-url", secret], [command]]
    for said in words:
        done = CliRunner().invoke(seed_server, [*said, *options])
        assert done.exit_code == 0, done.output
        assert "hunter2" not in done.output
    assert load_settings(home).database_url == secret
    assert "hunter2" not in repr(load_settings(home))


@pytest.mark.parametrize("query", ["", "?password=hunter2&connect_timeout=1"])
def test_a_server_that_cannot_be_reached(query: str) -> None:
    with pytest.raises(UserError, match="Cannot reach the database postgresql://ada@127.0.42.1:1/p2pdist") as caught:
        Database.open(f"postgresql://ada:hunter2@127.0.42.1:1/p2pdist{query}")
    assert caught.value.kind is FaultKind.STORAGE
    assert "hunter2" not in caught.value.message


def test_a_database_that_is_not_there(url: str) -> None:
    with pytest.raises(UserError, match="does not exist") as caught:
        Database.open(url.replace("/test_", "/elsewhere_"))
    assert caught.value.kind is FaultKind.STORAGE


def test_a_database_without_tables_is_to_be_initialised(url: str) -> None:
    with pytest.raises(UserError, match="run 'seed-server init'") as caught:
        Database.open(url)
    assert caught.value.kind is FaultKind.NOT_SET_UP


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_database_for_texts_of_one_language_is_refused(postgres_server: PostgresServer, encoding: str) -> None:
    url = postgres_server.new_database(f"ENCODING '{encoding}'", "LOCALE 'C'")
    for attempt in (Database.create, Database.open):
        with pytest.raises(UserError) as caught:
            attempt(url)
        assert caught.value.kind is FaultKind.BAD_INPUT
        assert f"keeps texts as {encoding}" in caught.value.message
        assert "createdb --template=template0 --encoding=UTF8 --locale=C" in caught.value.message


def test_a_transaction_that_postgresql_has_ended_is_told_and_the_next_one_works(
    url: str, as_owner: Callable[[str], None]
) -> None:
    Database.create(url).close()
    with Database.open(url) as database:

        def held_until(statement: str) -> None:
            with database.batch():
                database.add_endpoint("a" * 26, "pc-1", NOW)
                as_owner(statement)
                database.add_endpoint("b" * 26, "pc-2", NOW)

        cut = "SELECT pg_{}_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in%%' AND pid <> pg_backend_pid()"
        with pytest.raises(UserError, match="was shut down, or an administrator has ended") as caught:
            held_until(cut.format("terminate"))
        assert caught.value.kind is FaultKind.STORAGE
        assert database.endpoints() == [], "all or nothing"
        database.add_endpoint("c" * 26, "pc-3", NOW)
        assert len(database.endpoints()) == 1


def test_a_transaction_in_which_nothing_was_said_for_too_long(url: str) -> None:
    Database.create(url).close()

    def stop_in_the_middle(database: Database) -> None:
        with database.batch():
            database.add_endpoint("a" * 26, "pc-1", NOW)
            time.sleep(0.2)
            database.add_endpoint("b" * 26, "pc-2", NOW)

    with Database(Engines.on_postgresql(url, stuck_seconds=0.05)) as database:
        with pytest.raises(UserError, match="nothing was written") as caught:
            stop_in_the_middle(database)
        assert database.endpoints() == []
    assert caught.value.kind is FaultKind.BUSY
    assert "was stopped, suspended or too busy" in caught.value.message


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("40001", FaultKind.BUSY, "for another's sake"),
        ("40P01", FaultKind.BUSY, "for another's sake"),
        ("57014", FaultKind.BUSY, "for another's sake"),
        ("53300", FaultKind.BUSY, "max_connections"),
        ("57P02", FaultKind.STORAGE, "was shut down"),
        ("57P03", FaultKind.STORAGE, "Cannot reach"),
        ("XX001", FaultKind.STORAGE, "is damaged"),
        ("53100", FaultKind.STORAGE, "is full"),
        ("58030", FaultKind.STORAGE, "Cannot reach"),
    ],
)
def test_words_for_what_postgresql_says(
    database_at: Callable[[], Database], state: str, kind: FaultKind, words: str
) -> None:
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$"
    with database_at() as database, pytest.raises(UserError, match=words) as caught, database.reading() as connection:
        connection.exec_driver_sql(raised)
    assert caught.value.kind is kind
    assert "so it is" in caught.value.message or state == "XX001"


def test_whoever_finds_no_connection_free_waits_for_one(url: str, engine: Engine) -> None:
    Database.create(url).close()
    name = f"few_{url.partition('?')[0].rpartition('/')[2]}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 1 IN ROLE postgres")
        connection.exec_driver_sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    theirs = url.replace("postgres@", f"{name}@")
    with Database.open(theirs) as first, first.reading():
        started = time.monotonic()
        with pytest.raises(UserError, match="max_connections") as caught:
            Database.open(theirs, lock_seconds=0.3)
        assert caught.value.kind is FaultKind.BUSY
        assert time.monotonic() - started >= 0.3
        timer = threading.Timer(0.2, first.close)
        timer.start()
    with Database.open(theirs, lock_seconds=5.0) as second:
        assert second.endpoints() == []
    timer.join()


def test_a_user_without_rights(url: str, as_owner: Callable[[str], None]) -> None:
    Database.create(url).close()
    name = f"weak_{url.partition('?')[0].rpartition('/')[2]}"
    as_owner(f"CREATE ROLE {name} LOGIN")
    with pytest.raises(UserError, match="Make the user of database_url the owner") as caught:
        Database.open(url.replace("postgres@", f"{name}@"))
    assert caught.value.kind is FaultKind.STORAGE


def test_a_server_that_takes_no_writes(url: str, as_owner: Callable[[str], None]) -> None:
    Database.create(url).close()
    as_owner(f"ALTER DATABASE {url.partition('?')[0].rpartition('/')[2]} SET default_transaction_read_only = on")
    with Database.open(url) as database:
        assert database.endpoints() == []
        with pytest.raises(UserError, match="a server that takes writes") as caught:
            database.add_endpoint("a" * 26, "pc-1", NOW)
    assert caught.value.kind is FaultKind.STORAGE


def test_connections_that_the_server_has_cut_are_made_anew(url: str, as_owner: Callable[[str], None]) -> None:
    with Database.create(url) as database:
        database.add_endpoint("a" * 26, "pc-1", NOW)
        as_owner(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert len(database.endpoints()) == 1
        database.add_endpoint("b" * 26, "pc-2", NOW)
        assert len(database.endpoints()) == 2


@pytest.mark.parametrize(
    "wrong", ["mysql://a@b/c", "postgresql://a@b", "postgresql://a@b:port/c", "postgresql://a@b:0/c", "state.db"]
)
def test_what_is_no_url_of_postgresql(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UserError, match="postgresql://USER@HOST/NAME") as caught:
        initialise(ServerHome(tmp_path / "home"), settings(wrong), passphrase=None, now=NOW)
    assert caught.value.kind is FaultKind.BAD_INPUT
