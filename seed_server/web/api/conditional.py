"""ETags: of each answer that was looked at, and what If-None-Match and If-Match say of one. Pure."""

import hashlib
import re

_TAG_BYTES = 16
MAX_TAGS_CHARS = 4_000  # of one header: a hundred tags
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag_of(body: bytes) -> str:
    """Return the strong ETag of an answer: it is another one where a byte is."""
    return f'"{hashlib.sha256(body).digest()[:_TAG_BYTES].hex()}"'


def is_named(header: str, etag: str, *, weak: bool) -> bool:
    """Whether the value of If-None-Match (``weak``: marks of weakness do not count) or If-Match names ``etag``."""
    text = header.strip()
    if text == "*":
        return True
    if len(text) > MAX_TAGS_CHARS:
        return False
    return any(found[1] == etag and (weak or not found[0].startswith("W/")) for found in _TAG.finditer(text))
