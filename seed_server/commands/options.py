"""Options and types of values that several `seed-server` commands share."""

import functools
import getpass
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.private_directory import check_home_name
from p2pdist.shared.wire.enrolment import MAX_SERVER_NAME_CHARS, MAX_TAGS, TAG_PATTERN
from seed_server.commands.acting import account_of
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operation import require
from seed_server.fleet.roles import NO_PC, Permission, Reach
from seed_server.settings.home import DEFAULT_SERVER_HOME, ServerHome
from seed_server.settings.server_toml import DEFAULT_API_PORT, ServerSettings
from seed_server.signing.key_files import MAX_PASSPHRASE_BYTES, OfflineKeys, is_encrypted, key_path

MAX_PASSPHRASE_FILE_BYTES = MAX_PASSPHRASE_BYTES + 2  # with the end of a line
MAX_USER_NAME_CHARS = 80
PASSPHRASE_VARIABLE = "SEED_SERVER_PASSPHRASE"  # noqa: S105 - a name, not a secret


class CvssScore(click.ParamType[float]):
    """A CVSS score; it has one decimal."""

    name = "cvss"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the score; `click.BadParameter` for anything else."""
        if not re.fullmatch(r"(?:[0-9](?:\.[0-9])?|10(?:\.0)?)", str(value), re.ASCII):
            self.fail(f"{str(value)!r} is not a CVSS score: one from 0.0 to 10.0 with one decimal.", param, ctx)
        return float(value)


def _opened(_context: click.Context, _parameter: click.Parameter, value: Path) -> Context:
    home = value.absolute()
    check_home_name(home)
    return Context(ServerHome(home))


def _opened_if_given(context: click.Context, parameter: click.Parameter, value: Path | None) -> Context | None:
    return None if value is None else _opened(context, parameter, value)


def _read_passphrase(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> bytes | None:
    if value is None:
        text = os.environ.get(PASSPHRASE_VARIABLE)
        return os.fsencode(text) if text else None
    return read_passphrase(value)


def read_passphrase(path: Path) -> bytes:
    """Return the passphrase in a file: its bytes as they are, but for the line's end. Raises `UserError` (BAD_INPUT).

    No mark of an editor is dropped: keys may have been encrypted with it.
    """
    try:
        return read_capped(path, MAX_PASSPHRASE_FILE_BYTES).rstrip(b"\r\n")
    except OSError as error:
        raise UserError(f"Cannot read the passphrase file {path}: {error.strerror}.", FaultKind.BAD_INPUT) from error
    except FileTooLargeError as error:
        raise UserError(f"{path}, the passphrase file: {error}", FaultKind.BAD_INPUT) from error


bare_home_option = click.option(
    "--home",
    "context",
    envvar="SEED_SERVER_HOME",
    default=DEFAULT_SERVER_HOME,
    show_default=f"SEED_SERVER_HOME, else {DEFAULT_SERVER_HOME}",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    callback=_opened,
    help="The server's home directory.",
)
"""For commands that are the machine's own: whoever is named by `--as` has no part in them."""


