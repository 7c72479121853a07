"""`seed_server.fleet.audit_log`: no change without its entry, whatever fails; the newest state is signed."""

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from p2pdist.shared import durable_files
from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.merkle_log import leaf_hash, log_root, proves_consistency
from seed_server.commands.main import seed_server
from seed_server.fleet import endpoint_operations, operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import NOT_CARRIED_OUT, Deed, digest
from seed_server.fleet.audit_queries import Wanted, newest_entries, verify_log
from seed_server.fleet.context import Context
from seed_server.fleet.queries import read_status
from seed_server.fleet.roles import PersonScope, Rights, rights_of
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish_lock import publish_lock
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.signing.bundle import read_bundle
from seed_server.signing.key_files import OfflineKeys, create_signing_key, key_path, write_public_key
from seed_server.store.audit_entry import AuditEntry, decode_entry
from tests.helpers.fake_clock import FakeClock
from tests.unit.p2pdist.shared.test_merkle_log import Log
from tests.unit.seed_server.fleet.test_operations import ADA, ALL, ENDPOINT, context, publish

__all__ = ["context"]

AUDIT_TABLES = {"audit_entries", "audit_nodes", "audit_checkpoints", "audit_pending"}


def entries(of: Context) -> list[AuditEntry]:
    with of.database() as database:
        found = database.audit_entries(0, 1 << 40)
        assert database.pending() == []
    assert [number for number, _ in found] == list(range(len(found)))
    return [decode_entry(data) for _, data in found]


