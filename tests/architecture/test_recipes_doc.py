"""`docs/recipes.md`: every recipe in it can be published, and its tables are the code's."""

import re
from pathlib import Path

import pytest

from p2pdist.shared.manifest.facts import FACTS
from p2pdist.shared.manifest.recipe import INSTALL_KINDS
from seed_server.publishing.check_shorthand import parse_check
from seed_server.publishing.recipe_files import lint_recipe, read_recipe

DOC = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
RECIPES = re.findall(r"^```toml\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
NOW = 1_790_000_000.0  # before every deadline in it


@pytest.fixture(params=RECIPES, ids=lambda text: text.splitlines()[0])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(request.param)
    for payload in read_recipe(path).payload:
        file = tmp_path / payload.file
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"content")
    return path


def test_every_recipe_can_be_published(recipe: Path) -> None:
    findings = lint_recipe(recipe, NOW)
    assert [finding for finding in findings if finding.level == "error"] == []
    if read_recipe(recipe).patch_id:  # else it is a part of one, and says so in warnings
        assert findings == []


def test_every_kind_has_a_whole_recipe(tmp_path: Path) -> None:
    kinds = set()
    for text in RECIPES:
        (tmp_path / "recipe.toml").write_text(text)
        recipe = read_recipe(tmp_path / "recipe.toml")
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
    (finding,) = lint_recipe(tmp_path / "acme.toml", NOW)
    assert f"```\n{finding.as_text('acme.toml')}\n```" in DOC
