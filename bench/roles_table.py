"""Which role may what, as the sources have it, for docs/people.md.

python -m bench.roles_table        # writes the table into the page
"""

from pathlib import Path

from bench.page_table import between
from seed_server.fleet.roles import PERMISSIONS, ROLES

PAGE = Path(__file__).parents[1] / "docs" / "people.md"
BEGIN, END = "<!-- roles:begin -->", "<!-- roles:end -->"


def table() -> str:
    """Return the table of all rights and roles in Markdown."""
    rows = [f"| right | who has it may | {' | '.join(ROLES)} |", f"|---|---|{'---|' * len(ROLES)}"]
    for permission, allows in PERMISSIONS.items():
        marks = ("✓" if permission in held else "" for held in ROLES.values())
        rows.append(f"| `{permission}` | {allows} | {' | '.join(marks)} |")
    return "\n".join(rows)


def page_with_table(page: str) -> str:
    """Return ``page`` with the table between its markers. Raises `ValueError` when it has no markers."""
    return between(page, BEGIN, END, table())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
