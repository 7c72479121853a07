"""Pages for people and printers: one HTML file without scripts, which opens from a disk. Alone knows Jinja2. Blocking.

Every text is escaped, pictures stand in the file as images of their own, and its policy lets it fetch nothing.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable

TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class BehindNumber:
    """Which rows a number stands for: the server's pages lead to them, a file cannot."""

    kind: Literal["patch", "pcs", "missing", "rollout", "exceptions"]
    name: str
    """Of the patch, ID@VERSION; of a rollout its number."""
    state: str = ""
    """Of ``pcs``, one of `standing.STATES`; of ``missing`` the code of the reason."""
    words: str = ""
    """What ``pcs`` give as a reason, in English."""


@dataclass(frozen=True)
class PageCell:
    """One cell of a table; ``tone`` is its colour: good, bad, open or none."""

    text: str
    tone: str = ""
    behind: BehindNumber | None = None


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
    behind: Mapping[str, BehindNumber] = field(default_factory=dict)
    """Of facts, by their names."""


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
