"""docs/priority.md has the table, the classes and the numbers of the code."""

import re
from itertools import product
from pathlib import Path

from p2pdist.shared.toml_config import parse_toml
from seed_server.fleet.intelligence_problems import MOVED_SECONDS
from seed_server.reporting.intelligence_epss import MAX_SCORE_LINE_BYTES, MAX_SCORES
from seed_server.reporting.intelligence_formats import MAX_INTELLIGENCE_BYTES
from seed_server.reporting.intelligence_kev import MAX_EXPLOITED, MAX_KEV_BYTES
from seed_server.reporting.priority_table import BANDS, CLASSES, EXPLOITATIONS, EXPOSURES, IMPACTS, MISSIONS, Case
from seed_server.reporting.priority_words import LEVELS_SHOWN
from seed_server.settings.priority_section import PrioritySettings
from tests.helpers.judged_patches import TABLE

PAGE = (Path(__file__).parents[2] / "docs" / "priority.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]


def below(heading: str, rows: int) -> list[list[str]]:
    """Return so many rows of the table whose heading begins so, without its line."""
    at = next(at for at, row in enumerate(ROWS) if row[0] == heading and ROWS[at + 1][0] == "---")
    return ROWS[at + 2 : at + 2 + rows]


def test_every_leaf_of_the_page_is_that_of_the_table() -> None:
    cases = list(product(EXPLOITATIONS, EXPOSURES, (False, True)))
    for (exploitation, exposure, likely), row in zip(cases, below("exploitation", len(cases)), strict=True):
        assert row[2] == ("yes" if likely else "no")
        assert row[0] in ("", exploitation)
        assert row[1] in ("", exposure)
        for mission, band in product(MISSIONS, BANDS):
            leaf = TABLE.decide(Case(exploitation, exposure, likely, mission, band))
            assert row[3 + IMPACTS.index(leaf.impact)] == LEVELS_SHOWN[leaf.priority]


def test_impacts_and_classes_of_the_page_are_those_of_the_table() -> None:
    for mission, row in zip(MISSIONS, below("mission", len(MISSIONS)), strict=True):
        impacts = [TABLE.decide(Case("none", "small", False, mission, band)).impact for band in BANDS]
        assert row == [mission, *(impact.replace("-", " ") for impact in impacts)]
    for one, row in zip(CLASSES, below("class", len(CLASSES)), strict=True):
        rule = TABLE.rule(one)
        days = f"{rule.deadline_days} days" if rule.deadline_days else "no deadline"
        assert row == [LEVELS_SHOWN[one], f"`{rule.template}`", days]


def test_the_numbers_of_the_page_are_the_codes() -> None:
    assert (MAX_INTELLIGENCE_BYTES >> 20, MAX_SCORES, MAX_SCORE_LINE_BYTES) == (48, 1_000_000, 256)
    assert (MAX_KEV_BYTES >> 20, MAX_EXPLOITED, MOVED_SECONDS) == (16, 20_000, 14 * 86_400)
    flat = " ".join(PAGE.split())
    for words in ("48 MiB, packed and unpacked", "a million scores, lines of 256 bytes", "16 MiB and 20,000 entries"):
        assert words in flat
    assert (TABLE.poc_percentile, TABLE.likely_probability) == (0.9, 0.1)


def test_the_example_of_a_table_can_be_used() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    without_head = example.replace("[priority]\n", "").replace("[priority.", "[")
    settings = parse_toml(without_head, PrioritySettings, source="docs/priority.md")
    assert type(TABLE).of(settings, PrioritySettings(**vars(TABLE))).poc_percentile == 0.95
