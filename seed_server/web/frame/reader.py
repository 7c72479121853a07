"""For whom a page is made: what templates and their macros know of the reader, without being handed it.

The macros of `parts.html.j2` are imported without a context, so the reader is a context variable, set while a page
is made.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import unquote, urlencode

from seed_server.web.frame.signed_in import SignedIn

CSRF_FIELD = "_csrf"
QUERY_FIELD = "_query"
"""The query of the page that holds the form: it is shown again with that, where something is wrong."""


@dataclass(frozen=True)
class RefusedForm:
    """A form that was refused."""

    form: str
    """By its name."""
    address: str
    message: str
    """In the reader's language."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with which field."""
    typed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What was typed."""

    def is_of(self, form: str, address: str) -> bool:
        """Whether it is the form of this name at this address, however that is quoted."""
        return self.form == form and unquote(self.address) == unquote(address)


@dataclass
class PageReader:
    """Who reads, where, and since when."""

    language: str
    now: float
    """Seconds since 1970."""
    path: str = "/"
    query: Sequence[tuple[str, str]] = ()
    signed: SignedIn | None = None
    csrf: str = ""
    server: str = ""
    """The server's name."""
    sees: Callable[[str], bool] = lambda _: False
    """Whether the page at this path exists, and they may see it."""
    sends: Callable[[str], bool] = lambda _: False
    """Whether they may send the form of this name."""
    steps_up: Callable[[str], bool] = lambda _: False
    """Whether the form of this name will ask for a second factor."""
    live: Sequence[str] = ()
    said: str = ""
    """What the form before has come to; empty: there was none."""
    failed: RefusedForm | None = None
    seen: int | None = None
    """The number of the last event that the page may show."""
    told: bool = False
    """Whether a form has said why it was refused; else the page does: the form may not be there any more."""
    _form: tuple[str, str] = ("", "")
    """The form whose fields are being written: its name and address."""
    _ids: int = 0

    def address(self, path: str | None = None, **changed: object) -> str:
        """Return the address of this page with another query: None takes a parameter away."""
        names = {*changed, "lang", *(() if "after" in changed else ("after",))}
        kept = [(name, value) for name, value in self.query if name not in names]
        for name, value in changed.items():
            values = value if isinstance(value, (list, tuple)) else () if value in {None, ""} else (value,)
            kept += [(name, str(one)) for one in values]
        query = urlencode(kept)
        return f"{self.path if path is None else path}{'?' if query else ''}{query}"

    @property
    def query_text(self) -> str:
        """The query of this page."""
        return urlencode([(name, value) for name, value in self.query if name != "lang"])

    def has(self, name: str) -> bool:
        """Whether the query has a parameter."""
        return any(one == name for one, _ in self.query)

    @property
    def filtered(self) -> bool:
        """Whether the query has anything besides which part of the page is shown, and where that begins."""
        return any(name not in {"after", "limit", "sort", "lang", "part", "show"} for name, _ in self.query)

    @property
    def in_form(self) -> bool:
        """Whether the next field is one of a form that changes something."""
        return self._form != ("", "")

    def other_language(self, language: str) -> str:
        """Return the address of this page in another language."""
        kept = [(name, value) for name, value in self.query if name != "lang"]
        return f"{self.path}?{urlencode([*kept, ('lang', language)])}"

    def current(self, path: str) -> str:
        """Return what ``aria-current`` says of a menu's entry: this page, one below it, or nothing."""
        if path == self.path:
            return "page"
        return "true" if path != "/" and self.path.startswith(f"{path}/") else ""

    # --- forms ---------------------------------------------------------------------------

    def begin_form(self, name: str, address: str) -> str:
        """Say whose fields come next; returns nothing, for templates."""
        self._form = (name, address)
        return ""

    def end_form(self) -> str:
        """Say that a form is over; returns nothing."""
        self._form = ("", "")
        return ""

    def refused(self, name: str, address: str) -> RefusedForm | None:
        """Return what became of a form that is being written, where it was refused."""
        failed = self.failed
        if failed is None or not failed.is_of(name, address):
            return None
        self.told = True
        return failed

    def typed(self, name: str, value: object) -> object:
        """Return what a field shows: what was typed, where its form was refused; else ``value``."""
        failed = self._failed_here()
        if failed is None or name.startswith("_"):
            return value
        if name in failed.typed:
            given = failed.typed[name]
            return list(given) if isinstance(value, (list, tuple)) else given[0]
        return [] if isinstance(value, (list, tuple)) else False if isinstance(value, bool) else value

    def wrong(self, name: str) -> str:
        """Return what is wrong with a field; empty: nothing."""
        failed = self._failed_here()
        return "" if failed is None else failed.fields.get(name, "")

    def _failed_here(self) -> RefusedForm | None:
        """Return the refused form that the next field belongs to; a field outside of any: by its name alone."""
        failed = self.failed
        if failed is None or (self.in_form and not failed.is_of(*self._form)):
            return None
        return failed

    def new_id(self, name: str) -> str:
        """Return an id that no other element of the page has."""
        self._ids += 1
        return f"{name.strip('_')}-{self._ids}"


_reader: ContextVar[PageReader] = ContextVar("reader")


def reader() -> PageReader:
    """Return for whom a page is made now."""
    return _reader.get()


@contextlib.contextmanager
def reading(one: PageReader) -> Iterator[None]:
    """Let pages be made for ``one`` within."""
    token = _reader.set(one)
    try:
        yield
    finally:
        _reader.reset(token)
