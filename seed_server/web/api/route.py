"""A row of the table of routes: what a request is given, what it does, and what it answers with."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operation import DECLARED
from seed_server.fleet.roles import NO_PC, Permission, Reach

G = TypeVar("G", bound=Struct)
B = TypeVar("B", bound="Struct | bytes | None")

API = "/api/v1"
JSON_MEDIA = "application/json"
Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
Right: TypeAlias = tuple[Permission, Reach | None]
"""A permission and what it must hold for; None: that follows from what is given, and the operation asks itself."""

LOOK_RIGHT: Right = ("look", NO_PC)
_IN_PATH = re.compile(r"\{([a-z_]+)\}")


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """For routes without parameters."""


@dataclass(frozen=True)
class ApiCall(Generic[G, B]):
    """One request, checked as far as its form goes."""

    context: Context
    actor: Actor
    given: G
    """What path and query give."""
    body: B


@dataclass(frozen=True)
class Raw:
    """An answer that is no JSON."""

    data: bytes
    media: str


@dataclass(frozen=True)
class Route(Generic[G, B]):
    """One row."""

    method: Method
    path: str
    """From the root; names in braces are fields of ``takes``, whose other fields are the query's parameters."""
    name: str
    """What programs that are made from the OpenAPI document call it."""
    summary: str
    does: Callable[[ApiCall[G, B]], Any]
    """Blocking; raises `UserError` and `ApiProblemError`."""
    answer: Any
    """The type of what it returns, one of `seed_server.answers` or of `documents`."""
    tag: str
    takes: type[G]
    body: type[B] | None = None
    commands: tuple[str, ...] = ()
    """The commands whose ``--json`` it answers as, by their names in `seed_server.commands.documents`."""
    operation: str = ""
    """The operation that it carries out, by its name in `DECLARED`; empty: it only looks."""
    right: Right = LOOK_RIGHT
    """What whoever only looks must have."""
    status: int = 200
    says: str = ""
    """More than the summary, for docs/api.md."""
    secret: bool = False
    """The answer has a secret: it is kept nowhere."""
    guard: Callable[[ApiCall[Any, Any]], Any] | None = None
    """What it changes, as its own route answers: its ETag is what ``If-Match`` is held to."""
    example: Mapping[str, Any] | None = None
    """A body."""
    streams: str = ""
    """The media type of an answer in parts, which `app` gives by itself; empty: it is one document."""
    media: str = "application/octet-stream"
    """The media type of an answer that is `Raw`."""
    most_body_bytes: int = 256 << 10

    @cached_property
    def rights(self) -> tuple[Right, ...]:
        """What is asked for before anything else; as on the command line, whoever changes must be able to look."""
        if not self.operation:
            return (self.right,)
        return (LOOK_RIGHT, DECLARED[self.operation])

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The fields that stand in the path."""
        return tuple(_IN_PATH.findall(self.path))

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return bool(self.operation)
