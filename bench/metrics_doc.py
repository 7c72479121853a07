"""Which figures there are, as the sources have them, for docs/metrics.md.

python -m bench.metrics_doc        # writes the tables into the page
"""

from collections.abc import Sequence
from pathlib import Path

from bench.page_table import between
from p2pdist.commands.metrics_figures import PC_METRICS
from p2pdist.shared.metrics import Metric
from seed_server.automation.metrics_table import SERVER_METRICS

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
TABLES = {"server": SERVER_METRICS, "pc": PC_METRICS}


def table(metrics: Sequence[Metric]) -> str:
    """Return the table of some figures in Markdown."""
    rows = ["| figure | kind | labels | what |", "|---|---|---|---|"]
    rows += [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in metrics
    ]
    return "\n".join(rows)


def page_with_tables(page: str) -> str:
    """Return ``page`` with the tables between their markers. Raises `ValueError` when it has no markers."""
    for name, metrics in TABLES.items():
        page = between(page, f"<!-- metrics:{name}:begin -->", f"<!-- metrics:{name}:end -->", table(metrics))
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
