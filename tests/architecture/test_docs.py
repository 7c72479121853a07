"""The documentation's links lead somewhere, and its tables match the code."""

import re
from pathlib import Path

from p2pdist.shared.console import ExitCode

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_relative_link_leads_to_a_file() -> None:
    links = [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert links
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_the_readme_has_every_exit_code() -> None:
    table = (ROOT / "README.md").read_text().partition("## Exit codes")[2].partition("## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(ExitCode)


def test_the_architecture_page_names_only_sources_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`((?:p2pdist|seed_server|bandwidth|bench)/[\w/]+\.py)`", page)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
