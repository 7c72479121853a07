"""Tables of both command lines, by one rule for all widths: facts in columns, sentences beside them or below.

A sentence in a column of ten characters takes ten lines, and nobody reads it. So what is a sentence stands in the table
where each one has room to be read, and otherwise below it, led by the name of its row. No width of a terminal is named
for that: what a table holds decides.
"""

from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

READABLE_CELLS = 36  # of a column of sentences: some six words a line
ID_CELLS = 10  # of a shortened endpoint id: commands take that, as one of a fleet's PCs has it
NAME_CELLS = 12  # likewise of a host's name, which has most of its sense in front
PATCH_CELLS = 8  # of a patch's id and of its version, where many numbers stand beside them
SITE_CELLS = 19  # auto-192.168.100.0…
ADDRESS_CELLS = 21  # 255.255.255.255:65535; one of IPv6 goes on in the next line


class _Column(msgspec.Struct, frozen=True):
    heading: str
    right: bool
    least: int | None
    """What it may be narrowed to; None: it is never narrowed."""
    folds: bool


class _Row(msgspec.Struct, frozen=True):
    cells: Sequence[RenderableType]
    sentences: Sequence[RenderableType]


class FactTable:
    """A table without lines, for a terminal of any width; a renderable of rich.

    Where the columns need more than there is, sentences go below first, then the space between columns becomes one,
    then names are shortened, the longest most. In a pipe a name goes on in the next line instead. Numbers and states
    are never cut, as a part of them says something else: they go on in the next line, where nothing else helps.
    """

    def __init__(self) -> None:
        self._columns: list[_Column] = []
        self._sentences: tuple[str, ...] = ()
        self._rows: list[_Row] = []
        self._below: list[Text] = []

    def column(self, *headings: str, right: bool = False, least: int | None = None, folds: bool = False) -> None:
        """Add columns of facts. ``least``: cells to which they may be cut; one that ``folds`` takes more lines then."""
        self._columns += [_Column(heading, right, least, folds) for heading in headings]

    def sentences(self, *headings: str) -> None:
        """Name the columns of sentences: the last ones, where they have room."""
        self._sentences = headings

    def row(self, *cells: RenderableType, sentences: Sequence[str | Text] = (), below: Text | None = None) -> None:
        """Add a row. ``below`` says the same as ``sentences``, with the row's name; it stands below where they do not.

        Both may be missing: of that row there is nothing to say. A table whose rows have no ``below`` keeps its
        sentences at their rows, and narrows its names for them.
        """
        said = sentences or ("",) * len(self._sentences)
        self._rows.append(_Row([*map(_verbatim, cells)], [*map(_verbatim, said)]))
        if below is not None:
            self._below.append(below)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, made for the width in ``options``, and what goes below it."""

        def cells(shown: Iterable[RenderableType]) -> int:
            return max(Measurement.get(console, options, one).maximum for one in shown)

        facts = [cells([one.heading, *(row.cells[at] for row in self._rows)]) for at, one in enumerate(self._columns)]
        said = [
            min(READABLE_CELLS, cells([heading, *(row.sentences[at] for row in self._rows)]))
            for at, heading in enumerate(self._sentences)
        ]
        beside = not self._below or _needed([*facts, *said], gap=2) <= options.max_width
        taken = said if beside else []
        close = _needed([*facts, *taken], gap=2) > options.max_width
        room = options.max_width - _needed([0] * len(facts) + taken, gap=1)
        widths = self._narrowed(facts, room) if close else facts
        folding = bool(options.no_wrap) or sum(widths) > room  # in a pipe, or far too narrow
        yield self._table(widths, facts, beside=beside, close=close, folding=folding)
        if not beside:
            yield from self._below

    def _narrowed(self, facts: Sequence[int], room: int) -> Sequence[int]:
        """Return the columns' widths for so much room: those that may be narrowed are at most as wide as one level."""
        widths = list(facts)
        for level in range(max(facts, default=0), -1, -1):
            widths = [
                wide if one.least is None else min(wide, max(level, one.least, *map(cell_len, one.heading.split("\n"))))
                for one, wide in zip(self._columns, facts, strict=True)
            ]
            if sum(widths) <= room:
                break
        return widths

    def _table(self, widths: Sequence[int], facts: Sequence[int], *, beside: bool, close: bool, folding: bool) -> Table:
        table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=close)
        for one, width, fact in zip(self._columns, widths, facts, strict=True):
            folds = folding or (one.folds and width < fact)
            table.add_column(
                one.heading,
                justify="right" if one.right else "left",
                width=width if width < fact and not folding else None,
                no_wrap=not folds,
                overflow="fold" if folds else "ellipsis",
            )
        for heading in self._sentences if beside else ():
            table.add_column(heading, overflow="fold")
        for row in self._rows:
            table.add_row(*row.cells, *(row.sentences if beside else ()))
        return table


def _verbatim(cell: RenderableType) -> RenderableType:
    return Text(cell) if isinstance(cell, str) else cell  # a text from outside has no markup, on any console


def _needed(widths: Sequence[int], *, gap: int) -> int:
    return sum(widths) + gap * max(0, len(widths) - 1)
