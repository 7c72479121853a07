"""`seed_server.store.postgres_tools`: no password is seen, and what fails is said. Copies are made in its neighbour."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store import postgres_tools
from seed_server.store.postgres_tools import check_tools, restore_dump


def test_no_password_is_in_a_list_of_processes() -> None:
    shown, environment = postgres_tools._without_password(
        "postgresql://u:pa%20ss@db/name?sslpassword=q&sslmode=require"
    )
    assert shown == "postgresql://u@db/name?sslmode=require"
    assert (environment["PGPASSWORD"], environment["PGSSLPASSWORD"]) == ("pa ss", "q")


def test_a_program_that_is_missing_or_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pg_restore").write_text("#!/bin/sh\necho 'it has  failed' >&2; exit 1\n")
    (tmp_path / "pg_restore").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="pg_restore has failed, and says: it has failed") as raised:
        restore_dump(tmp_path / "dump", "postgresql://u@db/name")
    assert raised.value.kind is FaultKind.STORAGE
    with pytest.raises(UserError, match="pg_dump is not installed") as raised:
        check_tools("pg_dump")
    assert raised.value.kind is FaultKind.NOT_SET_UP
