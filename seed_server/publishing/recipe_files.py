"""Recipes on the disk: read, and looked over before anything is published. Blocking."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.toml_config import parse_toml
from seed_server.publishing.plan import choose_piece_length
from seed_server.publishing.recipe import Recipe, RecipeProblem, pointed, recipe_problems
from seed_server.publishing.recipe_warnings import recipe_doubts
from seed_server.store.content_store import open_source

MAX_RECIPE_BYTES = 1 << 20  # what becomes a manifest has at most a quarter of it; the rest may be comments


@dataclass(frozen=True)
class Finding:
    """What is wrong with a recipe, or doubtful, and where."""

    level: Literal["error", "warning"]
    where: str
    """The key; empty when the file as a whole is meant."""
    text: str
    line: int | None = None
    """Of the file, from 1; likewise the column. None: not known, or not in the file."""
    column: int | None = None
    excerpt: str = ""
    """The expression with its wrong place marked, in two lines."""

    def as_text(self, source: str) -> str:
        """Return the lines for people."""
        place = f"{source}, line {self.line}" if self.line else source
        place += f", column {self.column}" if self.column else ""
        return f"{place}: {self.level}: {self.text}" + (f"\n{self.excerpt}" if self.excerpt else "")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in ``path``; its values are not looked at yet. Raises `UserError` (BAD_INPUT)."""
    return _parsed(path, _text_of(path))


def lint_recipe(path: Path, now: float) -> list[Finding]:
    """Return all that is wrong or doubtful, errors first. ``now`` is in seconds since 1970.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read.
    """
    text = _text_of(path)
    try:
        recipe = _parsed(path, text)
    except UserError as error:
        message = error.message.removeprefix(str(path)).lstrip(",: ")
        line = re.match(r"line (\d+): ", message)
        return [Finding("error", "", message[line.end() if line else 0 :], int(line[1]) if line else None)]
    errors = [_placed(problem, recipe, text) for problem in recipe_problems(recipe)]
    errors += _wrong_files(recipe, path.parent, text)
    if errors:
        return errors  # what is worth a second look is seen when it can be published at all
    return [
        Finding("warning", doubt.where, doubt.text, _line_of(text, doubt.where)) for doubt in recipe_doubts(recipe, now)
    ]


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise UserError(f"Cannot read recipe {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT) from error
    if len(data) > MAX_RECIPE_BYTES:
        raise UserError(
            f"{path} has more than {MAX_RECIPE_BYTES >> 20} MiB; it is no recipe. Scripts belong into the payload.",
            FaultKind.BAD_INPUT,
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not text in UTF-8. Save it as such and try again.", FaultKind.BAD_INPUT) from error


def _parsed(path: Path, text: str) -> Recipe:
    return parse_toml(text, Recipe, source=str(path), times_as_text=True)


def _wrong_files(recipe: Recipe, folder: Path, text: str) -> Iterator[Finding]:
    for number, payload in enumerate(recipe.payload, 1):
        where = f"payload {number}"
        try:
            with open_source(folder / payload.file) as file:
                choose_piece_length(file.seek(0, 2))
        except UserError as error:
            yield Finding("error", where, f"{where}: {error.message}", _line_of(text, where))


def _placed(problem: RecipeProblem, recipe: Recipe, text: str) -> Finding:
    line, column, excerpt = _line_of(text, problem.where), None, ""
    if problem.column is not None:
        excerpt = pointed(recipe.applies_to, problem.column)
        # as it stands in the file: an expression with escapes does not
        start = text.find(recipe.applies_to)
        if start >= 0:
            place = start + problem.column - 1
            line = text.count("\n", 0, place) + 1
            column = place - text.rfind("\n", 0, place)
    return Finding("error", problem.where, problem.text, line, column, excerpt)


def _line_of(text: str, where: str) -> int | None:
    """Return the line of a key such as ``detect 2`` or ``schedule, deadline``; of the table when it has no such key."""
    for part in reversed(where.split(", ")):
        match = re.match(r"([a-z_]+)(?: ([0-9]+))?", part)
        if match is None:
            continue
        key = re.compile(rf"\s*\[*\s*(?:\w+\.)?{match[1]}\b\s*[\]=.]")
        lines = [number for number, row in enumerate(text.splitlines(), 1) if key.match(row)]
        wanted = int(match[2] or 1)
        if len(lines) >= wanted:
            return lines[wanted - 1]
        if lines:  # an array that is written in one line
            return lines[0]
    return None