def state(of: Context) -> dict[str, object]:
    """Return all rows of all tables but the log's own, and all files that are signed or wait to be."""
    found: dict[str, object] = {}
    with contextlib.closing(sqlite3.connect(of.home.database)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            if name not in AUDIT_TABLES:
                found[name] = sorted(map(repr, raw.execute(f"SELECT * FROM {name}")))
    for folder in (of.home.tuf_metadata, of.home.tuf_targets, of.home.prepared, of.home.content):
        for path in folder.rglob("*"):
            if path.is_file():
                found[str(path)] = hashlib.sha256(path.read_bytes()).digest()
    return found


def check_checkpoint(of: Context) -> None:
    with of.database() as database:
        note, data = database.audit_checkpoint(), [entry for _, entry in database.audit_entries(0, 1 << 40)]
    log = Log(data)
    found = read_checkpoint(note)
    assert (found.size, found.root) == (len(data), log_root(len(data), log.hash_of))
    assert of.home.audit_checkpoint.read_bytes() == note


def publication(folder: Path) -> Publication:
    return Publication(Recipe(patch_id="office", version="2", payload=(PayloadFile("new.msi"),)), folder)


PREPARING: dict[str, Callable[[Context, Path], Any]] = {
    "prepare_publication": lambda of, folder: preparing.prepare_publication(of, ADA, publication(folder), folder / "p"),
    "prepare_withdrawal": lambda of, folder: preparing.prepare_withdrawal(of, ADA, "office", "crashes", folder / "w"),
    "prepare_roll_back": lambda of, folder: preparing.prepare_roll_back(of, ADA, "office", "crashes", folder / "b"),
    "prepare_renewal": lambda of, folder: preparing.prepare_renewal(of, ADA, folder / "r"),
    "prepare_profile": lambda of, folder: preparing.prepare_profile(
        of, ADA, "oslo", folder / "office.toml", folder / "o"
    ),
    "prepare_template": lambda of, folder: preparing.prepare_template(
        of, ADA, "december", folder / "agent.toml", folder / "t"
    ),
    "prepare_keys": lambda of, folder: preparing.prepare_keys(
        of, ADA, "profiles", folder / "k", add=[folder / "key.pub"]
    ),
    "drop_prepared": lambda of, folder: preparing.drop_prepared(of, ADA, read_bundle(folder / "w").bundle_id),
    "finish": lambda of, folder: preparing.finish(of, ADA, folder / "r"),
}


def test_every_operation_that_changes_something_has_an_entry(context: Context, tmp_path: Path) -> None:
    keys = OfflineKeys(context.home.offline_keys)
    for name, (run, _) in ALL.items():
        before, known = state(context), len(entries(context))
        run(context, keys, tmp_path)
        new = entries(context)[known:]
        assert state(context) != before, name
        assert new, name
        for entry in new:
            assert (entry.actor, entry.known_by, entry.address) == ("local:ada", "local user", ""), name
            assert entry.operation
            assert entry.subject
            assert entry.before or entry.after
            assert entry.before != entry.after, name
            assert entry.request == context.request.request_id
        check_checkpoint(context)


def test_what_is_signed_elsewhere_has_entries_too(context: Context, tmp_path: Path) -> None:
    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    (tmp_path / "new.msi").write_text("a newer payload")
    write_public_key(tmp_path / "key.pub", create_signing_key(tmp_path / "key.pem", None))
    for name, run in PREPARING.items():
        if name == "finish":
            words = ["sign", str(tmp_path / "r"), "--keys", str(context.home.offline_keys), "--yes"]
            CliRunner().invoke(seed_server, words, standalone_mode=False, catch_exceptions=False)
        before, known = state(context), len(entries(context))
        run(context, tmp_path)
        (entry,) = entries(context)[known:]
        assert state(context) != before, name
        deeds = {"finish": "finish", "drop_prepared": "drop prepared"}
        assert (entry.actor, entry.operation) == ("local:ada", deeds.get(name, "prepare"))
        assert len(entry.details["bundle"]) > 8
    finished = entries(context)[-1]
    assert finished.subject == "renew the offline metadata"
    assert finished.before != finished.after
    check_checkpoint(context)


def test_what_is_refused_leaves_neither_change_nor_entry(context: Context, tmp_path: Path) -> None:
    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    before, known = state(context), entries(context)
    for refused in (
        lambda: operations.withdraw(context, ADA, "viewer", "crashes"),
        lambda: operations.offer(context, ADA, "office@1"),
        lambda: operations.revoke_token(context, ADA, "0" * 12),
        lambda: operations.make_token(context, ADA, uses=0, seconds=1),
        lambda: endpoint_operations.deny(context, ADA, "nobody"),
        lambda: operations.renew(context, ADA, OfflineKeys(tmp_path)),
    ):
        with pytest.raises(UserError):
            refused()
    assert (state(context), entries(context)) == (before, known)


def test_a_change_that_fails_in_the_database_has_no_entry(context: Context) -> None:
    def fail() -> None:
        with context.audited(ADA, Deed("deny", ENDPOINT)) as database:
            database.set_denied(ENDPOINT, denied=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert entries(context) == []
    with context.database() as database:
        assert not database.enrolled()[ENDPOINT]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the timestamp, which puts a change in force, be written no more."""
    write = durable_files.write_file

    def written(path: Path, *rest: Any, **more: Any) -> None:
        if path.name == "timestamp.json":
            raise OSError(28, "No space left on device")
        write(path, *rest, **more)

    return lambda: monkeypatch.setattr(durable_files, "write_file", written)


def test_a_change_whose_files_cannot_be_written_is_taken_back(
    context: Context, tmp_path: Path, full_disk: Callable[[], None]
) -> None:
    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    full_disk()
    with pytest.raises(UserError, match="No space left"):
        operations.withdraw(context, ADA, "office", "crashes")
    published, withdrawn, back = entries(context)
    assert (published.operation, withdrawn.operation) == ("publish", "withdraw")
    assert (back.operation, back.subject, back.actor) == (NOT_CARRIED_OUT, "1", "seed-server")


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("found", ["by the next change", "at the next start"])
def test_a_process_that_was_killed_in_between(
    context: Context,
    tmp_path: Path,
    full_disk: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    carried_out: bool,
    found: str,
) -> None:
    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr("seed_server.fleet.audit_log.RecordedCommit.ends", lambda *_: None)
        if carried_out:
            operations.withdraw(context, ADA, "office", "crashes")
        else:
            full_disk()
            with pytest.raises(UserError):
                operations.withdraw(context, ADA, "office", "crashes")
    monkeypatch.undo()
    with context.database() as database:
        assert database.pending() == [1], "nobody knows yet"
    if found == "at the next start":
        context.settle(context.repository())
    elif carried_out:
        operations.offer(context, ADA, "office")
    else:
        operations.withdraw(context, ADA, "office", "crashes")
    done = [entry.operation for entry in entries(context)]
    assert done[:2] == ["publish", "withdraw"]
    assert (NOT_CARRIED_OUT in done) is not carried_out
    assert done[2:3] == [NOT_CARRIED_OUT] or carried_out
    check_checkpoint(context)


def test_signing_anew_what_nobody_asked_for_has_no_entry(context: Context) -> None:
    context.repository(context.settling()).refresh_timestamp(context.clock.now(), force=True)
    assert entries(context) == []


def test_signing_anew_settles_first_what_is_open(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody could tell afterwards whether it was carried out."""
    with monkeypatch.context() as killed:
        killed.setattr("seed_server.fleet.audit_log.RecordedCommit.ends", lambda *_: None)
        operations.renew(context, ADA, OfflineKeys(context.home.offline_keys))
    context.repository(context.settling()).refresh_timestamp(context.clock.now(), force=True)
    assert [entry.operation for entry in entries(context)] == ["renew"]


def test_signing_anew_does_not_wait_for_the_log(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as killed:
        killed.setattr("seed_server.fleet.audit_log.RecordedCommit.ends", lambda *_: None)
        operations.renew(context, ADA, OfflineKeys(context.home.offline_keys))
    with context.database() as database, database.batch():
        database.add_pending(7)
    key_path(context.home.online_keys, "audit").unlink()
    repository = context.repository(context.settling())
    version = repository.timestamp_version()
    context.settle(repository)
    assert repository.refresh_timestamp(context.clock.now(), force=True)
    assert repository.timestamp_version() > version


def test_each_checkpoint_continues_the_one_before(context: Context, tmp_path: Path) -> None:
    size, root = 0, b""
    for _ in range(9):
        operations.make_token(context, ADA, uses=1, seconds=60)
        newest = read_checkpoint(context.home.audit_checkpoint.read_bytes())
        with context.database() as database:
            proof = database.audit_consistency(size, newest.size)
            assert newest.size == size + 1
            assert not size or proves_consistency(size, root, newest.size, newest.root, proof)
        size, root = newest.size, newest.root


def test_without_the_audit_key_nothing_changes(context: Context) -> None:
    endpoint_operations.allow(context, ADA, ENDPOINT)
    path = key_path(context.home.online_keys, "audit")
    path.unlink()
    before = state(context)
    with pytest.raises(UserError, match=r"audit key .* is missing.*from a backup") as caught:
        endpoint_operations.deny(context, ADA, ENDPOINT)
    assert caught.value.kind is FaultKind.NOT_SET_UP
    assert state(context) == before
    assert not path.exists()


def test_a_home_of_before_there_was_a_log_gets_its_key(context: Context) -> None:
    path = key_path(context.home.online_keys, "audit")
    path.unlink()
    endpoint_operations.allow(context, ADA, ENDPOINT)
    assert path.stat().st_mode & 0o077 == 0
    check_checkpoint(context)


def test_the_log_is_of_its_server(context: Context) -> None:
    endpoint_operations.allow(context, ADA, ENDPOINT)
    pin = hashlib.sha256(context.home.first_root.read_bytes()).hexdigest()
    assert read_checkpoint(context.home.audit_checkpoint.read_bytes()).origin == f"p2pdist-audit/{pin[:32]}"


def test_a_checkpoint_that_cannot_be_written_outside_the_database_stops_nothing(context: Context) -> None:
    context.home.audit_checkpoint.mkdir()
    (context.home.audit_checkpoint / "x").touch()
    endpoint_operations.allow(context, ADA, ENDPOINT)
    assert len(entries(context)) == 1
    shutil.rmtree(context.home.audit_checkpoint)
    endpoint_operations.allow(context, ADA, ENDPOINT)
    check_checkpoint(context)


def test_texts_of_any_kind_make_an_entry(context: Context) -> None:
    deed = Deed("deny", "a\x1b[2J\udce9" * 900, reason="x" * 5_000, details={"hostname\n": "\u202e" * 5_000})
    with context.audited(ADA, deed):
        pass
    (entry,) = entries(context)
    texts = [entry.subject, entry.reason, *entry.details]
    assert all(text.isprintable() and len(text) <= 1_000 for text in texts)
    (detail,) = entry.details.values()
    assert detail.isprintable()
    assert len(detail) == 5_000


def test_what_a_digest_is_of() -> None:
    assert digest(None) == b""
    assert digest(b"x") == hashlib.sha256(b"x").digest()
    assert leaf_hash(b"") != digest(b"")


@pytest.mark.parametrize("later", [1, 4])
def test_an_older_database_takes_nothing_of_what_vouches_for_the_newer_one(
    context: Context, tmp_path: Path, later: int
) -> None:
    """Else its owner cuts off the end of the log, goes on, and all that is kept here says that it is whole."""
    older = tmp_path / "older.db"

    def copy(of: Path, to: Path) -> None:
        with contextlib.closing(sqlite3.connect(of)) as source, contextlib.closing(sqlite3.connect(to)) as target:
            source.backup(target)

    def tokens(count: int) -> None:
        for _ in range(count):
            operations.make_token(context, ADA, uses=1, seconds=60)

    tokens(3)
    copy(context.home.database, older)
    tokens(2)
    kept = context.home.audit_checkpoint.read_bytes()
    copy(older, context.home.database)
    tokens(later)
    assert context.home.audit_checkpoint.read_bytes() == kept
    assert any(str(context.home.audit_checkpoint) in one for one in verify_log(context).verdict.problems)
    assert [one.mend for one in read_status(context).problems] == ["seed-server audit verify"]
    context.home.audit_checkpoint.unlink()  # an operator who knows why begins anew
    tokens(1)
    check_checkpoint(context)
    assert read_status(context).problems == []


def test_another_audit_key_takes_nothing_of_what_the_first_one_has_signed(context: Context) -> None:
    endpoint_operations.allow(context, ADA, ENDPOINT)
    kept = context.home.audit_checkpoint.read_bytes()
    path = key_path(context.home.online_keys, "audit")
    path.unlink()
    create_signing_key(path, None)
    endpoint_operations.deny(context, ADA, ENDPOINT)
    assert context.home.audit_checkpoint.read_bytes() == kept
    assert verify_log(context).verdict.problems


def test_an_entry_that_cannot_be_read_does_not_keep_the_server_from_starting(context: Context) -> None:
    endpoint_operations.allow(context, ADA, ENDPOINT)
    with context.database() as database, database.batch():
        database.add_pending(0)
    with contextlib.closing(sqlite3.connect(context.home.database)) as raw:
        raw.execute("UPDATE audit_entries SET entry = x'00'")
        raw.commit()
    context.settle(context.repository())
    with context.database() as database:
        assert database.pending() == []
        (_, data) = database.audit_entries(1, 9)[0]
    entry = decode_entry(data)
    assert (entry.operation, entry.subject, entry.reason) == (NOT_CARRIED_OUT, "0", "its entry cannot be read")


def test_what_is_given_to_whom_is_kept_whole(context: Context) -> None:
    sites = " ".join(f"site-{number:03}" + "x" * 55 for number in range(100))
    with context.audited(ADA, Deed("set scope", "ada", details={"sites": sites, "tags": sites, "why": "y"})):
        pass
    (entry,) = entries(context)
    assert entry.details == {"sites": sites, "tags": sites, "why": "y"}
    with context.audited(
        ADA, Deed("set scope", "ada", reason="\U0001f600" * 2_000, details=dict.fromkeys("abc", "漢" * 9_000))
    ):
        pass
    assert len(entries(context)) == 2


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("what", ["prepare", "drop prepared"])
@pytest.mark.parametrize("found", ["by the next one", "at the next start"])
def test_a_process_that_was_killed_over_a_bundle(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, found: str, done: bool
) -> None:
    """Nobody else knows whether it is kept: whoever comes next says it."""
    preparing.prepare_renewal(context, ADA, tmp_path / "first")
    bundle_id = read_bundle(tmp_path / "first").bundle_id
    later = replace(context, clock=FakeClock(context.clock.now() + 60))  # what is the same is the same bundle

    class KilledError(Exception):
        """Stands for the end of the process."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as killing:
        killing.setattr("seed_server.fleet.audit_log.AuditLog._resolve", lambda *_: None)
        method = "keep" if what == "prepare" else "drop"
        if not done:
            killing.setattr(f"seed_server.signing.prepared_bundles.PreparedBundles.{method}", killed)
        with contextlib.suppress(KilledError):
            if what == "prepare":
                preparing.prepare_renewal(later, ADA, tmp_path / "second")
            else:
                preparing.drop_prepared(context, ADA, bundle_id)
    with context.database() as database:
        assert database.pending() == [1], "nobody knows yet"
    if found == "at the next start":
        with publish_lock(context.home).held():
            context.settle(context.repository())
        with context.database() as database:
            assert database.pending() == [1], "it may be at work"
        context.settle(context.repository())
    else:
        preparing.prepare_renewal(context, ADA, tmp_path / "third")
    said = entries(context)
    assert [one.operation for one in said[:2]] == ["prepare", what]
    assert ([one.subject for one in said if one.operation == NOT_CARRIED_OUT] == ["1"]) is not done


def test_a_bundle_that_cannot_be_written_out_is_dropped_and_both_are_said(context: Context, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        preparing.prepare_renewal(context, ADA, tmp_path / "nowhere" / "bundle")
    kept, dropped = entries(context)
    assert (kept.operation, dropped.operation) == ("prepare", "drop prepared")
    assert kept.details["bundle"] == dropped.details["bundle"]
    assert dropped.reason


def test_an_entry_has_the_roles_that_gave_the_right(context: Context, tmp_path: Path) -> None:
    roles = rights_of(frozenset({"operator", "auditor", "administrator"}), PersonScope())
    person = Actor("kim", "password", roles)
    operations.make_token(context, person, uses=1, seconds=60)
    endpoint_operations.deny(context, Actor("kim", "token", roles.both(Rights(frozenset({"deny"}))), "5f0c"), ENDPOINT)
    endpoint_operations.deny(context, ADA, ENDPOINT)
    preparing.prepare_renewal(context, person, tmp_path / "r")
    preparing.drop_prepared(context, person, read_bundle(tmp_path / "r").bundle_id)
    assert [one.role for one in entries(context)] == [
        "operator administrator", "operator administrator", "", "administrator", "administrator",
    ]  # fmt: skip


def test_what_was_done_to_a_patch_is_found_with_its_rollouts_and_bundles(context: Context) -> None:
    deeds = [Deed("halt rollout", "7"), Deed("prepare", "publish office 1"), Deed("halt rollout", "8")]
    for deed, patch in zip(deeds, ("office@1", "office@1", "viewer@1"), strict=True):
        deed.details["patch"] = patch
        with context.audited(ADA, deed):
            pass
    for subject in ("office", "office@1"):
        assert [one.entry.number for one in newest_entries(context, Wanted(subject=subject), 9)] == [1, 0]
    assert [one.entry.number for one in newest_entries(context, Wanted(subject="8"), 9)] == [2]
