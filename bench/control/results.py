"""The committed results: figures of each cell and sender, and what follows from them."""

import platform
from pathlib import Path

import msgspec

from bench.control.ahead import Beside, ahead_row, beside_rivals
from bench.control.cells import ALONE, LINES, OURS, RIVALS, SEEDS, SENDERS, Cell, Selection
from bench.control.core_cost import CoreCost, core_cost_row
from bench.control.figures import CellFigures
from bench.control.sources import ROOT, source_hash
from bench.control.summary import Figures, Measured, SummaryRow, measure, summary_rows
from bench.control.targets import TARGETS
from bench.result_lines import read_lines

RESULTS_FILE = ROOT / "bench" / "results" / "control_quality.json"


class About(msgspec.Struct, frozen=True):
    """What the numbers were measured with."""

    python: str
    seeds: int
    run_seconds: dict[str, float]
    """Length of a run, by line."""
    runs: int
    sources: dict[str, str]
    """A hash by sender, which changes with everything that its runs depend on."""


class CellRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cell of the matrix."""

    line: str
    rtt_ms: int
    queue: str
    business: str
    senders: dict[str, CellFigures]
    loss: float = 0.0
    """Per cent."""


class Results(msgspec.Struct, frozen=True):
    """The whole file; all but ``about``, ``core_cost`` and ``cells`` is computed from these."""

    about: About
    core_cost: CoreCost | None
    summary: tuple[SummaryRow, ...]
    senders: dict[str, dict[str, Measured | None]]
    """What each sender reaches of each target, by its metric."""
    comparisons: tuple[Beside, ...]
    cells: tuple[CellRecord, ...]

    def figures(self) -> dict[tuple[Cell, str], CellFigures]:
        """Return the cells in the form from which the summary is computed."""
        lines = {line.name: line for line in LINES}
        return {
            (Cell(lines[record.line], record.rtt_ms, record.queue, record.business, record.loss), sender): found
            for record in self.cells
            for sender, found in record.senders.items()
        }

    def recomputed(self) -> "Results":
        """Return what these cells and this cost give: the same, unless somebody has edited the file."""
        return results_of(self.figures(), self.core_cost, self.about)


def results_of(figures: Figures, core_cost: CoreCost | None, about: About) -> Results:
    """Compute everything from the cells."""
    comparisons = beside_rivals(figures)
    by_cell: dict[Cell, dict[str, CellFigures]] = {}
    for (cell, sender), found in figures.items():
        by_cell.setdefault(cell, {})[sender] = found
    return Results(
        about,
        core_cost,
        (*summary_rows(figures), ahead_row(comparisons), core_cost_row(core_cost)),
        {sender: {target.metric: measure(target, sender, figures) for target in TARGETS} for sender in SENDERS},
        tuple(comparisons),
        tuple(
            CellRecord(cell.line.name, cell.rtt_ms, cell.queue, cell.business, senders, cell.loss)
            for cell, senders in by_cell.items()
        ),
    )


def about(selection: Selection) -> About:
    """Return what this program measures."""
    return About(
        platform.python_version(),
        min(SEEDS, selection.seeds),
        {line.name: line.run_seconds for line in selection.lines},
        sum(1 for _ in selection.runs()),
        {sender: source_hash(sender) for sender in (OURS, *RIVALS, ALONE)},
    )


def read_results(path: Path = RESULTS_FILE) -> Results | None:
    """Return the committed results; None while there are none."""
    return read_lines(path, Results)


def write_results(results: Results, path: Path = RESULTS_FILE) -> None:
    """Write the file: one row, comparison or cell a line, so that a change of one is a change of one line."""
    encode = msgspec.json.encode
    parts = []
    for name in Results.__struct_fields__:
        value = getattr(results, name)
        if isinstance(value, tuple):
            inner = b"[\n" + b",\n".join(map(encode, value)) + b"\n]"
        elif name == "senders":
            inner = b"{\n" + b",\n".join(encode(key) + b":" + encode(rows) for key, rows in value.items()) + b"\n}"
        else:
            inner = encode(value)
        parts.append(encode(name) + b":" + inner)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{\n" + b",\n".join(parts) + b"\n}\n")
