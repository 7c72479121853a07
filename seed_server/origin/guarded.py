"""A connection's tasks, whose errors end the connection and nothing else."""

from collections.abc import Awaitable, Callable

from seed_server.origin.connection import LostConnectionError, RefusedError
from seed_server.origin.data_link import Ending
from seed_server.origin.session import Session


async def guarded(task: Callable[[], Awaitable[None]], ending: Ending | Session) -> None:
    """Run a connection's task; what it raises ends the connection."""
    try:
        await task()
    except LostConnectionError:
        ending.end(None)
    except RefusedError as error:
        ending.end(str(error))
