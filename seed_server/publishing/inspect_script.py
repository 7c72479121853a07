"""Look into a script: what its interpreter would stumble over. Blocking.

A shell reads it with ``-n``, by which it checks the syntax and runs nothing.
"""

import re
import shutil
import subprocess
from pathlib import PurePosixPath
from typing import BinaryIO, Literal, TypeAlias

from bandwidth.profiles.text_encoding import TextEncodingError, without_mark
from p2pdist.shared.printable_text import printable
from seed_server.publishing.contents import InspectionError, ScriptContents
from seed_server.publishing.inspect_file import inspecting, length_of

MAX_SCRIPT_BYTES = 1 << 20  # of which the syntax is checked; what is larger carries an archive at its end
SYNTAX_SECONDS = 10.0  # a shell reads 1 MiB in a tenth of a second

Interpreter: TypeAlias = Literal["sh", "bash", "python3", "powershell"]

_SHELLS = ("sh", "bash")
_FIRST_LINE_CHARS = 200
_BY_ENV = re.compile(r"#!\s*\S*/env\s+(?:-S\s+)?(\S+)")
_DIRECTLY = re.compile(r"#!\s*(\S+)")
_FITS = {
    "sh": re.compile(r"(ba|da|k|z|a)?sh"),
    "bash": re.compile(r"(ba|da|a)?sh"),
    "python3": re.compile(r"python(3(\.\d+)?)?"),
    "powershell": re.compile(r"(pwsh|powershell)(\.exe)?"),
}
_SYNTAX_PLACE = re.compile(r"^[^:]*:(?: line)? ?(\d+): (.*)")


def inspect_script(file: BinaryIO, interpreter: Interpreter) -> ScriptContents:
    """Return what the script says of itself. Raises `InspectionError`, nothing else."""
    with inspecting("script"):
        length = length_of(file)
        data = file.read(MAX_SCRIPT_BYTES)
        whole = length <= MAX_SCRIPT_BYTES
        plain = _checked_text(data, interpreter, whole=whole)
        if interpreter in _SHELLS and data != plain:
            raise InspectionError(
                f"it begins with a byte order mark, which {interpreter} takes for a command; save it as UTF-8 without"
            )
        _check_line_ends(plain, interpreter)
        program = _program(plain)
        if program and not _FITS[interpreter].fullmatch(program):
            raise InspectionError(
                f"its first line names {program}, and the recipe's interpreter is {interpreter!r}; correct one of both"
            )
        doubts = list(_syntax(plain, interpreter)) if interpreter in _SHELLS and whole else []
        if program == "bash" and interpreter == "sh":
            doubts.append('its first line names bash, and sh is another shell on Debian; write interpreter = "bash"')
        return ScriptContents(program, tuple(doubts))


def _checked_text(data: bytes, interpreter: Interpreter, *, whole: bool) -> bytes:
    """Return the script without a byte order mark."""
    try:
        plain = without_mark(data)
    except TextEncodingError as error:
        if interpreter == "powershell":
            return data.decode("utf-16", "replace").encode()  # which it reads by its mark
        raise InspectionError(str(error)) from error
    # a self-extracting script has an archive after its text, so only its begin must be text
    if b"\0" in (plain if whole else plain[:_FIRST_LINE_CHARS]):
        raise InspectionError("it is no script: it has bytes in it that no text has")
    return plain


def _check_line_ends(plain: bytes, interpreter: Interpreter) -> None:
    if interpreter not in _SHELLS or b"\r\n" not in plain:
        return
    line = plain[: plain.index(b"\r\n")].count(b"\n") + 1
    raise InspectionError(
        f"line {line} ends as on Windows (CR LF), and {interpreter} takes the CR for a part of the command; "
        "save it with line ends of Unix, as by dos2unix"
    )


def _program(plain: bytes) -> str:
    first = plain[:_FIRST_LINE_CHARS].split(b"\n", 1)[0].decode(errors="replace")
    found = _BY_ENV.match(first) or _DIRECTLY.match(first)
    return printable(PurePosixPath(found[1]).name) if found else ""


def _syntax(plain: bytes, interpreter: Interpreter) -> list[str]:
    """Return a doubt. Raises `InspectionError` where no shell at hand can read the script."""
    problem = _problem_of(plain, interpreter)
    if problem is None:
        return []
    if interpreter == "sh" and shutil.which("bash") and _problem_of(plain, "bash") is None:
        return [f'sh cannot read it here ({problem}), but bash can: write interpreter = "bash"']
    raise InspectionError(f"{interpreter} cannot read it: {problem}")


def _problem_of(plain: bytes, shell: str) -> str | None:
    """Return what ``shell`` says of the script's syntax; None: nothing, or it is not here."""
    program = shutil.which(shell)
    if program is None:
        return None
    options = ("--noprofile", "--norc") if shell == "bash" else ()
    try:
        ended = subprocess.run(
            [program, *options, "-n"],
            input=plain,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C"},  # nothing of ours, such as BASH_ENV
            cwd="/",
            timeout=SYNTAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took {shell} over {SYNTAX_SECONDS:.0f} s"
    except OSError:
        return None
    if ended.returncode == 0:
        return None
    said = printable(ended.stderr.decode(errors="replace").strip().split("\n", 1)[0])[:_FIRST_LINE_CHARS]
    place = _SYNTAX_PLACE.match(said)
    return f"line {place[1]}: {place[2]}" if place else said or f"it ended with code {ended.returncode}"
