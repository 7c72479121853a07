"""What is wrong with a patch before it is published, or doubtful, and where that stands in its recipe. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bandwidth.profiles.toml_document import TomlDocument
from bandwidth.profiles.toml_lines import KeyPath
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.toml_config import TomlProblem, path_of_place
from seed_server.publishing.recipe import Level, Recipe, RecipeProblem, pointed


@dataclass(frozen=True)
class Finding:
    """What is wrong with a recipe, or doubtful, and where."""

    level: Level
    where: str
    """The key; empty when the file as a whole is meant."""
    text: str
    line: int | None = None
    """Line of the file, from 1, like the column. None: not known, or not in the file."""
    column: int | None = None
    excerpt: str = ""
    """The expression with its wrong place marked, in two lines."""

    def as_text(self, source: str) -> str:
        """Return the lines for people; an empty ``source`` is the command line."""
        place = f"{source}, line {self.line}" if self.line else source
        place += f", column {self.column}" if self.column else ""
        return f"{f'{place}: ' if place else ''}{self.level}: {self.text}" + (
            f"\n{self.excerpt}" if self.excerpt else ""
        )


@dataclass(frozen=True)
class WrittenRecipe:
    """A recipe's file: what is right in it, what is not, and where everything stands."""

    source: str
    """The file's name, as it was given."""
    recipe: Recipe
    """Without the keys of the top in which something is wrong."""
    document: TomlDocument
    problems: tuple[TomlProblem, ...] = ()
    """What is no value of its key."""

    def errors(self, overridden: Collection[str] = ()) -> list[Finding]:
        """Return ``problems`` as findings, but for the keys of the top that options have taken the place of."""
        return [
            Finding("error", _dotted(problem.path), problem.text, problem.line, problem.column)
            for problem in self.problems
            if not problem.path or problem.path[0] not in overridden
        ]

    def unread(self, overridden: Collection[str] = ()) -> set[KeyPath]:
        """Return what the file may say, and `recipe` does not: that it is missing there is no reason for a warning."""
        found: set[KeyPath] = set()
        for key, *inner in (problem.path for problem in self.problems if problem.path):
            if key not in Recipe.__struct_fields__:  # any other may have been meant
                found |= {(name,) for name in Recipe.__struct_fields__ if name not in self.document.values}
            elif key == "schedule" and inner and inner[0] in ScheduleRules.__struct_fields__:
                found.add((key, inner[0]))
            else:
                found.add((key,))
        return {path for path in found if path[0] not in overridden}

    def placed(self, problem: RecipeProblem) -> Finding:
        """Return a problem with its place in the file."""
        path = _path_of(problem.where)
        line, column = self.document.place_of(path, of_value=True) or (None, None)
        if problem.column is None:
            return Finding(problem.level, problem.where, problem.text, line, column)
        expression = self.recipe.applies_to
        line, column = self._place_in_expression(expression, problem.column, line)
        return Finding(problem.level, problem.where, problem.text, line, column, pointed(expression, problem.column))

    def _place_in_expression(self, expression: str, column: int, line: int | None) -> tuple[int | None, int | None]:
        # an expression with escapes is not found: the file spells it differently
        text = self.document.text
        start = text.find(expression, len("".join(text.splitlines(keepends=True)[: (line or 1) - 1])))
        if start < 0:
            return line, None
        place = start + column - 1
        return text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)


def unplaced(problem: RecipeProblem, expression: str) -> Finding:
    """Return a problem of what was not written in a file."""
    excerpt = "" if problem.column is None else pointed(expression, problem.column)
    return Finding(problem.level, problem.where, problem.text, excerpt=excerpt)


def top_key(problem: RecipeProblem | Finding) -> str:
    """Return the key of the recipe's top in which the problem is; empty: none."""
    return str(_path_of(problem.where)[0])


def top_keys(problems: Iterable[RecipeProblem | Finding]) -> set[str]:
    """Return the keys of the recipe's top in which there are ``problems``."""
    return {top_key(problem) for problem in problems}


def _path_of(where: str) -> KeyPath:
    """Return the path of a place in a recipe; ``health 2`` is short for a check in its table."""
    path = path_of_place(where)
    of_a_check = path[0] == "health" and len(path) > 1 and isinstance(path[1], int)
    return ("health", "checks", *path[1:]) if of_a_check else path


def _dotted(path: KeyPath) -> str:
    words: list[str] = []
    for step in path:
        words = [*words[:-1], f"{words[-1]} {step + 1}"] if isinstance(step, int) and words else [*words, str(step)]
    return ", ".join(words)
