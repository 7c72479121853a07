"""A connection's other side, as the requests of the connection carry it to the application."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from p2pdist.shared.identifiers import EndpointId

CLIENT_EXTENSION = "p2pdist.client"
"""The key under which an ASGI scope's ``extensions`` hold the `Client`."""


@dataclass(frozen=True)
class Client:
    """Who sends the requests of one connection."""

    address: str
    """The IP address that the server sees."""
    port: int
    endpoint: EndpointId | None
    """Whom its certificate of the control CA names, expired or not; None: it showed none."""
    proved: Callable[[], None]
    """To be called once ``endpoint`` turns out to be enrolled and not denied: the connection may then last."""
    gone: Callable[[], bool] = lambda: False
    """Whether nobody waits for the answer any more: for work that takes seconds, from any thread."""


def client_of(scope: Any) -> Client:
    """Return the client of an ASGI scope that this port has made."""
    client = scope["extensions"][CLIENT_EXTENSION]
    assert isinstance(client, Client)
    return client
