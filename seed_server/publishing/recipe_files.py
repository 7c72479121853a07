"""Recipes on the disk: read, and checked before anything is published. Blocking."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bandwidth.profiles.toml_document import TomlDocument
from bandwidth.profiles.toml_lines import KeyPath
from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import UserError
from p2pdist.shared.toml_config import TomlFile, TomlFileError, parse_toml_file, path_of_place
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
    """Line of the file, from 1, like the column. None: not known, or not in the file."""
    column: int | None = None
    excerpt: str = ""
    """The expression with its wrong place marked, in two lines."""

    def as_text(self, source: str) -> str:
        """Return the lines for people."""
        place = f"{source}, line {self.line}" if self.line else source
        place += f", column {self.column}" if self.column else ""
        return f"{place}: {self.level}: {self.text}" + (f"\n{self.excerpt}" if self.excerpt else "")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in ``path``; its values are not checked yet. Raises `UserError` (BAD_INPUT)."""
    return _parsed(path, _text_of(path)).value


def lint_recipe(path: Path, now: float) -> list[Finding]:
    """Return all that is wrong or doubtful, errors first. ``now`` is in seconds since 1970.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read.
    """
    text = _text_of(path)
    try:
        file = _parsed(path, text)
    except TomlFileError as error:
        return [Finding("error", "", error.problem, error.line, error.column)]
    recipe, document = file.value, file.document
    errors = [_placed(problem, recipe, document) for problem in recipe_problems(recipe)]
    errors += _wrong_files(recipe, path.parent, document)
    if errors:
        return errors  # warnings come once it can be published at all
    return [
        Finding("warning", doubt.where, doubt.text, document.line_of(_path_of(doubt.where)))
        for doubt in recipe_doubts(recipe, now)
    ]


def _text_of(path: Path) -> str:
    return read_given_text("recipe", path, MAX_RECIPE_BYTES, "it is no recipe. Scripts belong into the payload.")


def _parsed(path: Path, text: str) -> TomlFile[Recipe]:
    return parse_toml_file(text, Recipe, source=str(path), times_as_text=True)


def _wrong_files(recipe: Recipe, folder: Path, document: TomlDocument) -> Iterator[Finding]:
    for number, payload in enumerate(recipe.payload, 1):
        where = f"payload {number}"
        try:
            with open_source(folder / payload.file) as file:
                choose_piece_length(file.seek(0, 2))
        except UserError as error:
            yield Finding("error", where, f"{where}: {error.message}", document.line_of(_path_of(where)))


def _placed(problem: RecipeProblem, recipe: Recipe, document: TomlDocument) -> Finding:
    line, column, excerpt = document.line_of(_path_of(problem.where)), None, ""
    if problem.column is not None:
        excerpt = pointed(recipe.applies_to, problem.column)
        # an expression with escapes is not found: the file spells it differently
        text, before = document.text, (line or 1) - 1
        start = text.find(recipe.applies_to, len("".join(text.splitlines(keepends=True)[:before])))
        if start >= 0:
            place = start + problem.column - 1
            line = text.count("\n", 0, place) + 1
            column = place - text.rfind("\n", 0, place)
    return Finding("error", problem.where, problem.text, line, column, excerpt)


def _path_of(where: str) -> KeyPath:
    """Return the path of a place in a recipe; ``health 2`` is short for a check in its table."""
    path = path_of_place(where)
    of_a_check = path[0] == "health" and len(path) > 1
    return ("health", "checks", *path[1:]) if of_a_check else path
