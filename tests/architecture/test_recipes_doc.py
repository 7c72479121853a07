"""`docs/recipes.md`: every recipe in it can be published, and its tables are the code's."""

import re
from pathlib import Path

import pytest

from bench import sample_packages as packages
from p2pdist.shared.manifest.facts import FACTS
from p2pdist.shared.manifest.recipe import (
    INSTALL_KINDS,
    ArchiveInstall,
    DebInstall,
    MsiInstall,
    RpmInstall,
    ScriptInstall,
)
from seed_server.publishing.check_shorthand import parse_check
from seed_server.publishing.recipe import Recipe
from seed_server.publishing.recipe_files import lint_recipe, read_recipe

DOC = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
RECIPES = re.findall(r"^```toml\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
NOW = 1_790_000_000.0  # before every deadline in it


@pytest.fixture(params=RECIPES, ids=lambda text: text.splitlines()[0])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(request.param)
    written = read_recipe(path).recipe
    for payload in written.payload:
        file = tmp_path / payload.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(_content(written, payload.file))
    return path


def _content(recipe: Recipe, file: str) -> bytes:
    """Return a file that goes with the recipe: what the recipe says is what it must have in it."""
    install = recipe.install
    match install:
        case DebInstall():
            name, version = re.sub(r"_amd64\.deb$", "", file).split("_")
            return packages.deb(name, version)
        case RpmInstall():
            name, version, release = file.removesuffix(".x86_64.rpm").rsplit("-", 2)
            return packages.rpm(name, version, release)
        case MsiInstall():
            return packages.msi(version=recipe.version, code=install.product_code or packages.PRODUCT_CODE)
        case ArchiveInstall():
            return packages.tar({f"report-tool-{recipe.version}/bin/report": b"#!/bin/sh\n"})
        case ScriptInstall():
            return b"#!/bin/sh\nexit 0\n"
    return b"content"


def test_every_recipe_can_be_published(recipe: Path) -> None:
    examined = lint_recipe(recipe, NOW)
    assert examined.errors == []
    if read_recipe(recipe).recipe.patch_id:  # else it is a part of one, and says so in warnings
        assert examined.warnings == []


def test_every_kind_has_a_whole_recipe(tmp_path: Path) -> None:
    kinds = set()
    for text in RECIPES:
        (tmp_path / "recipe.toml").write_text(text)
        recipe = read_recipe(tmp_path / "recipe.toml").recipe
        if recipe.install is not None and recipe.patch_id and recipe.health:
            kinds.add(recipe.install.__struct_config__.tag)
    assert kinds == set(INSTALL_KINDS)


def test_the_table_of_facts_is_the_codes() -> None:
    rows = [f"| `{name}` | {kind.type} | {kind.meaning} |" for name, kind in FACTS.items()]
    assert "\n".join(["| fact | is | |", "|---|---|---|", *rows]) in DOC


def test_the_table_of_checks_has_texts_that_are_checks() -> None:
    table = DOC.partition("on the command line |\n|---|---|---|\n")[2].partition("\n\n")[0]
    texts = re.findall(r"\| `([^`]+)` \|$", table, re.MULTILINE)
    assert [parse_check(text).__struct_config__.tag for text in texts] == re.findall(
        r"^\| `(\w+)`", table, re.MULTILINE
    )
    assert len(texts) == 4


def test_the_marked_expression_is_what_lint_says(tmp_path: Path) -> None:
    expression = 'os.family == "debian" and os.build == "19045"'
    (tmp_path / "acme.toml").write_text(f"patch_id = 'acme'\nversion = '1'\napplies_to = '{expression}'\n")
    (finding,) = lint_recipe(tmp_path / "acme.toml", NOW).errors
    assert f"```\n{finding.as_text('acme.toml')}\n```" in DOC
