"""Targets and what was measured of them: a benchmark's results and its page begin with these rows."""

from collections.abc import Iterable

import msgspec

from bench.page_table import table

MET = {True: "yes", False: "**no**", None: "–"}


class SummaryRow(msgspec.Struct, frozen=True):
    """One target."""

    metric: str
    target: str
    measured: str | None
    """In words; None: not measured."""
    met: bool | None


def summary_table(rows: Iterable[SummaryRow]) -> str:
    """Return them as a Markdown table."""
    told = [[row.metric, row.target, row.measured or "not measured", MET[row.met]] for row in rows]
    return table(("metric", "target", "measured", "met"), told)
