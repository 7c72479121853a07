"""Pages for people and printers: one HTML file without scripts, which opens from a disk. Alone knows Jinja2. Blocking.

Every text is escaped, pictures stand in the file as images of their own, and its policy lets it fetch nothing.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class PageCell:
    """One cell of a table; ``tone`` is its colour: good, bad, open or none."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table; columns from ``numbers`` on stand at the right, as numbers do."""

    headings: Sequence[str]
    rows: Sequence[Sequence[PageCell]]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A chart as SVG, and what it shows, for whoever cannot see it."""

    svg: str
    words: str

    @property
    def address(self) -> str:
        """The picture itself, as the address of an image."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


@dataclass(frozen=True)
class PageSection:
    """A part of a page, with what of these it has."""

    heading: str
    sentences: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    picture: Picture | None = None
    table: PageTable | None = None
    note: str = ""


@dataclass(frozen=True)
class ReportPage:
    """A whole page."""

    title: str
    subtitle: str
    language: str
    """Its code: en, ja."""
    sections: Sequence[PageSection]


def page_text(page: ReportPage) -> str:
    """Return the page as HTML."""
    return _template().render(page=page)


def write_page(path: Path, page: ReportPage) -> None:
    """Write the page into a file, in place of what it held. Raises `UserError` (STORAGE)."""
    try:
        durable_files.write_file(path, page_text(page).encode())
    except OSError as error:
        raise UserError(
            f"Cannot write {path}: {error.strerror}. Name a file in a directory that is there and has room.",
            FaultKind.STORAGE,
        ) from error


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = printable  # names and reasons come from PCs
    return environment.get_template(TEMPLATE)
