"""A real PostgreSQL for tests: one server for a process's tests, data in a temporary directory, on a unix socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from seed_server.store.database import Database

PROGRAMS = Path("/usr/lib/postgresql/15/bin")  # Debian's postgresql-15
OWNER = "postgres"  # the server refuses to run as root
START_SECONDS = 60

_numbers = count(1)


class PostgresServer:
    """A running server; `new_database` gives each test its own."""

    def __init__(self, directory: Path, owner: str, options: str) -> None:
        self._directory = directory
        self._owner = owner
        self._options = options
        self._data = str(directory / "data")
        self._state = ""
        """The name of a database with the tables of the server's state; empty: none was asked for yet."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses= -k {self._directory} {self._options}"
        log = str(self._directory / "log")
        _run(self._owner, "pg_ctl", "-w", "-D", self._data, "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once; who is connected is cut off."""
        _run(self._owner, "pg_ctl", "-w", "-D", self._data, "-m", "immediate", "stop")

    @property
    def pid(self) -> int:
        """The process that has started all others of this server."""
        return int((self._directory / "data" / "postmaster.pid").read_text().split()[0])

    def new_database(self, *options: str, like: str = "template0") -> str:
        """Make a copy of ``like`` and return its URL; ``options`` are of SQL's ``CREATE DATABASE``."""
        name = f"test_{next(_numbers)}"
        self._make(name, f'TEMPLATE "{like}"', *options)
        return self._url(name)

    def new_state(self) -> str:
        """Make a database with the tables of the server's state, as `Database.create` leaves them; return its URL."""
        if not self._state:
            self._state = f"state_{next(_numbers)}"
            self._make(self._state)
            Database.create(self._url(self._state)).close()
        return self.new_database(like=self._state)

    def _make(self, name: str, *options: str) -> None:
        # file_copy: the way that is quicker for a server whose data is in memory and that waits for no disk
        words = " ".join([f'CREATE DATABASE "{name}" STRATEGY file_copy', *options])
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(words.encode())

    def _url(self, name: str) -> str:
        return f"postgresql://{self._owner}@/{name}?host={self._directory}"


def why_not() -> str:
    """Return why there can be no server here; empty when there can."""
    if not (PROGRAMS / "initdb").exists():
        return f"no PostgreSQL in {PROGRAMS}: apt-get install postgresql-15"
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return "PostgreSQL does not run as root, and there is no runuser"
    return ""


@contextmanager
def running_server(*, options: str = "-c fsync=off -c shared_buffers=32MB") -> Iterator[PostgresServer]:
    """Start a server, and stop it with its data at the end."""
    owner = OWNER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    # a socket's path has at most 107 bytes: pytest's own directories are too deep
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        directory = Path(name)
        if os.geteuid() == 0:
            shutil.chown(directory, owner)
        data = str(directory / "data")
        _run(owner, "initdb", "-D", data, "-U", owner, "-A", "trust", "-E", "UTF8", "--no-sync")
        server = PostgresServer(directory, owner, options)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _run(owner: str, program: str, *arguments: str) -> None:
    command = [str(PROGRAMS / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", owner, "--", *command]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        cwd="/", timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
