"""PostgreSQL's own programs, which copy a database and make one of a copy. Blocking.

No password is in a list of processes: it goes by the environment. Functions raise `UserError`: NOT_SET_UP where a
program is not installed, STORAGE where it fails, in its words.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import URL, make_url

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.store.engines import REACH_SECONDS

MAX_TOOL_WORDS = 600  # of what a program says: some lines


def check_tools(*names: str) -> None:
    """Raise `UserError` (NOT_SET_UP) where a program is not installed."""
    for name in names:
        _tool(name)


def write_dump(url: str, snapshot: str, path: Path) -> None:
    """Write what the database had at an exported snapshot to ``path``."""
    arguments = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")
    _run("pg_dump", arguments, url)


def restore_dump(dump: Path, url: str) -> None:
    """Fill an empty database from a copy: all of it or nothing."""
    arguments = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(dump))
    _run("pg_restore", arguments, url)


def _run(name: str, arguments: Sequence[str], url: str) -> None:
    address, environment = _without_password(url)
    try:
        result = subprocess.run(
            [_tool(name), "--no-password", f"--dbname={address}", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, env=environment,
            cwd="/",
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"{name} cannot be started: {error.strerror}.", FaultKind.FAILED) from error
    if result.returncode != 0:
        said = printable(" ".join(result.stderr.decode(errors="replace").split())[:MAX_TOOL_WORDS])
        raise UserError(f"{name} has failed, and says: {said}. Mend that, and try again.", FaultKind.STORAGE)


def _without_password(url: str) -> tuple[str, Mapping[str, str]]:
    """Return what may stand in a list of processes, and the environment that has the rest."""
    address, secrets = make_url(url), dict[str, str]()
    query = dict(address.query)
    if address.password is not None:
        secrets["PGPASSWORD"] = address.password
    for name, variable in (("password", "PGPASSWORD"), ("sslpassword", "PGSSLPASSWORD")):
        if (given := query.pop(name, None)) is not None:
            secrets[variable] = given if isinstance(given, str) else given[-1]
    # `set` would keep the password where it is given none
    shown = URL.create(
        "postgresql", address.username, None, address.host, address.port, address.database, query=query
    ).render_as_string(hide_password=False)
    return shown, {**os.environ, "PGCONNECT_TIMEOUT": str(REACH_SECONDS), "PGCLIENTENCODING": "UTF8", **secrets}


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(
            f"The state is in PostgreSQL, and its program {name} is not installed here. Install it in the server's "
            "version or a newer one (Debian: apt-get install postgresql-client).",
            FaultKind.NOT_SET_UP,
        )
    return found
