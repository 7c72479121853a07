"""The cookies of the pages, read and written. Pure.

Their names begin with ``__Host-``: a browser keeps such a cookie only as this host's own, over TLS, for all paths.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

MAX_COOKIE_CHARS = 8_000  # of a whole header: half of what a request's head may have
MAX_COOKIES = 50
MAX_SENTENCE_KEPT_CHARS = 600  # of a sentence that is kept for the next page: in base64 of UTF-8 under 4 kB
SAID_LASTS_SECONDS = 60
LANGUAGE_SECONDS = 400 * 86_400  # as long as browsers keep any

LANGUAGE_COOKIE = "__Host-language"
SAID_COOKIE = "__Host-said"
VISIT_COOKIE = "__Host-visit"
"""Of a browser in which nobody is signed in: forms for everybody are bound to it."""


def cookies_in(headers: Iterable[str]) -> dict[str, str]:
    """Return the cookies of a request's Cookie headers; what is too long, or too many, is not looked at."""
    text = "; ".join(headers)
    if len(text) > MAX_COOKIE_CHARS:
        return {}
    found: dict[str, str] = {}
    for part in text.split(";")[:MAX_COOKIES]:
        name, sign, value = part.strip().partition("=")
        if sign and name not in found:
            found[name] = value.strip('"')
    return found


def cookie(name: str, value: str, *, seconds: int | None = None) -> str:
    """Return the value of a Set-Cookie header; ``seconds`` None: until the browser is closed; 0: gone at once."""
    lasts = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path=/{lasts}; Secure; HttpOnly; SameSite=Strict"


def said_cookie(text: str) -> str:
    """Return the cookie that carries a sentence to the page that follows a form."""
    packed = base64.urlsafe_b64encode(text[:MAX_SENTENCE_KEPT_CHARS].encode("utf-8", "replace")).decode().rstrip("=")
    return cookie(SAID_COOKIE, packed, seconds=SAID_LASTS_SECONDS)


def said_in(value: str) -> str:
    """Return the sentence that such a cookie carries; empty: none that can be read."""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()[:MAX_SENTENCE_KEPT_CHARS]
    except (binascii.Error, ValueError):
        return ""


def visit_csrf(visit: str) -> str:
    """Return what forms for everybody carry, in a browser with this cookie."""
    return hashlib.sha256(b"p2pdist form\0" + visit.encode()).hexdigest()
