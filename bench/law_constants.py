"""The law's constants with their reasons, as the sources have them, for docs/bandwidth-control.md.

python -m bench.law_constants        # writes the table into the page
"""

import ast
from pathlib import Path

from bench.page_table import between

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "bandwidth-control.md"
MODULES = (
    "controller",
    "decision",
    "business",
    "bulk",
    "frontier",
    "cuts",
    "competition",
    "sharing",
    "patience",
    "sensors",
    "base_delay",
    "capacity",
    "signals",
    "window_renewal",
    "reason_seconds",
)
BEGIN, END = "<!-- constants:begin -->", "<!-- constants:end -->"


def constants(source: str) -> list[tuple[str, str, str]]:
    """Return (names, value, reason) of each constant of a module; the reason is the comment beside it."""
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or node.end_lineno is None:
            continue
        names, _, rest = lines[node.lineno - 1].partition(" = ")
        value, _, reason = rest.partition("  # ")
        if isinstance(node.value, ast.Call) and not value.startswith("BytesPerSecond"):
            continue  # a type, or a set with a docstring of its own
        if names.replace(", ", "_").isupper() and node.lineno == node.end_lineno:
            found.append((names, value, reason))
    return found


def table() -> str:
    """Return the table of all modules in Markdown."""
    rows = ["| constant | value | reason |", "|---|---|---|"]
    for module in MODULES:
        source = (ROOT / "bandwidth" / "core" / f"{module}.py").read_text(encoding="utf-8")
        rows += [f"| `{module}.{names}` | {value} | {reason} |" for names, value, reason in constants(source)]
    return "\n".join(rows)


def page_with_table(page: str) -> str:
    """Return ``page`` with the table between its markers. Raises `ValueError` when it has no markers."""
    return between(page, BEGIN, END, table())


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
