"""What every operation has: a `Context`, and an `Actor` who is named in whatever is logged within it."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context

P = ParamSpec("P")
R = TypeVar("R")


def operation(function: Callable[Concatenate[Context, Actor, P], R]) -> Callable[Concatenate[Context, Actor, P], R]:
    """Name the actor in every line that is logged within ``function``."""

    @functools.wraps(function)
    def operate(context: Context, actor: Actor, /, *arguments: P.args, **named: P.kwargs) -> R:
        with structlog.contextvars.bound_contextvars(actor=str(actor)):
            return function(context, actor, *arguments, **named)

    return operate
