"""`docs/api.md` says of each route what the table does."""

import re

from bench.api_doc import PAGE, page_with_tables
from bench.json_doc import PAGE as JSON_PAGE
from seed_server.web.api.table import API_ROUTES


def test_the_page_is_made_of_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_tables(page) == page, "python -m bench.api_doc"


def test_every_route_has_a_heading_and_every_document_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"#### `([A-Z]+) (\S+)`", page) == [
        (route.method, route.path) for tag in dict.fromkeys(one.tag for one in API_ROUTES)
        for route in API_ROUTES if route.tag == tag
    ]  # fmt: skip
    headings = re.findall(r"### `(.+)`", JSON_PAGE.read_text(encoding="utf-8"))
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(json\.md#([^)]+)\)", page)) <= anchors
