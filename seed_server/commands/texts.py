"""Words and tables that several commands print."""

import datetime as dt

from rich.table import Table


def utc_minute(seconds: float) -> str:
    """Return a moment, given in seconds since 1970: ``2026-12-01 18:00 UTC``."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def counted(number: int, noun: str) -> str:
    """Return ``1 item`` or ``3 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def plain_table(*, close: bool = False) -> Table:
    """Return a table without lines; a ``close`` one has one space between its columns."""
    return Table(box=None, header_style="bold", pad_edge=False, collapse_padding=close)
