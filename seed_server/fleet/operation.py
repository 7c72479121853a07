"""What every operation has: a `Context`, an `Actor` who is named in what is logged within it, and the right it needs.

The right is asked for before anything else is done; who has it not is told why, who has it, and what to do.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

from seed_server.fleet.accounts import holders_of
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.permissions import RightMissingError, may
from seed_server.fleet.roles import NO_PC, WHOLE_FLEET, Permission, Reach
from seed_server.store.moved_mark import check_takes_changes

P = ParamSpec("P")
R = TypeVar("R")

DECLARED: dict[str, tuple[Permission, Reach | None]] = {}
"""What each operation needs, by its module and name; with None it asks itself, by `require`, how far it may reach."""


def operation(
    permission: Permission, *, reach: Reach | None = WHOLE_FLEET, when_left: bool = False
) -> Callable[[Callable[Concatenate[Context, Actor, P], R]], Callable[Concatenate[Context, Actor, P], R]]:
    """Declare that a function is an operation, which needs ``permission`` for the PCs in ``reach``.

    ``reach`` None: which PCs it touches follows from what it is given, and it calls `require` before it changes
    anything. ``when_left``: it has a meaning in a home that its server has left, too. An operation raises `UserError`
    (REFUSED) for an actor who may not do it, and in such a home.
    """

    def declare(
        function: Callable[Concatenate[Context, Actor, P], R],
    ) -> Callable[Concatenate[Context, Actor, P], R]:
        DECLARED[f"{function.__module__}.{function.__qualname__}"] = (permission, reach)

        @functools.wraps(function)
        def operate(context: Context, actor: Actor, /, *arguments: P.args, **named: P.kwargs) -> R:
            from structlog.contextvars import bound_contextvars  # not for commands that only look

            with bound_contextvars(actor=str(actor)):
                require(context, actor, permission, NO_PC if reach is None else reach)
                if not when_left:
                    check_takes_changes(context.home)
                return function(replace(context, right=permission), actor, *arguments, **named)

        return operate

    return declare


def require(context: Context, actor: Actor, permission: Permission, reach: Reach) -> None:
    """Raise `RightMissingError` where ``actor`` may not do what needs ``permission`` to the PCs in ``reach``."""
    if may(actor, permission, reach) is not None:
        refusal = may(actor, permission, reach, holders=() if actor.barred else holders_of(context, permission))
        raise RightMissingError(refusal or "")
