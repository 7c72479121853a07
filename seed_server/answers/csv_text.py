"""Lines of CSV that a spreadsheet shows as they are, and takes for no formula. Pure."""

import datetime as dt
import re
from collections.abc import Iterable

from msgspec import Struct, structs

from p2pdist.shared.printable_text import printable

# what spreadsheets begin to compute at, in their wide forms too; names and reasons come from PCs
FORMULA_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
# where half of the world's spreadsheets begin a cell, also amid quotes: they have decimal commas
_AFTER_SEMICOLON = re.compile(f";([ '\"]*)(?=[{re.escape(''.join(FORMULA_SIGNS))}])")


def csv_line(cells: Iterable[str]) -> str:
    """Return one line, without its end: cells as visible signs; before what looks like a formula stands a quote."""
    return ",".join(map(_cell, cells))


def csv_of(document: Struct) -> str:
    """Return a document without parts as a line of CSV: moments as ISO 8601, what there is none of as nothing."""
    return csv_line(_text(name, value) for name, value in structs.asdict(document).items())


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and (name.endswith("_at") or name in {"deadline", "since"}):
        return f"{dt.datetime.fromtimestamp(value, dt.UTC):%Y-%m-%dT%H:%MZ}"
    return str(value)


def _cell(text: str) -> str:
    shown = _AFTER_SEMICOLON.sub(r";\1'", printable(text))
    if shown.lstrip(" '").startswith(FORMULA_SIGNS):
        shown = f"'{shown}"
    # by RFC 4180; there are no ends of lines in it any more
    return '"' + shown.replace('"', '""') + '"' if '"' in shown or "," in shown else shown
