"""Names with a slash in them, in a path: they come as ``%2F``, and are one part of it.

Routes match what is decoded, so a site such as ``auto-10.0.0.0/24`` would be two parts: its slash goes through the
routes as another sign.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

SLASH = "\x1f"  # no name has it
_ENCODED_SLASH = re.compile("%2[Ff]")


class WholeNames:
    """An ASGI application whose routes see each name whole; `whole` gives it back its slashes."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        raw = scope.get("raw_path", b"")
        if b"%2F" in raw.upper():
            parts = _ENCODED_SLASH.split(raw.decode("ascii", "replace"))
            scope = {**scope, "path": SLASH.join(map(unquote, parts))}
        await self._app(scope, receive, send)


def whole(in_path: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a path as they are meant."""
    return {name: str(value).replace(SLASH, "/") for name, value in in_path.items()}


def address_path(scope: Mapping[str, Any]) -> str:
    """Return the path as an address has it; never one that a browser takes for another server."""
    path = quote(f"/{str(scope['path']).lstrip('/' + chr(92))}", safe="/@:+,;=~")
    return path.replace(quote(SLASH), "%2F")
