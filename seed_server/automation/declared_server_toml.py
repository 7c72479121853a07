"""``server.toml`` with some of its keys changed; all else in it stays as people wrote it, comments too. Pure.

Each step is proven by reading the text again: where that has not exactly what it should, a person has to do it.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from bandwidth.profiles.toml_document import TomlDocument
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.declared_toml import assignment, has_header, section_lines


def changed_text(text: str, changes: Mapping[str, Any], *, source: str) -> str:
    """Return ``text`` with other values of some keys of its top; None: without the key.

    ``text`` is one that is read already; ``source`` is its file's name for messages. Raises `UserError` (BAD_INPUT)
    where a key stands in it in such a way that only a person can change it.
    """
    text = text.replace("\r\n", "\n")
    for name, value in changes.items():
        left, place = _without(text, name, source)
        text = left if value is None else _with(left, name, value, place)
        wanted = {key: one for key, one in tomllib.loads(left).items() if key != name}
        if tomllib.loads(text) != (wanted if value is None else wanted | {name: value}):
            raise _by_hand(name, source)
    return text


def _without(text: str, name: str, source: str) -> tuple[str, int | None]:
    """Return the text without a key, and the line (from 0) where that stood; None: nowhere."""
    document = TomlDocument.parse(text)
    if name not in document.values:
        return text, None
    wanted = {key: value for key, value in document.values.items() if key != name}
    lines = text.split("\n")
    first = (document.line_of((name,)) or 1) - 1
    # its last line is the first after which nothing of it is left
    for end in range(first + 1, len(lines) + 1):
        candidate = "\n".join([*lines[:first], *lines[end:]])
        if _is(candidate, wanted):
            return candidate, first
    raise _by_hand(name, source)


def _is(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _with(text: str, name: str, value: Any, place: int | None) -> str:
    """Return the text with a key that is not in it: where it stood, or below its comment, or at the end of its part."""
    lines = text.split("\n")
    if has_header(value):
        while lines and not lines[-1]:
            lines.pop()
        return "\n".join([*lines, *section_lines(name, value), ""])
    headers = [at for at, line in enumerate(lines) if line.lstrip().startswith("[")]
    end = next((at for at in headers if _begins_table(lines, at)), len(lines))
    proposed = next((at + 1 for at, line in enumerate(lines[:end]) if line.startswith(f"# {name} = ")), None)
    at = place if place is not None and place <= end else proposed
    if at is None:  # above the comment that belongs to the first table
        at = end
        while at and (not lines[at - 1].strip() or (end < len(lines) and lines[at - 1].startswith("#"))):
            at -= 1
    return "\n".join([*lines[:at], assignment(name, value), *lines[at:]])


def _begins_table(lines: list[str], at: int) -> bool:
    """Whether a line that begins with a bracket is a header, and not within a value: what is above is a whole text."""
    try:
        tomllib.loads("\n".join(lines[:at]))
    except tomllib.TOMLDecodeError:
        return False
    return True


def _by_hand(name: str, source: str) -> UserError:
    return UserError(
        f"{source}: {name} stands there in such a way that only a person can change it. Write it as the file that "
        "'seed-server apply --export' makes has it, and try again.",
        FaultKind.BAD_INPUT,
    )
