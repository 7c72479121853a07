"""``[pages]`` of ``server.toml``: how browsers reach the pages, and how long a login lasts. Pure."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from p2pdist.shared.server_address import is_ip_address
from p2pdist.shared.wire.codec import Record

MAX_ORIGIN_CHARS = 300  # a host name has at most 253
UNWRITTEN_PORT = 443  # browsers do not write it


class PagesSettings(Record, frozen=True):
    """``[pages]``: the pages for people, in a browser."""

    origin: Annotated[str, msgspec.Meta(max_length=MAX_ORIGIN_CHARS)] = ""
    """How browsers reach them: ``https://NAME`` or ``https://NAME:PORT``, for keys are bound to the name. Empty: the
    server's address and ``api_port``."""
    idle_minutes: Annotated[float, msgspec.Meta(ge=1.0, le=1_440.0)] = 30.0
    """A session ends when it was not used for so long."""
    session_hours: Annotated[float, msgspec.Meta(gt=0.0, le=168.0)] = 12.0
    """A session ends so long after it began, used or not."""


def is_origin(text: str) -> bool:
    """Whether it is the address of a site, as browsers write it."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    named = f"[{host}]" if ":" in host else host
    return bool(host) and text == f"https://{named}" + (f":{port}" if port not in (None, 0, UNWRITTEN_PORT) else "")


def origin_of(pages: PagesSettings, address: str, port: int) -> str:
    """Return how browsers reach the pages of a server with this ``address`` and this port of its API.

    Where there is but an IP address, it is that of this machine, by name: keys are bound to names alone.
    """
    if pages.origin:
        return pages.origin
    host = "localhost" if is_ip_address(address) else address.lower()
    return f"https://{host}" if port == UNWRITTEN_PORT else f"https://{host}:{port}"
