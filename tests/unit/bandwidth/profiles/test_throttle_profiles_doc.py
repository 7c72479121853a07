"""`docs/throttle-profiles.md` says what the code does."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from bandwidth.commands.main import bandwidth
from bandwidth.profiles.parse import TABLE_KEYS, TOP_KEYS, parse_profile
from bandwidth.profiles.precedence import PRECEDENCE, RuleKind, precedence_markdown
from bandwidth.profiles.shipped import NAMES

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "throttle-profiles.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
FULL = max(EXAMPLES, key=len)


def test_the_precedence_table_is_that_of_the_code() -> None:
    assert precedence_markdown() in PAGE
    assert [row.kind for row in PRECEDENCE] == list(RuleKind)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_good_profile(number: int) -> None:
    parse_profile(EXAMPLES[number], source=f"example {number}")


def test_the_full_example_uses_every_table_but_the_emergency_stop() -> None:
    assert set(re.findall(r"^\[\[(\w+)\]\]", FULL, re.MULTILINE)) == set(TABLE_KEYS) - {"stop"}


def test_every_key_is_explained_and_no_other() -> None:
    table = PAGE.partition("| key | in | meaning |")[2].partition("\n\n")[0]
    told = {
        key for row in table.splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert told == {*TOP_KEYS, *(key for keys in TABLE_KEYS.values() for key in keys)}


def test_every_shipped_profile_is_named() -> None:
    assert [name for name in NAMES if f"`{name}`" not in PAGE] == []


def test_the_picture_is_what_plot_draws(tmp_path: Path) -> None:
    (tmp_path / "branches.toml").write_text(FULL)
    picture = tmp_path / "week.svg"
    arguments = ["plot", str(tmp_path / "branches.toml"), "--site", "leeds", "--week", "2026-10-19", "-o", str(picture)]
    assert CliRunner().invoke(bandwidth, arguments).exit_code == 0
    assert picture.read_text() == (DOCS / "throttle-profile-week.svg").read_text()
