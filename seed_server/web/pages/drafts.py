"""A text that somebody types, as TOML: what is wrong in it and where, beside its lines. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from p2pdist.shared.errors import UserError
from p2pdist.shared.toml_config import TomlFileError

T = TypeVar("T")


@dataclass(frozen=True)
class DraftProblem:
    """What is wrong, and where."""

    text: str
    """A finished sentence."""
    line: int | None = None
    """Counted from 1, as is ``column``; None: the text as a whole."""
    column: int | None = None
    shown: str = ""
    """The line itself; empty: there is none."""


@dataclass(frozen=True)
class Draft(Generic[T]):
    """What was made of a text."""

    value: T | None
    problems: tuple[DraftProblem, ...] = ()
    """Empty where there is a value."""


def draft_of(text: str, most_bytes: int, parse: Callable[[str], T]) -> Draft[T]:
    """Return what ``parse`` makes of a text of at most ``most_bytes``, or all that is wrong with it."""
    if len(text.encode("utf-8", "replace")) > most_bytes:
        return Draft(None, (DraftProblem(f"It has over {most_bytes >> 10} KiB."),))
    try:
        return Draft(parse(text))
    except TomlFileError as error:
        lines = dict(enumerate(text.split("\n"), 1))
        found = (DraftProblem(one.text, one.line, one.column, lines.get(one.line or 0, "")) for one in error.problems)
        return Draft(None, tuple(found))
    except UserError as error:
        return Draft(None, (DraftProblem(error.message),))
