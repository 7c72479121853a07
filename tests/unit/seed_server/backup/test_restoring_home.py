"""`seed_server.backup.restoring_home`: all of a backup is verified before there is a home, and tokens are void then."""

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup.manifest import encode_list
from seed_server.backup.objects import LIST_FILE, BackupDirectory
from seed_server.backup.restoring_home import STAGING, RestoreWish, needs_passphrase
from seed_server.fleet import audit_queries, operations
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, write_settings
from seed_server.signing.key_files import create_signing_key
from seed_server.store.audit_entry import AuditEntry
from seed_server.store.database import Database
from seed_server.store.people_rows import ApiTokenRow, PersonRow
from seed_server.store.restored_mark import read_mark
from seed_server.store.serve_lock import serve_lock
from tests.helpers.backups import PASSPHRASE, backed_up, keys_elsewhere, restored
from tests.helpers.postgresql import PostgresServer
from tests.helpers.rollout_company import ADA, BEGIN, Company, company_at

SECRET = b"t" * 16


def contents(root: Path) -> dict[str, str]:
    """Return the hashes of what a home consists of, the database aside."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("state.db") and path.suffix != ".lock"
    }


def test_a_home_comes_back_as_it_was(company: Company, tmp_path: Path) -> None:
    (company.context.home.root / "archive").mkdir()
    (company.context.home.root / "archive" / "events-2026-01.archive").write_bytes(b"archive")
    backed_up(company, tmp_path, PASSPHRASE)
    context, done = restored(tmp_path, RestoreWish(tmp_path / "backup", PASSPHRASE))
    before, after = contents(company.context.home.root), contents(context.home.root)
    _, documents = company.repository.files_in_force()
    for gone in ("backed-up", "audit-checkpoint", "restored"):
        before.pop(gone, None)
        after.pop(gone, None)
    assert {path: before[path] for path in after} == after
    assert {path for path in before.keys() - after.keys() if not path.startswith(("tuf/", "coded/"))} == set(), (
        "older versions, and what can be made anew"
    )
    assert {f"tuf/{path}" for path in documents} <= after.keys()
    assert (done.lacking, done.files.total_bytes > 0) == ((), True)
    with context.database() as database:
        assert len(database.endpoints()) == 10
    assert context.repository().current_rollouts() == company.repository.current_rollouts()
    for path in context.home.root.rglob("*"):
        assert path.stat().st_mode & (0o077 if path.is_file() else 0o022) == 0, path


def test_the_server_knows_that_it_is_restored(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    context, _ = restored(tmp_path, keys_elsewhere(company, tmp_path), later=7_200.0)
    mark = read_mark(context.home)
    assert mark is not None
    assert (mark.backup_at, mark.restored_at, mark.catching_up) == (BEGIN, BEGIN + 7_200.0, True)


def test_tokens_of_before_are_void_and_an_entry_says_so(company: Company, tmp_path: Path) -> None:
    database = company.database
    database.add_token(SECRET, 5, BEGIN + 1e6, BEGIN)
    with_api_token(company)
    backed_up(company, tmp_path)
    context, done = restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert (done.revoked_tokens, done.revoked_api_tokens) == (1, 1)
    with context.database() as after:
        assert after.spend_token(SECRET, BEGIN + 10.0, "x" * 26) == "revoked"
        row = after.api_token(b"s" * 32)
        assert row is not None
        assert row.revoked_at == BEGIN + 3_600.0
    entry = last_entry(context)
    assert (entry.operation, entry.subject, entry.actor) == ("restore", "hq", "local:ada")
    assert entry.details == {
        "backup_at": str(int(BEGIN)), "revoked_tokens": "1", "revoked_api_tokens": "1", "ended_sessions": "0",
    }  # fmt: skip
    assert database.spend_token(SECRET, BEGIN + 10.0, "x" * 26) == "accepted", "of the server itself nothing changes"


def last_entry(context: Context) -> AuditEntry:
    return list(audit_queries.all_entries(context, 0))[-1].entry


def with_api_token(company: Company) -> None:
    company.database.add_person(PersonRow("ada", ("operator",), (), (), BEGIN, "x"))
    token = ApiTokenRow("id", "ada", "nightly", ("publish",), (), (), BEGIN, "x", BEGIN + 1e6)
    company.database.add_api_token(b"s" * 32, token)


def test_the_restored_server_can_publish_again_when_it_has_caught_up(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    context, _ = restored(tmp_path, keys_elsewhere(company, tmp_path))
    with pytest.raises(UserError, match="restored from a backup"):
        operations.withdraw(context, ADA, "office", "bad")
    context.home.restored.unlink()
    operations.withdraw(context, ADA, "office", "bad")


@pytest.mark.parametrize("name", ["server.toml", "notes.txt"])
def test_a_home_that_has_something_is_refused(company: Company, tmp_path: Path, name: str) -> None:
    backed_up(company, tmp_path)
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / name).write_text("mine")
    with pytest.raises(UserError, match="is not empty") as raised:
        restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert raised.value.kind is FaultKind.BAD_INPUT
    assert [path.name for path in (tmp_path / "restored").iterdir()] == [name]


def test_what_a_killed_restore_has_left_is_removed(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    (tmp_path / "restored" / STAGING / "content").mkdir(parents=True)
    (tmp_path / "restored" / STAGING / "server.toml").write_text("half")
    (tmp_path / "restored" / "lost+found").mkdir()
    context, _ = restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert context.settings().name == "hq"
    shutil.move(context.home.settings, context.home.root / STAGING)
    with pytest.raises(UserError, match="cut off as it put its files"):
        restored(tmp_path, keys_elsewhere(company, tmp_path))


@pytest.mark.parametrize("path", ["state.db", "server.toml", "tuf/metadata/timestamp.json", "content"])
def test_a_damaged_file_leaves_nothing_behind(company: Company, tmp_path: Path, path: str) -> None:
    backed_up(company, tmp_path)
    backup = BackupDirectory(tmp_path / "backup")
    file = next(file for file in backup.read_list().files if file.path.startswith(path))
    damaged = bytearray(backup.path(file.sha256).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    backup.path(file.sha256).write_bytes(damaged)
    with pytest.raises(UserError, match=f"is damaged: {file.path}") as raised:
        restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert raised.value.kind is FaultKind.STORAGE
    assert list((tmp_path / "restored").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backed_up(company, tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=1_000))
    with pytest.raises(UserError, match="are needed") as raised:
        restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert raised.value.kind is FaultKind.STORAGE
    assert list((tmp_path / "restored").iterdir()) == []


def test_keys_are_asked_for(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    assert not needs_passphrase(tmp_path / "backup")
    with pytest.raises(UserError, match="made without keys") as raised:
        restored(tmp_path, RestoreWish(tmp_path / "backup"))
    assert raised.value.kind is FaultKind.USAGE
    (tmp_path / "few").mkdir()
    with pytest.raises(UserError, match=r"keys/online/.* is missing"):
        restored(tmp_path, RestoreWish(tmp_path / "backup", keys=tmp_path / "few"))
    backed_up(company, tmp_path, PASSPHRASE)
    assert needs_passphrase(tmp_path / "backup")
    for passphrase, words in ((None, "passphrase is needed"), (b"another one !", "do not open")):
        with pytest.raises(UserError, match=words) as raised:
            restored(tmp_path, RestoreWish(tmp_path / "backup", passphrase))
        assert raised.value.kind is FaultKind.REFUSED
    assert not (tmp_path / "restored").exists()


def test_keys_of_another_server_are_refused(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    other = ServerHome(tmp_path / "other")
    initialise(other, ServerSettings(name="other", address="127.0.0.1"), passphrase=None, now=BEGIN)
    with pytest.raises(UserError, match="is not that of the server in this backup") as raised:
        restored(tmp_path, RestoreWish(tmp_path / "backup", keys=other.keys))
    assert raised.value.kind is FaultKind.REFUSED
    assert list((tmp_path / "restored").iterdir()) == []


def test_authorities_of_another_server_are_refused(company: Company, tmp_path: Path) -> None:
    """PCs would refuse the server for ever, and nobody would see that before it serves."""
    backed_up(company, tmp_path)
    keys = shutil.copytree(company.context.home.keys, tmp_path / "keys")
    (keys / "ca" / "control-ca.key.pem").rename(tmp_path / "control-ca.key.pem")
    with pytest.raises(UserError, match=r"keys/ca/control-ca.key.pem is missing") as raised:
        restored(tmp_path, RestoreWish(tmp_path / "backup", keys=keys))
    assert raised.value.kind is FaultKind.NOT_SET_UP
    shutil.copytree(company.context.home.ca, keys / "ca", dirs_exist_ok=True)
    other = ServerHome(tmp_path / "other")
    initialise(other, ServerSettings(name="other", address="127.0.0.1"), passphrase=None, now=BEGIN)
    for names in (("swarm-ca.key.pem", "swarm-ca.crt.pem"), ("control-ca.key.pem", "control-ca.crt.pem")):
        for name in names:
            shutil.copy(other.ca / name, keys / "ca" / name)
        with pytest.raises(UserError, match=r"authorities .* are not those of the server in this backup") as raised:
            restored(tmp_path, RestoreWish(tmp_path / "backup", keys=keys))
        assert raised.value.kind is FaultKind.REFUSED
        assert list((tmp_path / "restored").iterdir()) == []
        shutil.copytree(company.context.home.ca, keys / "ca", dirs_exist_ok=True)


def test_the_audit_key_of_another_server_is_refused(company: Company, tmp_path: Path) -> None:
    """Its first entry would be signed by a key that PCs do not know the log by: each of them would raise an alarm."""
    backed_up(company, tmp_path)
    keys = shutil.copytree(company.context.home.keys, tmp_path / "keys")
    (keys / "online" / "audit.pem").unlink()
    create_signing_key(keys / "online" / "audit.pem", None)
    with pytest.raises(UserError, match="The audit key is not that of the server in this backup") as raised:
        restored(tmp_path, RestoreWish(tmp_path / "backup", keys=keys))
    assert raised.value.kind is FaultKind.REFUSED
    assert list((tmp_path / "restored").iterdir()) == []


@pytest.mark.parametrize("name", ["", "server.toml"])
def test_nothing_is_restored_where_a_server_runs_or_somebody_restores(
    company: Company, tmp_path: Path, name: str
) -> None:
    backed_up(company, tmp_path)
    home = ServerHome(tmp_path / "restored")
    (home.root / STAGING / "content").mkdir(parents=True)
    (home.root / STAGING / (name or "state.db")).write_text("of the other one")
    with serve_lock(home, timeout_seconds=0.0).held():
        with pytest.raises(UserError, match="runs on .*restored, or another restore") as raised:
            restored(tmp_path, keys_elsewhere(company, tmp_path))
        assert raised.value.kind is FaultKind.BUSY
        assert (home.root / STAGING / (name or "state.db")).read_text() == "of the other one"


def test_a_backup_of_a_newer_release_is_refused(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    files = BackupDirectory(tmp_path / "backup").read_list()
    (tmp_path / "backup" / LIST_FILE).write_bytes(encode_list(replace(files, revision="9999", release="0.9")))
    with pytest.raises(UserError, match=r"newer release \(0\.9\)") as raised:
        restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert raised.value.kind is FaultKind.BAD_INPUT


def test_a_payload_that_was_damaged_at_the_backup_is_named(company: Company, tmp_path: Path) -> None:
    payload = company.database.payloads()[0].sha256
    (company.context.home.content / payload).write_bytes(b"damaged")
    assert backed_up(company, tmp_path).faults
    _, done = restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert done.lacking == ("office@1",)


def test_no_other_database_for_a_server_whose_state_is_a_file(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    wish = RestoreWish(tmp_path / "backup", keys=company.context.home.keys, database_url="postgresql://u@h/d")
    with pytest.raises(UserError, match="no way from there to PostgreSQL"):
        restored(tmp_path, wish)


def on_postgresql(published: Path, folder: Path, url: str) -> Company:
    """Return a company whose state is in PostgreSQL."""
    company = company_at(published, folder)
    company.database.close()
    home = company.context.home
    home.database.unlink()
    Database.create(url).close()
    write_settings(home, replace(company.context.settings(), database_url=url))
    return Company(home)


def test_a_server_on_postgresql_comes_back_into_an_empty_database(
    published: Path, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url, other = postgres_server.new_database(), postgres_server.new_database()
    company = on_postgresql(published, tmp_path, url)
    company.database.add_token(SECRET, 5, BEGIN + 1e6, BEGIN)
    try:
        backed_up(company, tmp_path)
        wish = keys_elsewhere(company, tmp_path)
        with pytest.raises(UserError, match="has tables already"):
            restored(tmp_path, wish)
        assert list((tmp_path / "restored").iterdir()) == []
        context, done = restored(tmp_path, RestoreWish(wish.directory, None, wish.keys, other))
    finally:
        company.database.close()
    assert done.revoked_tokens == 1
    assert context.settings().database_url == other
    assert not (context.home.root / "state.dump").exists()
    with context.database() as database:
        assert len(database.endpoints()) == 10
        database.add_endpoint("new", "new", 1.0)
        assert database.spend_token(SECRET, BEGIN + 10.0, "x" * 26) == "revoked"


def test_what_fails_after_a_database_was_filled_leaves_it_empty(
    published: Path, tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next try would be told that another server may use it."""
    url, other = postgres_server.new_database(), postgres_server.new_database()
    company = on_postgresql(published, tmp_path, url)
    try:
        backed_up(company, tmp_path)
    finally:
        company.database.close()
    given = keys_elsewhere(company, tmp_path)
    wish = RestoreWish(given.directory, None, given.keys, other)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: full_disk())
        with pytest.raises(UserError, match="is full. Nothing was restored"):
            restored(tmp_path, wish)
    assert list((tmp_path / "restored").iterdir()) == []
    context, _ = restored(tmp_path, wish)
    with context.database() as database:
        assert len(database.endpoints()) == 10


def full_disk() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_home_is_no_home_until_the_last_step(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(company, tmp_path)
    renamed: list[str] = []
    rename = Path.rename

    def noted(path: Path, target: Path) -> Path:
        renamed.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", noted)
    context, _ = restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert renamed[-1] == "server.toml"
    assert {path.name for path in context.home.root.iterdir()} >= set(renamed)
    assert Context(ServerHome(tmp_path / "restored")).settings().name == "hq"
