"""Pages: their parameters, where one ends, and the link to the next one. Pure."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from msgspec import Meta, Struct

from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.web.api.problems import ApiProblemError

T = TypeVar("T")
R = TypeVar("R")

PAGE_ROWS = 100
MAX_END_CHARS = 200

Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE_ROWS, description="Rows of a page.")]
After = Annotated[
    str,
    Meta(max_length=MAX_END_CHARS, description="The next page: the `next` of the page before."),
]


class Paged(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What each list is given."""

    limit: Limit = PAGE_ROWS
    after: After = ""


class Page(Struct, Generic[T], frozen=True):
    """A page of a list."""

    rows: tuple[T, ...]
    """Its rows, in the order of the list."""
    next: str | None
    """What `after` of the next page is; null: this is the last one."""


def page_of(rows: Sequence[R], given: Paged, key: Callable[[R], object], document: Callable[[R], T]) -> Page[T]:
    """Return a page of what is short enough to be read as a whole; ``key`` tells its rows apart.

    Raises `ApiProblemError` where the page before has ended with a row that is not there any more.
    """
    start = 0
    if given.after:
        places = [place for place, row in enumerate(rows, 1) if str(key(row)) == given.after]
        if not places:
            raise ApiProblemError(
                "not-acceptable", f"after {given.after[:40]!r} is no end of a page, or not shown any more. Begin anew."
            )
        start = places[0]
    shown = rows[start : start + given.limit]
    more = start + given.limit < len(rows)
    return Page(tuple(map(document, shown)), str(key(shown[-1])) if more else None)


def next_link(path: str, query: str, after: str) -> str:
    """Return the Link header (RFC 8288) to the page behind ``after``, of the request with this path and query."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "after"]
    return f'<{path}?{urlencode([*kept, ("after", after)])}>; rel="next"'
