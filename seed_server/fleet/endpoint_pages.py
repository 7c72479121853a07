"""Enrolled PCs one by one, a page at a time: those first about which something is odd, then by name. Blocking."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from seed_server.fleet.context import Context
from seed_server.fleet.paging import end_of_page, shown_no_more, site_asked
from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.rows import EndpointFilter, EndpointRow, Namesake, PcState
from seed_server.store.serve_lock import is_serving

if TYPE_CHECKING:
    from seed_server.store.database import Database

PC_STATES: tuple[PcState, ...] = get_args(PcState)
PCS_OF_A_PAGE = 20  # with what stands around it, a screen
_CURSOR = re.compile(r"([01])-([0-9]{1,10})")


@dataclass(frozen=True)
class EndpointsQuestion:
    """Which PCs a question is about; what is empty or None tells none apart."""

    site: str = ""
    state: PcState | None = None
    size: int = 0
    """Rows of a page; 0: as many as a screen has room for."""
    after: str = ""
    """Where the page before has ended, as it said."""

    @property
    def paged(self) -> bool:
        """Whether it asks for a page, and not for all."""
        return bool(self.size or self.after)


@dataclass(frozen=True)
class Namesakes:
    """PCs that have the same name: names are told, and not proven."""

    by_name: Mapping[str, Sequence[Namesake]] = field(default_factory=dict)
    """By the casefolded name."""

    @classmethod
    def among(cls, rows: Iterable[EndpointRow]) -> "Namesakes":
        """Return those of these PCs."""
        found: dict[str, list[Namesake]] = {}
        for row in rows:
            found.setdefault(row.hostname.casefold(), []).append(Namesake(row.endpoint_id, row.denied, row.pending))
        return cls(found)

    def of(self, endpoint: EndpointRow) -> list[Namesake]:
        """Return the other PCs that call themselves as this one does."""
        alike = self.by_name.get(endpoint.hostname.casefold(), ())
        return [one for one in alike if one.endpoint_id != endpoint.endpoint_id]


@dataclass(frozen=True)
class EndpointsPage:
    """One page of enrolled PCs."""

    serving: bool
    rows: Sequence[EndpointRow]
    namesakes: Namesakes
    total: int
    """How many rows all pages have."""
    server_name: str = ""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def read_endpoints(context: Context, question: EndpointsQuestion) -> EndpointsPage:
    """Return a page. Raises `UserError`; BAD_INPUT where the question names what is not known."""
    settings = context.settings()
    size = question.size or PCS_OF_A_PAGE
    with context.database() as database:
        wanted = _wanted(context, database, question)
        found = database.endpoint_page(wanted, after=_cursor(database, question), limit=size + 1)
        rows = [row for _, _, row in found[:size]]
        rank, number, _ = found[size - 1] if len(found) > size else (0, 0, None)
        return EndpointsPage(
            serving=wanted.serving,
            rows=rows,
            namesakes=Namesakes(database.namesakes(row.hostname for row in rows)),
            total=database.endpoints_meant(wanted),
            server_name=settings.name,
            after=f"{rank}-{number}" if number else "",
        )


def all_endpoints(
    context: Context, question: EndpointsQuestion, *, page_rows: int = MAX_PAGE_ROWS
) -> Iterator[tuple[EndpointRow, bool, list[Namesake]]]:
    """Yield all PCs by name, each with whether it is connected and its namesakes. Raises `UserError`.

    No more than ``page_rows`` rows are held, and everybody's name.
    """
    context.settings()
    with context.database() as database:
        wanted = _wanted(context, database, question)
        namesakes = Namesakes(database.namesakes())
        after: tuple[int, str, int] | None = None
        while True:
            found = database.endpoint_page(wanted, odd_first=False, after=after, limit=page_rows)
            for _, _, row in found:
                yield row, row.connected and wanted.serving, namesakes.of(row)
            if len(found) < page_rows:
                return
            rank, number, last = found[-1]
            after = rank, last.hostname, number


def _wanted(context: Context, database: "Database", question: EndpointsQuestion) -> EndpointFilter:
    return EndpointFilter(
        site_asked(context, database, question.site), question.state, serving=is_serving(context.home)
    )


def _cursor(database: "Database", question: EndpointsQuestion) -> tuple[int, str, int] | None:
    if not question.after:
        return None
    rank, number = end_of_page(_CURSOR, question.after).groups()
    if (name := database.endpoint_name(int(number))) is None:
        raise shown_no_more()
    return int(rank), name, int(number)
