"""Addresses of pages, as links have them. Pure."""

from urllib.parse import quote, urlencode


def path_to(*parts: object) -> str:
    """Return the path of a page: ``/people/ada``; what stands in ``parts`` is one name each, whatever is in it."""
    return "".join(f"/{quote(str(part), safe='@:')}" for part in parts)


def address_of(path: str, **query: object) -> str:
    """Return an address with what of ``query`` is not empty."""
    kept = [(name, str(value)) for name, value in query.items() if value not in {"", None}]
    return f"{path}?{urlencode(kept)}" if kept else path
