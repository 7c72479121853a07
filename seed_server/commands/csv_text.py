"""Lines of CSV that a spreadsheet shows as they are, and takes for no formula. Pure."""

import csv
import io
from collections.abc import Iterable

from p2pdist.shared.printable_text import printable

# what spreadsheets begin to compute at, in their wide forms too; names and reasons come from PCs
FORMULA_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def csv_line(cells: Iterable[str]) -> str:
    """Return one line, without its end: cells as visible signs; before what looks like a formula stands a quote."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(_cell, cells))
    return line.getvalue()


def _cell(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if shown.lstrip(" '").startswith(FORMULA_SIGNS) else shown