def home_needing(permission: Permission, reach: Reach) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the option ``--home``, as ``context``, and asks for a right before anything else.

    Who is named by ``--as`` or a token proves it there. What an operation needs is asked for by that besides.
    """

    def option(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def proven(*args: object, context: Context, **others: object) -> None:
            require(context, actor_of(context), permission, reach)
            command(*args, context=context, **others)

        given: Callable[..., None] = bare_home_option(proven)
        return given

    return option


home_option = home_needing("look", NO_PC)

optional_home_option = click.option(
    "--home",
    "context",
    envvar="SEED_SERVER_HOME",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    callback=_opened_if_given,
    help="The server's home directory, to compare with what is published; also from SEED_SERVER_HOME.",
)


def _checked_tags(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    tags = tuple(sorted(set(values)))
    for tag in tags:
        if not re.fullmatch(TAG_PATTERN, tag):
            raise click.BadParameter(f"{tag[:60]!r} is no tag: use 1 to 40 of a-z, 0-9, '.', '_' and '-'.")
    if len(tags) > MAX_TAGS:
        raise click.BadParameter(f"a PC has at most {MAX_TAGS} tags.")
    return tags


tags_option = click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    callback=_checked_tags,
    help="What to call its PCs, such as kiosk or branch-7; may be given several times.",
)
offline_option = click.option(
    "--offline-keys",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder with the offline keys, when it is not in the home (keys/offline).",
)
passphrase_option = click.option(
    "--passphrase-file",
    "passphrase",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_read_passphrase,
    help=f"File that holds the offline keys' passphrase; also from {PASSPHRASE_VARIABLE}.",
)


_SETTINGS_OPTIONS = (
    click.option("--name", required=True, metavar="NAME", help="What endpoints and people call this server."),
    click.option("--address", required=True, metavar="HOST_OR_IP", help="Where endpoints reach it."),
    click.option(
        "--web-port", type=click.IntRange(1, 65_535), default=8443, show_default=True, metavar="PORT", help="HTTPS."
    ),
    click.option(
        "--origin-port",
        type=click.IntRange(1, 65_535),
        default=7690,
        show_default=True,
        metavar="PORT",
        help="Mutual TLS.",
    ),
    click.option(
        "--api-port",
        type=click.IntRange(0, 65_535),
        default=DEFAULT_API_PORT,
        show_default=True,
        metavar="PORT",
        help="HTTPS: the API for programs of this machine. 0: none.",
    ),
    click.option(
        "--database-url",
        envvar="SEED_SERVER_DATABASE_URL",
        default="",
        metavar="URL",
        help="PostgreSQL in the place of a file: postgresql://USER@HOST/NAME; also from SEED_SERVER_DATABASE_URL.",
    ),
)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a new server, as ``settings``."""

    @functools.wraps(command)
    def with_settings(
        *args: object,
        name: str,
        address: str,
        web_port: int,
        origin_port: int,
        api_port: int,
        database_url: str,
        **others: object,
    ) -> None:
        if len(name) > MAX_SERVER_NAME_CHARS or not name.strip():
            raise click.BadParameter(f"a name has 1 to {MAX_SERVER_NAME_CHARS} characters.", param_hint="--name")
        settings = ServerSettings(
            name=name,
            address=address,
            web_port=web_port,
            origin_port=origin_port,
            api_port=api_port,
            database_url=database_url,
        )
        command(*args, settings=settings, **others)

    given = with_settings
    for option in reversed(_SETTINGS_OPTIONS):
        given = option(given)
    return given


prepare_option = click.option(
    "--prepare",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="Sign nothing here: write what is to be signed to this file, for 'seed-server sign'.",
)


def offline_keys_of(context: Context, folder: Path | None, passphrase: bytes | None, role: str) -> OfflineKeys:
    """Return the offline keys that the options name.

    Asks for the passphrase when the key of ``role`` needs one, none was given and somebody can answer. A missing key
    is reported later, by the operation that needs it.
    """
    context.settings()  # what is wrong with the home as a whole is said first
    return keys_in(folder or context.home.offline_keys, passphrase, role)


def keys_in(folder: Path, passphrase: bytes | None, *roles: str) -> OfflineKeys:
    """Return the keys in ``folder``; asks for their passphrase where a key of ``roles`` needs one."""
    if not passphrase and any(is_encrypted(key_path(folder, role)) for role in roles) and sys.stdin.isatty():
        passphrase = ask_passphrase("Passphrase of the offline keys", confirm=False)
    return OfflineKeys(folder, passphrase)


def actor_of(context: Context) -> Actor:
    """Return on whose behalf a command acts. Raises as `account_of`."""
    local = local_user()
    return account_of(context, local) or local


def local_user() -> Actor:
    """Return who runs this command: with sudo, who called it. The environment names nobody else: anyone sets that."""
    if not hasattr(os, "getuid"):
        return Actor.local_user(getpass.getuser())
    import pwd

    called_by = os.environ.get("SUDO_USER", "")
    if os.getuid() == 0 and 0 < len(called_by) <= MAX_USER_NAME_CHARS and called_by.isprintable():
        return Actor.local_user(called_by)
    try:
        return Actor.local_user(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:  # an account without a name, as in some containers
        return Actor.local_user(f"uid {os.getuid()}")


def ask_passphrase(prompt: str, *, confirm: bool) -> bytes:
    """Ask for a passphrase on the terminal. Raises `UserError` (USAGE) where there is none."""
    if not sys.stdin.isatty():
        raise UserError(
            f"A passphrase is needed. Give it with --passphrase-file FILE or in {PASSPHRASE_VARIABLE}.", FaultKind.USAGE
        )
    text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return text.encode()
