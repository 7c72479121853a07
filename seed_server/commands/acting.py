"""On whose behalf a command acts: an account (`--as NAME`), an API token, or the local user. Asked once per command."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr

if TYPE_CHECKING:
    from seed_server.fleet.actor import Actor
    from seed_server.fleet.context import Context

TOKEN_VARIABLE = "SEED_SERVER_API_TOKEN"  # noqa: S105 - a name, not a secret
MAX_API_TOKEN_FILE_BYTES = 1_000
_ASKED, _FOUND = f"{__name__}.asked", f"{__name__}.found"


@dataclass(frozen=True)
class _Asked:
    name: str | None
    token_file: Path | None


def ask_to_act(name: str | None, token_file: Path | None) -> None:
    """Note whom the command line names, for the command below. Raises `click.UsageError` for two."""
    if name is not None and token_file is not None:
        raise click.UsageError("--as and --token-file name two: give one of them.")
    click.get_current_context().meta[_ASKED] = _Asked(name, token_file)


def names_an_account() -> bool:
    """Whether the command line says as whom to act."""
    return bool(click.get_current_context().meta.get(_ASKED, _Asked(None, None)) != _Asked(None, None))


def account_of(context: "Context", local: "Actor") -> "Actor | None":
    """Return who the command line or the environment names, who has proven it; None: nobody, so the local user acts.

    Asks for password and code on the terminal. Raises `UserError`: REFUSED; USAGE where nobody can be asked, BAD_INPUT,
    NOT_SET_UP, STORAGE, BUSY.
    """
    command = click.get_current_context(silent=True)
    if command is None:
        return None
    if _FOUND not in command.meta:
        command.meta[_FOUND] = _proven(context, command.meta.get(_ASKED, _Asked(None, None)), local)
    found: Actor | None = command.meta[_FOUND]
    return found


def _proven(context: "Context", asked: _Asked, local: "Actor") -> "Actor | None":
    from seed_server.fleet import saved_logins
    from seed_server.fleet.accounts import actor_of_token, comes_by_provider, login

    if asked.name is not None:
        if comes_by_provider(context, asked.name):
            if (saved := saved_logins.token_of(context, asked.name)) is not None:
                return actor_of_token(context, saved)
            raise UserError(
                f"{asked.name} logs in by the identity provider, and is not logged in here. Do it with: seed-server "
                "login",
                FaultKind.REFUSED,
            )
        password, code = _password_and_code(asked.name)
        return login(context, asked.name, password, code, source=local.who)
    token = _token(asked.token_file)
    return None if token is None else actor_of_token(context, token)


def somebody_answers() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty()


def _password_and_code(name: str) -> tuple[str, str]:
    if not somebody_answers():
        raise UserError(
            f"Nobody can be asked for a password here. Programs give an API token, in {TOKEN_VARIABLE} or with "
            "--token-file FILE.",
            FaultKind.USAGE,
        )
    password: str = click.prompt(tr("Password of {name}", name=name), hide_input=True, err=True)
    # asked of everybody: else it would tell who has a second factor
    code: str = click.prompt(tr("Code of the app (empty: none)"), default="", show_default=False, err=True)
    return password, code


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return read_capped(file, MAX_API_TOKEN_FILE_BYTES).decode(errors="replace")
    except OSError as error:
        raise UserError(f"Cannot read the token file {file}: {error.strerror}.", FaultKind.BAD_INPUT) from error
    except FileTooLargeError as error:
        raise UserError(f"{file}, the token file: {error}", FaultKind.BAD_INPUT) from error


def ask_new_password(name: str) -> str:
    """Ask twice for a new password on the terminal. Raises `UserError` (USAGE) where there is none."""
    if not somebody_answers():
        raise UserError("Nobody can be asked for a password here. Give it with --password-file FILE.", FaultKind.USAGE)
    prompt = tr("New password of {name}", name=name)
    text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return text
