"""Tables that pages of the documentation take from sources and results, between two markers."""

from collections.abc import Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def between(page: str, begin: str, end: str, table: str) -> str:
    """Return ``page`` with ``table`` between its markers. Raises `ValueError` when it has no markers."""
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"the page lacks {begin} or {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def write_between(path: Path, begin: str, end: str, text: str) -> None:
    """Put ``text``, whole lines, between the markers of a page; ``begin`` ends its line.

    Raises `ValueError` when it has no markers.
    """
    page = path.read_text(encoding="utf-8")
    path.write_text(between(page, begin.removesuffix("\n"), end, text.removesuffix("\n")), encoding="utf-8")
