"""Rows of the table of pages: what a page shows, and what its forms do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from msgspec import Struct

from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.web.api.route import LOOK_RIGHT, Right

G = TypeVar("G", bound=Struct)
B = TypeVar("B", bound=Struct)


@dataclass(frozen=True)
class Asked(Generic[G]):
    """One request for a page, checked as far as its form goes."""

    context: Context
    actor: Actor
    given: G
    """What path and query give."""
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Shown:
    """What a page shows."""

    title: str
    """In the reader's language."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What its template is given."""


@dataclass(frozen=True)
class Page(Generic[G]):
    """One page."""

    path: str
    """From the root; names in braces are fields of ``takes``, whose other fields are the query's parameters."""
    name: str
    """Its template is ``NAME.html.j2``, and its row in the menu has this name."""
    view: Callable[[Asked[G]], Shown]
    """Blocking; raises `UserError`; `ApiProblemError("no-such-thing", …)` for what its path names and is not there."""
    takes: type[G]
    right: Right = LOOK_RIGHT
    """What the reader must have."""
    live: tuple[str, ...] = ()
    """Types of events (`automation.event_types`) upon which its parts with ``data-part`` are fetched again."""


@dataclass(frozen=True)
class Sent(Generic[G, B]):
    """One form that was sent, checked as far as its form goes; who sent it has shown its CSRF token."""

    context: Context
    actor: Actor
    given: G
    body: B
    now: float


@dataclass(frozen=True)
class Done:
    """What became of a form."""

    to: str
    """The page that follows, a path of ours."""
    said: str = ""
    """One sentence for the reader, in the reader's language."""


@dataclass(frozen=True)
class Form(Generic[G, B]):
    """What one form does; always by POST, and always one operation."""

    path: str
    name: str
    does: Callable[[Sent[G, B]], Done]
    """Blocking; raises `UserError`, which is shown above the form that was sent, with what was typed."""
    takes: type[G]
    body: type[B]
    operation: str
    """By its name in `DECLARED`: its right is asked for, and the form is not shown to who lacks it."""
    of_page: str
    """The page that holds it, by name: it is shown again where something is wrong."""
    step_up: bool = False
    """Whether the sender must have shown a second factor in the last 15 minutes."""
