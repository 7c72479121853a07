"""`seed-server backup` and `restore`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.console import ExitCode, json_option, print_json, say, say_error
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.answers.backups import (
    BackupDocument,
    BackupFaultDocument,
    BackupVerdictDocument,
    RestoreDocument,
)
from seed_server.commands.acting import somebody_answers
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, bare_home_option, read_passphrase
from seed_server.commands.progress import progress_bars
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context

if TYPE_CHECKING:
    from seed_server.backup.backing_up import BackupDone
    from seed_server.backup.restoring_home import RestoreDone
    from seed_server.backup.verifying import BackupVerdict

BACKUP_PASSPHRASE_VARIABLE = "SEED_SERVER_BACKUP_PASSPHRASE"  # noqa: S105 - a name, not a secret
MOST_FAULTS_SHOWN = 20


def _read(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> bytes | None:
    if value is not None:
        return read_passphrase(value)
    text = os.environ.get(BACKUP_PASSPHRASE_VARIABLE)
    return os.fsencode(text) if text else None


_passphrase_option = click.option(
    "--passphrase-file",
    "passphrase",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_read,
    help=f"File that holds the passphrase of the keys in the backup; also from {BACKUP_PASSPHRASE_VARIABLE}.",
)
_directory_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@click.command("backup", cls=LookingCommand)
@_directory_argument
@bare_home_option
@_passphrase_option
@click.option("--without-keys", is_flag=True, help="Leave the private keys out: they are kept elsewhere.")
@click.option("--verify", is_flag=True, help="Make no backup: read the one in DIR, and say whether it is whole.")
@json_option
def backup_command(
    context: Context, directory: Path, passphrase: bytes | None, without_keys: bool, verify: bool, as_json: bool
) -> None:
    """Back up the server into DIR, while it serves or not: database, signed files, payloads, archives, settings, and
    the private keys, encrypted with a passphrase.

    DIR has one backup of one server. The next one copies only what is new, and takes its place at the end: where it is
    cut off, the former one is whole. Ends with 1 where a file of the home is missing or damaged; all others are backed
    up then.

    \b
    Examples:
      seed-server backup /mnt/backup/patches --passphrase-file /etc/seed-server/backup.pass
      seed-server backup --verify /mnt/backup/patches
    """
    directory = directory.absolute()
    if verify:
        _verify(directory, passphrase, as_json=as_json)
        return
    from seed_server.backup.backing_up import back_up

    if passphrase is None and not without_keys:
        passphrase = _ask("Passphrase for the keys in the backup", confirm=True)
    with progress_bars() as on_progress:
        done = back_up(
            context,
            directory,
            None if without_keys else passphrase,
            on_copied=lambda _files, copied: on_progress(tr("copied"), copied, copied),
        )
    if as_json:
        print_json(_backup_document(directory, done))
    else:
        _show_backup(directory, done)
    if done.faults:
        raise SystemExit(ExitCode.FAILED)


def _verify(directory: Path, passphrase: bytes | None, *, as_json: bool) -> None:
    from seed_server.backup.verifying import verify_backup

    with progress_bars() as on_progress:
        found = verify_backup(directory, passphrase, on_read=lambda done, whole: on_progress(tr("read"), done, whole))
    if as_json:
        print_json(_verdict_document(directory, found))
    else:
        _show_verdict(found)
    if found.faults:
        raise SystemExit(ExitCode.FAILED)


@click.command("restore")
@_directory_argument
@bare_home_option
@_passphrase_option
@click.option(
    "--keys",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder with the private keys ('online' and 'ca' in it), where the backup has none.",
)
@click.option(
    "--database-url",
    default="",
    metavar="URL",
    help="An empty database of PostgreSQL, in the place of the one that the settings name.",
)
@json_option
def restore_command(
    context: Context,
    directory: Path,
    passphrase: bytes | None,
    keys: Path | None,
    database_url: str,
    as_json: bool,
) -> None:
    """Make a server's home of the backup in DIR, on a machine that has none. Then the fleet goes on: the server learns
    from its PCs what came after the backup.

    All of the backup is verified before there is a home. Tokens, API tokens and logins of before are void.

    \b
    Example:
      seed-server restore /mnt/backup/patches --home /var/lib/seed-server --passphrase-file backup.pass
    """
    from seed_server.backup.restoring_home import RestoreWish, needs_passphrase, restore

    directory = directory.absolute()
    if passphrase is None and keys is None and needs_passphrase(directory):
        passphrase = _ask("Passphrase of the keys in the backup", confirm=False)
    wish = RestoreWish(directory, passphrase, keys, database_url)
    with progress_bars() as on_progress:
        done = restore(context, actor_of, wish, on_read=lambda read, whole: on_progress(tr("restored"), read, whole))
    if as_json:
        print_json(_restore_document(context, done))
    else:
        _show_restore(context, done)


def _ask(prompt: str, *, confirm: bool) -> bytes:
    if not somebody_answers():
        raise UserError(
            "A passphrase is needed for the keys in the backup. Give it with --passphrase-file FILE or in "
            f"{BACKUP_PASSPHRASE_VARIABLE}.",
            FaultKind.USAGE,
        )
    text: str = click.prompt(tr(prompt), hide_input=True, confirmation_prompt=confirm, err=True)
    return text.encode()


# --- what is shown -----------------------------------------------------------------------------


def _show_backup(directory: Path, done: "BackupDone") -> None:
    click.echo(
        tr(
            "Backed up as of {time}: {files} files, {size}; {new_files} of them, {new_size}, were new.",
            time=utc_minute(done.backup_at),
            files=f"{done.files:,}",
            size=bytes_text(done.bytes),
            new_files=f"{done.new_files:,}",
            new_size=bytes_text(done.new_bytes),
        )
    )
    if not done.with_keys:
        say("The private keys are NOT in it: a restore needs them from elsewhere.")
    elif done.offline_keys:
        say("The private keys are in it, encrypted; offline keys among them, as they lie in the home.")
    else:
        say("The private keys are in it, encrypted; not the offline keys, which are not in the home.")
    for fault in done.faults[:MOST_FAULTS_SHOWN]:
        say_error(printable(fault))
    if done.faults:
        say_error(
            tr(
                "{number} files of the home are missing or damaged, and not in the backup; all others are. "
                "'seed-server doctor' says what to do.",
                number=len(done.faults),
            )
        )
    else:
        click.echo(tr("Whether it stays whole: seed-server backup --verify {directory}", directory=str(directory)))


def _show_verdict(found: "BackupVerdict") -> None:
    files = found.files
    click.echo(
        tr(
            "Backup of {server} as of {time}, by release {release}: {number} files, {size}.",
            server=printable(files.server),
            time=utc_minute(files.backup_at),
            release=printable(files.release),
            number=f"{len(files.all_files()):,}",
            size=bytes_text(sum(file.bytes for file in files.all_files())),
        )
    )
    for path, problem in found.faults[:MOST_FAULTS_SHOWN]:
        say_error(f"{printable(path)}: {printable(problem)}")
    if found.faults:
        say_error(
            tr(
                "{number} files are NOT as they were written. Use another copy of this backup, or make a new one into "
                "an empty directory.",
                number=len(found.faults),
            )
        )
    elif found.proven:
        say("Every file is as it was written, and the keys open: nobody has exchanged any of it.")
    elif files.sealed is not None:
        say("Every file is as it was written. With the passphrase it is also proven that nobody has exchanged any.")
    else:
        say("Every file is as it was written. The private keys are not in it.")
    if found.leftovers:
        click.echo(
            tr(
                "{number} files are of a backup that was cut off: the next one uses or removes them.",
                number=found.leftovers,
            )
        )


def _show_restore(context: Context, done: "RestoreDone") -> None:
    files = done.files
    click.echo(
        tr(
            "Restored {server} into {home}, as of {time}: {number} files, {size}.",
            server=printable(files.server),
            home=str(context.home.root),
            time=utc_minute(files.backup_at),
            number=f"{len(files.files):,}",
            size=bytes_text(files.total_bytes),
        )
    )
    click.echo(
        tr(
            "Void from now on: {tokens} tokens that enrol PCs, {api_tokens} API tokens and logins. Make new ones.",
            tokens=done.revoked_tokens,
            api_tokens=done.revoked_api_tokens,
        )
    )
    for patch in done.lacking[:MOST_FAULTS_SHOWN]:
        click.echo(tr("The file of {patch} is not in the backup: publish it again.", patch=printable(patch)))
    say("Look over the accounts: who was disabled after the backup is not any more (seed-server people list).")
    say("Start it at the same address. It learns from its PCs what came after the backup; 'status' says how far it is.")
    say(f"Next: seed-server serve --home {context.home.root}")


# --- documents ---------------------------------------------------------------------------------


def _backup_document(directory: Path, done: "BackupDone") -> BackupDocument:
    return BackupDocument(
        directory=str(directory),
        backup_at=done.backup_at,
        files=done.files,
        bytes=done.bytes,
        new_files=done.new_files,
        new_bytes=done.new_bytes,
        removed_bytes=done.removed_bytes,
        with_keys=done.with_keys,
        offline_keys=done.offline_keys,
        faults=done.faults,
    )


def _verdict_document(directory: Path, found: "BackupVerdict") -> BackupVerdictDocument:
    files = found.files
    return BackupVerdictDocument(
        directory=str(directory),
        whole=not found.faults,
        server=files.server,
        release=files.release,
        backup_at=files.backup_at,
        files=len(files.all_files()),
        bytes=sum(file.bytes for file in files.all_files()),
        with_keys=files.sealed is not None,
        proven=found.proven,
        faults=tuple(BackupFaultDocument(path, problem) for path, problem in found.faults),
        leftovers=found.leftovers,
    )


def _restore_document(context: Context, done: "RestoreDone") -> RestoreDocument:
    return RestoreDocument(
        home=str(context.home.root),
        server=done.files.server,
        backup_at=done.files.backup_at,
        files=len(done.files.files),
        bytes=done.files.total_bytes,
        revoked_tokens=done.revoked_tokens,
        revoked_api_tokens=done.revoked_api_tokens,
        lacking=done.lacking,
    )
