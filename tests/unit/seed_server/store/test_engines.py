import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from seed_server.store.engines import Engines
from seed_server.store.tables import ENDPOINTS, SITES


def names(engines: Engines) -> list[str]:
    with engines.reading() as connection:
        return list(connection.scalars(select(SITES.c.name)))


def test_a_block_is_one_transaction(engines):
    def half() -> None:
        with engines.writing() as connection:
            connection.execute(SITES.insert().values(name="tokyo"))
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert names(engines) == []


def test_readers_see_what_was_committed_while_a_write_goes_on(engines):
    with engines.writing() as connection:
        connection.execute(SITES.insert().values(name="tokyo"))
    with engines.writing() as connection:
        connection.execute(SITES.insert().values(name="osaka"))
        assert names(engines) == ["tokyo"]
    assert sorted(names(engines)) == ["osaka", "tokyo"]


def test_a_block_reads_one_state(engines):
    with engines.reading() as reader:
        assert reader.scalar(select(func.count()).select_from(SITES)) == 0
        with engines.writing() as connection:
            connection.execute(SITES.insert().values(name="tokyo"))
        assert reader.scalar(select(func.count()).select_from(SITES)) == 0


def test_a_reader_cannot_write(engines):
    with pytest.raises(DBAPIError), engines.reading() as connection:
        connection.execute(SITES.insert().values(name="tokyo"))


def test_a_pc_of_no_site_is_refused(engines):
    with pytest.raises(IntegrityError), engines.writing() as connection:
        connection.execute(ENDPOINTS.insert().values(endpoint_id="a", hostname="pc", enrolled_at=1.0, site=7))
