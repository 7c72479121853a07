"""Statements for SQLite that a process's tests have compiled before: hundreds open a database, each with an engine.

An engine compiles what it is asked for the first time, which took longer than to run it, and forgets it with its end.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

MOST_STATEMENTS = 4_000
Create = Callable[..., Engine]


def sharing(create: Create) -> Create:
    """Return what makes engines as ``create`` does; those of SQLite have one dialect and what it has compiled."""
    first = create("sqlite://", query_cache_size=MOST_STATEMENTS)
    with first.connect():  # what a dialect finds out at its first connection is the same for all
        pass
    first.dispose()

    def made(*place: Any, **options: Any) -> Engine:
        engine = create(*place, **options)
        if type(engine.dialect) is type(first.dialect):
            engine.dialect = engine.pool._dialect = first.dialect
            engine._compiled_cache = first._compiled_cache
        return engine

    return made
