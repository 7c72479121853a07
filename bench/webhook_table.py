"""Which events webhooks are sent, as the sources have them, for docs/webhooks.md.

python -m bench.webhook_table        # writes the table into the page
"""

from pathlib import Path

from bench.page_table import between
from seed_server.automation.event_types import EVENT_TYPES

PAGE = Path(__file__).parents[1] / "docs" / "webhooks.md"
BEGIN, END = "<!-- types:begin -->", "<!-- types:end -->"


def table() -> str:
    """Return the table of all types in Markdown."""
    rows = [f"| `{kind}` | {says} |" for kind, says in EVENT_TYPES.items()]
    return "\n".join(["| type | what has happened |", "|---|---|", *rows])


def page_with_types(page: str) -> str:
    """Return ``page`` with the table between its markers. Raises `ValueError` when it has no markers."""
    return between(page, BEGIN, END, table())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_types(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
