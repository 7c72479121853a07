"""An address for each page of the table: what stands in braces is taken from what there is."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from seed_server.web.frame.page import Page

Known = Mapping[str, str]
"""What fills a name in braces, by the name; ``PAGE.NAME`` goes before it, for one page alone."""

_BRACES = re.compile(r"\{([a-z_]+)\}")


def address_of(page: Page[Any], known: Known) -> str:
    """Return an address of a page. Raises `LookupError` that says what is not known."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        given = known.get(f"{page.name}.{name}", known.get(name))
        if given is None:
            raise LookupError(f"nothing is known for {{{name}}} of the page {page.name}, {page.path}")
        return quote(given, safe="@")

    return _BRACES.sub(value, page.path)


def addresses_of(pages: Iterable[Page[Any]], known: Known) -> dict[str, str]:
    """Return an address for each page, by its name."""
    return {page.name: address_of(page, known) for page in pages}
