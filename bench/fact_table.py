"""The facts that expressions may ask for, as the sources have them, for docs/expressions.md.

python -m bench.fact_table        # writes the table into the page
"""

from pathlib import Path

from bench.page_table import between
from p2pdist.shared.manifest.facts import FACTS

PAGE = Path(__file__).parents[1] / "docs" / "expressions.md"
BEGIN, END = "<!-- facts:begin -->", "<!-- facts:end -->"


def table() -> str:
    """Return the table of all facts in Markdown."""
    rows = ["| fact | is | what |", "|---|---|---|"]
    rows += [f"| `{name}` | {kind.type} | {kind.meaning} |" for name, kind in FACTS.items()]
    return "\n".join(rows)


def page_with_table(page: str) -> str:
    """Return ``page`` with the table between its markers. Raises `ValueError` when it has no markers."""
    return between(page, BEGIN, END, table())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
