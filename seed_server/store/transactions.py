"""Transactions of the state database, for the files that hold one topic each. Blocking."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from seed_server.store.database_errors import no_free_connection, worded_error
from seed_server.store.engines import Engines

OTHERS_TURN_SECONDS = 0.15  # between the parts of what is much: whoever waits for SQLite asks again every 0.1 s


class Transactions:
    """What every topic of `Database` stands on: one writer, several readers, errors in words."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._within = threading.local()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes within the block one transaction: all or none, and one fsync.

        What this thread reads within the block includes its changes.
        """
        with self._writing():
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads, for queries of this room; it never waits for a writer."""
        if (ours := self._ours()) is not None:
            yield ours
            return
        with user_errors(self._engines), self._engines.reading() as connection:
            yield connection

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Let all that this thread reads within the block be of one state of the database; nothing is written."""
        before = self._ours()
        with self.reading() as connection:
            self._within.connection = connection
            try:
                yield
            finally:
                self._within.connection = before

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if (ours := self._ours()) is not None:
            yield ours
            return
        with user_errors(self._engines), self._engines.writing() as connection:
            self._within.connection = connection
            try:
                yield connection
            finally:
                self._within.connection = None

    def _ours(self) -> Connection | None:
        """Return the connection of the batch that this thread is in."""
        connection: Connection | None = getattr(self._within, "connection", None)
        return connection


@contextmanager
def user_errors(engines: Engines) -> Iterator[None]:
    """Raise `UserError` for what is wrong with the database, and not with us."""
    try:
        yield
    except DBAPIError as error:
        worded = worded_error(error, engines)
        if worded is None:
            raise
        raise worded from error
    except NoFreeConnectionError as error:
        raise no_free_connection(engines) from error
