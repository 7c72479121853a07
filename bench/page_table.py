"""Tables that pages of the documentation take from the sources, between two markers."""


def between(page: str, begin: str, end: str, table: str) -> str:
    """Return ``page`` with ``table`` between its markers. Raises `ValueError` when it has no markers."""
    before, begins, rest = page.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"the page lacks {begin} or {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"
