"""Recipes on the disk. Blocking."""

from pathlib import Path

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.toml_config import TomlFileError, parse_toml_partly
from seed_server.publishing.examination import Examined, Publication, examine
from seed_server.publishing.findings import Finding, WrittenRecipe
from seed_server.publishing.recipe import Recipe

MAX_RECIPE_BYTES = 1 << 20  # what becomes a manifest has at most a quarter of it; the rest may be comments


def read_recipe(path: Path) -> WrittenRecipe:
    """Return the recipe in ``path``; what is wrong with it is looked for later, and told at once.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read, or is no TOML.
    """
    text = read_given_text("recipe", path, MAX_RECIPE_BYTES, "it is no recipe. Scripts belong into the payload.")
    file, problems = parse_toml_partly(text, Recipe, source=str(path), times_as_text=True)
    return WrittenRecipe(str(path), file.value, file.document, tuple(problems))


def lint_recipe(path: Path, now: float) -> Examined:
    """Return all that is wrong or doubtful. ``now`` is in seconds since 1970.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read.
    """
    try:
        written = read_recipe(path)
    except TomlFileError as error:
        (problem,) = error.problems
        finding = Finding("error", "", problem.text, problem.line, problem.column)
        return Examined(Publication(Recipe(), path.parent), (finding,), (), ())
    return examine(Publication(written.recipe, path.parent, written), now, whole=False)
