r"""Checks as an operator types them, and as the types that a manifest carries. Pure.

    package acme-agent >= 2.1
    file /opt/acme/VERSION sha256=9f86d0…
    command /usr/bin/acme --version => 2.1
    unit acme.service

A command is split into arguments here, once. Quotation marks keep blanks within an argument; a backslash is literal.
"""

import re
import shlex
from collections.abc import Callable, Mapping

from p2pdist.shared.manifest.recipe import Check, CommandCheck, FileCheck, PackageCheck, UnitCheck

EXAMPLES: Mapping[str, str] = {
    "package": "package acme-agent >= 2.1",
    "file": "file /opt/acme/VERSION sha256=HEX",
    "command": "command /usr/bin/acme --version => 2.1",
    "unit": "unit acme.service",
}


class CheckTextError(ValueError):
    """The text is no check. The message says why, and what to write."""


def parse_check(text: str) -> Check:
    """Return the check that ``text`` spells; its values are not checked yet. Raises `CheckTextError`."""
    kind, _, rest = text.strip().partition(" ")
    read = _READERS.get(kind)
    if read is None:
        raise CheckTextError(f"{text[:60]!r} is no check; write one of: {'; '.join(EXAMPLES.values())}")
    check = read(rest.strip())
    if check is None:
        raise CheckTextError(f"{text[:60]!r} is not whole; write: {EXAMPLES[kind]}")
    return check


def _package(rest: str) -> Check | None:
    match = re.fullmatch(r"(.*?\S)\s*>=\s*(\S+)", rest)  # package names on Windows have blanks
    return PackageCheck(name=match[1].strip("'\""), at_least=match[2]) if match else None


def _file(rest: str) -> Check | None:
    path, given, sha256 = rest.partition(" sha256=")
    path = path.strip().strip("'\"")
    return FileCheck(path=path, sha256=sha256.lower() if given else None) if path else None


def _command(rest: str) -> Check | None:
    lexer = shlex.shlex(rest, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise CheckTextError(f"command {rest[:60]!r}: {str(error).lower()}; close the quotation mark") from error
    end = words.index("=>") if "=>" in words else len(words)
    return CommandCheck(command=tuple(words[:end]), output=" ".join(words[end + 1 :])) if words[:end] else None


def _unit(rest: str) -> Check | None:
    return UnitCheck(unit=rest) if rest else None


_READERS: Mapping[str, Callable[[str], Check | None]] = {
    "package": _package,
    "file": _file,
    "command": _command,
    "unit": _unit,
}
