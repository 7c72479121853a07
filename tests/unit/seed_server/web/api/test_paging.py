"""`seed_server.web.api.paging`: pages of what is read as a whole, and the link to the next one."""

import msgspec
import pytest

from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.web.api.paging import Paged, next_link, page_of
from seed_server.web.api.problems import ApiProblemError

ROWS = [f"r{number}" for number in range(5)]


def pages(limit: int) -> list[tuple[str, ...]]:
    found, after = [], ""
    while True:
        page = page_of(ROWS, Paged(limit=limit, after=after), str, str.upper)
        found.append(page.rows)
        if page.next is None:
            return found
        after = page.next


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_have_all_rows_once(limit: int) -> None:
    found = pages(limit)
    assert [row for page in found for row in page] == [row.upper() for row in ROWS]
    assert all(page for page in found)
    assert len(found[0]) == min(limit, len(ROWS))


def test_an_end_that_is_none_is_refused() -> None:
    with pytest.raises(ApiProblemError, match="Begin anew") as caught:
        page_of(ROWS, Paged(after="r9"), str, str)
    assert caught.value.kind.status == 422


def test_what_is_empty_is_one_page() -> None:
    assert page_of([], Paged(), str, str).rows == ()


def test_a_page_has_a_cap() -> None:
    assert msgspec.convert({"limit": str(MAX_PAGE_ROWS)}, Paged, strict=False).limit == MAX_PAGE_ROWS
    for limit in (0, MAX_PAGE_ROWS + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"limit": str(limit)}, Paged, strict=False)


def test_the_link_asks_the_same_behind_the_end() -> None:
    link = next_link("/api/v1/people", "limit=2&after=a&site=os%20lo", "b c")
    assert link == '</api/v1/people?limit=2&site=os+lo&after=b+c>; rel="next"'
