"""Where `p2pdist enrol` gets its token: a file, standard input, what the machine was given, or a prompt.

A machine that is made from an image is given one as a credential of systemd's, or on the kernel's command line. A token
is a password, and the prompt does not show it: for as long as a command runs, every user of the PC can read its
arguments.
"""

import os
import stat
import sys
from pathlib import Path

import click

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.enrolment import MAX_TOKEN_CHARS

MAX_TOKEN_FILE_BYTES = MAX_TOKEN_CHARS + 64  # with an editor's mark and the end of the line
STANDARD_INPUT = "-"
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # as systemd names it to a service
CREDENTIAL_NAMES = ("p2pdist.token", "p2pdist.token-file")
KERNEL_COMMAND_LINE = Path("/proc/cmdline")
MAX_COMMAND_LINE_BYTES = 64 << 10  # kernels take 2 to 4 KiB
TOKEN_PARAMETER, TOKEN_FILE_PARAMETER = "p2pdist.token", "p2pdist.token_file"

token_file_option = click.option(
    "--token-file",
    metavar="FILE",
    help="File that holds the token; - is standard input. Without it, the token is what this machine was given, or is "
    "asked for.",
)


def read_token(
    on_command_line: str | None, token_file: str | None, *, kernel_command_line: Path = KERNEL_COMMAND_LINE
) -> str:
    """Return the token, from where the user gave it; warn where others can see it.

    Raises `UserError`: USAGE for none or two, BAD_INPUT for a file that cannot be read or is no token.
    """
    if on_command_line is not None and token_file is not None:
        raise UserError("Give the token once: with --token-file alone.", FaultKind.USAGE)
    if on_command_line is not None:
        _warn(
            "every user of this PC can read a command's arguments while it runs, and the shell keeps them. "
            "Give the token with --token-file FILE, or - for standard input."
        )
        return on_command_line
    if token_file == STANDARD_INPUT:
        return _text(sys.stdin.buffer.read(MAX_TOKEN_FILE_BYTES), "standard input")
    if token_file is not None:
        return _in_file(Path(token_file))
    token = _of_credentials() or _of_kernel(kernel_command_line)
    if token:
        return token
    if not sys.stdin.isatty():
        raise UserError("A token is needed. Give it with --token-file FILE, or - for standard input.", FaultKind.USAGE)
    asked: str = click.prompt("Token", hide_input=True, err=True)
    return asked


def _of_credentials() -> str:
    """Return the token that the service's manager hands over; empty: none. Raises `UserError` (BAD_INPUT)."""
    directory = os.environ.get(CREDENTIALS, "")
    found = [Path(directory, name) for name in CREDENTIAL_NAMES if directory and Path(directory, name).exists()]
    return _in_file(found[0]) if found else ""


def _of_kernel(command_line: Path) -> str:
    """Return the token that the kernel's command line has, or names a file of; empty: none. Raises `UserError`."""
    try:
        with command_line.open("rb") as file:
            words = file.read(MAX_COMMAND_LINE_BYTES).decode(errors="replace").split()
    except OSError:  # no Linux, or a sandbox
        return ""
    # a boot loader's quotation marks are left in it, as systemd's own reader knows
    given = dict(word.strip('"').split("=", 1) for word in words if "=" in word)
    given = {name: value.strip('"') for name, value in given.items()}
    if path := given.get(TOKEN_FILE_PARAMETER):
        return _in_file(Path(path))
    if token := given.get(TOKEN_PARAMETER, ""):
        _warn(
            "every user of this PC can read the kernel's command line, and so this token: let it be for one PC, or "
            f"give {TOKEN_FILE_PARAMETER}=FILE there."
        )
    return token


def _in_file(path: Path) -> str:
    try:
        data = read_capped(path, MAX_TOKEN_FILE_BYTES)
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(
            f"Cannot read the token file {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT
        ) from error
    except FileTooLargeError as error:
        raise UserError(f"{path} is no token: it has {error}.", FaultKind.BAD_INPUT) from error
    # Windows has other permissions, and says 0o666 of every file
    if sys.platform != "win32" and stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        _warn(f"other users can read the token in {path}. Run 'chmod 600' on it, and remove it after this.")
    return _text(data, str(path))


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UserError(f"What is in {where} is no token.", FaultKind.BAD_INPUT) from error


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)
