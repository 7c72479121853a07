"""`seed_server.store.database_copies`: a copy is of the moment at which it was begun, whatever is written meanwhile."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store.database import Database
from seed_server.store.database_copies import check_empty, is_newer, moment_of
from seed_server.store.postgres_tools import restore_dump
from seed_server.store.tables import REVISION
from tests.helpers.postgresql import PostgresServer


def put_back(copy: Path, place: Path | str, tmp_path: Path, request: pytest.FixtureRequest) -> Path | str:
    """Return a database that is made of a copy."""
    if isinstance(place, Path):
        return copy
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    check_empty(url)
    restore_dump(copy, url)
    return url


def test_a_copy_is_of_its_moment_and_whoever_writes_does_not_wait(
    place: Path | str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    copy = tmp_path / "copy"
    with Database.create(place) as database:
        database.add_endpoint("a" * 26, "pc-a", 1.0)
        with moment_of(place) as moment:
            database.add_endpoint("b" * 26, "pc-b", 2.0)
            moment.write_to(copy)
            database.add_endpoint("c" * 26, "pc-c", 3.0)
        assert (moment.kind, moment.revision) == ("sqlite" if isinstance(place, Path) else "postgresql", REVISION)
    assert copy.stat().st_mode & 0o077 == 0
    with Database.open(put_back(copy, place, tmp_path, request)) as restored:
        assert [row.endpoint_id for row in restored.endpoints()] == ["a" * 26]
        restored.add_endpoint("d" * 26, "pc-d", 4.0)


def test_a_database_in_use_is_not_filled(place: Path | str) -> None:
    if isinstance(place, Path):
        pytest.skip("a file is never filled: a home that has one is refused")
    with Database.create(place), pytest.raises(UserError, match="has tables already") as raised:
        check_empty(place)
    assert raised.value.kind is FaultKind.BAD_INPUT


def test_a_damaged_file_is_not_copied(tmp_path: Path) -> None:
    place = tmp_path / "state.db"
    with Database.create(place) as database, database.batch():
        for number in range(8_000):  # most of the file are they: what is damaged is no table's description
            database.add_endpoint(f"{number:026}", "pc" * 20, 1.0)
    data = bytearray(place.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8_192] = b"\x5a" * 8_192
    place.write_bytes(data)
    with moment_of(place) as moment, pytest.raises(UserError, match="damaged") as raised:
        moment.write_to(tmp_path / "copy")
    assert raised.value.kind is FaultKind.STORAGE


def test_what_the_library_says_of_a_sound_table_without_cause_is_no_damage(tmp_path: Path) -> None:
    place = tmp_path / "state.db"
    with Database.create(place) as database:
        database.note_idle_content(["0" * 64, "1" * 64], 1.5)
    with moment_of(place) as moment:
        moment.write_to(tmp_path / "copy")
    with Database.open(tmp_path / "copy") as copy:
        assert copy.idle_content() == {"0" * 64: 1.5, "1" * 64: 1.5}


def test_a_revision_is_newer_or_not() -> None:
    assert (is_newer(""), is_newer(REVISION), is_newer("9999")) == (False, False, True)
