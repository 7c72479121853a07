"""Options and checks that several `p2pdist` commands share."""

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import trio

from p2pdist.local_api.messages import AnswerT, Command, QuestionT
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome, default_home, load_settings
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.private_directory import check_home_name

USERS_SOCKET_VARIABLE = "P2PDIST_SOCKET"
"""In the environment, where users ask; by default where the daemon of the system's home answers them."""


def _home(_context: click.Context, _parameter: click.Parameter, value: Path) -> EndpointHome:
    home = value.absolute()
    check_home_name(home)
    return EndpointHome(home)


home_option = click.option(
    "--home",
    metavar="DIR",
    envvar="P2PDIST_HOME",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=default_home,
    callback=_home,
    show_default=f"P2PDIST_HOME, else {default_home()}",
    help="This endpoint's home directory.",
)


root_pin_option = click.option(
    "--root-pin",
    metavar="HEX",
    default="",
    help="The pin of the trust root, from 'seed-server init'; by default root_pin in config.toml, else the token's.",
)


def anew_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what an enrolled PC does not keep; the command gets them as the set ``anew``."""

    @click.option("--new-key", is_flag=True, help="With --force: an identity of its own, for a copy of another PC.")
    @click.option(
        "--new-root", is_flag=True, help="With --force: accept a trust root that does not follow from this PC's."
    )
    @functools.wraps(command)
    def with_set(*arguments: Any, new_key: bool, new_root: bool, **options: Any) -> None:
        anew = {name for name, wanted in (("key", new_key), ("root", new_root)) if wanted}
        command(*arguments, anew=anew, **options)

    return with_set


def pinned_root(home: EndpointHome, given: str) -> bytes | None:
    """Return the pin that was ``given``, else that of ``config.toml``, or None. Raises `UserError` (BAD_INPUT)."""
    text = given or load_settings(home).root_pin
    if text and not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise UserError(
            f"{text!r} is no pin: it has 64 hexadecimal digits, as 'seed-server init' printed them.",
            FaultKind.BAD_INPUT,
        )
    return bytes.fromhex(text) if text else None


def check_enrolled(home: EndpointHome) -> None:
    """Raise `UserError` (NOT_SET_UP) if this PC is not enrolled."""
    try:
        home.enrolment.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"This PC is not enrolled in {home.root}. Ask your operator for a token, then run: p2pdist enrol",
            FaultKind.NOT_SET_UP,
        ) from None
    except OSError:  # another user's home: the next step says so, if that matters
        pass


async def ask(home: EndpointHome, command: Command[QuestionT, AnswerT], question: QuestionT | None = None) -> AnswerT:
    """Return the answer of the daemon of ``home``. Raises `UserError`.

    Who may not enter that home asks by the users' socket, where the command is one for users.
    """
    users = Path(named) if (named := os.environ.get(USERS_SOCKET_VARIABLE)) else home.users_socket
    if users is None or not command.for_users or (not named and os.access(home.root, os.X_OK)):
        return await ask_daemon(home.socket, command, question)
    return await ask_daemon(users, command, question, of_users=True)


def ask_here(home: EndpointHome, command: Command[QuestionT, AnswerT], question: QuestionT | None = None) -> AnswerT:
    """Do the same from a command, which first looks whether this PC is enrolled."""
    check_enrolled(home)
    return trio.run(ask, home, command, question)
