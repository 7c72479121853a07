"""Rows of the table of pages: what a page shows, and what its forms do."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operation import DECLARED
from seed_server.web.api.route import LOOK_RIGHT, Right
from seed_server.web.frame.signed_in import SignedIn

_IN_PATH = re.compile(r"\{([a-z_]+)\}")
G = TypeVar("G", bound=Struct)
B = TypeVar("B", bound=Struct)


LIST_ROWS = 50  # of a page of a list
MAX_FORM_BYTES = 64 << 10  # a hundred ticked rows, and reasons in Japanese, which are sent as nine signs a letter
BINARY_MEDIA = "application/octet-stream"  # of a file that no browser opens


@dataclass(frozen=True)
class Visitor:
    """From where a request came, and what its browser keeps of ours."""

    address: str
    browser: str = ""
    """How it calls itself, as far as 200 signs."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    """To which the request was addressed."""
    origin: str = ""
    """What its header Origin says; empty: nothing."""
    site: str = ""
    """What its header Sec-Fetch-Site says; empty: nothing."""
    visit: str = ""
    """Of a browser in which nobody is signed in: what its forms are bound to."""
    acts: bool = True
    """Whether a person does something; else a page that lies open asks by itself."""
    gone: Callable[[], bool] = lambda: False
    """Whether it does not wait for the answer any more: for work that takes seconds."""


@dataclass(frozen=True)
class PageRequest:
    """A request, as it has come."""

    path: str
    """As an address has it, with signs such as %20."""
    in_path: Mapping[str, str]
    query: str
    visitor: Visitor
    accept_language: str = ""


NO_VISITOR = Visitor("")


@dataclass(frozen=True)
class Asked(Generic[G]):
    """One request for a page, checked as far as its form goes."""

    context: Context
    actor: Actor
    given: G
    """What path and query give."""
    now: float
    """Seconds since 1970."""
    signed: SignedIn | None = None
    """How the actor has shown who they are; None, with an actor who may nothing: a page for everybody."""
    visitor: Visitor = NO_VISITOR


@dataclass(frozen=True)
class Shown:
    """What a page shows."""

    title: str
    """In the reader's language."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What its template is given."""
    template: str = ""
    """Another name than the page's, of ``NAME.html.j2``."""
    cookies: tuple[str, ...] = ()
    """Values of Set-Cookie."""


@dataclass(frozen=True)
class FileAnswer:
    """What a page answers with where it is no page: CSV, a bundle, a proof. The browser keeps it as a file."""

    name: str
    """Of the file: of letters, digits, and ``._-``."""
    media: str
    data: bytes


@dataclass(frozen=True)
class Done:
    """What became of a form; of a page: that another one answers."""

    to: str
    """The page that follows, a path of ours."""
    said: str = ""
    """One sentence for the reader, in the reader's language."""
    cookies: tuple[str, ...] = ()
    """Values of Set-Cookie."""


Answer: TypeAlias = Shown | FileAnswer | Done


@dataclass(frozen=True)
class Page(Generic[G]):
    """One page."""

    path: str
    """From the root; names in braces are fields of ``takes``, whose other fields are the query's parameters."""
    name: str
    """Its template is ``NAME.html.j2``, and its row in the menu has this name."""
    view: Callable[[Asked[G]], Answer]
    """Blocking; raises `UserError`; `ApiProblemError("no-such-thing", …)` for what its path names and is not there."""
    takes: type[G]
    right: Right | None = LOOK_RIGHT
    """What the reader must have; None: no more than to be signed in."""
    everybody: bool = False
    """Whether it is shown to whoever comes, signed in or not."""
    live: tuple[str, ...] = ()
    """Types of events (`automation.event_types`) upon which its parts with ``data-part`` are fetched again.

    A type, or its first word for all that begin with it, or ``*``.
    """

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return names_in(self.path)


@dataclass(frozen=True)
class Sent(Generic[G, B]):
    """One form that was sent, checked as far as its form goes; who sent it has shown its CSRF token."""

    context: Context
    actor: Actor
    given: G
    body: B
    now: float
    signed: SignedIn | None = None
    visitor: Visitor = NO_VISITOR


@dataclass(frozen=True)
class Form(Generic[G, B]):
    """What one form does; always by POST, and one operation, or one look at what is typed."""

    path: str
    name: str
    does: Callable[[Sent[G, B]], Answer]
    """Blocking; raises `UserError`, which is shown above the form that was sent, with what was typed.

    `Shown` is for what is seen once, such as a secret, and for what is redrawn as it is typed: the template is that of
    the page that holds the form, unless it says another.
    """
    takes: type[G]
    body: type[B]
    operation: str
    """By its name in `DECLARED`: its right is asked for, and the form is not shown to who lacks it.

    Empty: it changes nothing of the fleet, and needs what the page that holds it needs.
    """
    of_page: str
    """The page that holds it, by name: it is shown again where something is wrong."""
    step_up: bool = False
    """Whether the sender must have shown a second factor in the last 15 minutes."""
    most_bytes: int = MAX_FORM_BYTES
    """Of the whole form, as it is sent."""

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return names_in(self.path)

    @property
    def rights(self) -> tuple[Right, ...]:
        """What is asked for before anything else; as on the command line, whoever changes must be able to look."""
        return (LOOK_RIGHT, DECLARED[self.operation]) if self.operation else ()


def names_in(path: str) -> tuple[str, ...]:
    """Return the names in braces of a path."""
    return tuple(_IN_PATH.findall(path))
