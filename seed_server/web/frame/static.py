"""The files that pages are dressed with: style, script and icon, at addresses that change with their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

STATIC = "/static/"
_PLACE = Path(__file__).parent / "static"
_MEDIA: Mapping[str, str] = MappingProxyType(
    {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
)
FOREVER = "public, max-age=31536000, immutable"  # another content has another address


@dataclass(frozen=True)
class StaticFile:
    """One file."""

    address: str
    media: str
    data: bytes


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the files, by their names; they are read once."""
    files = {}
    for path in sorted(_PLACE.iterdir()):
        if path.suffix in _MEDIA:
            data = path.read_bytes()
            mark = hashlib.sha256(data).hexdigest()[:12]
            files[path.name] = StaticFile(f"{STATIC}{path.stem}.{mark}{path.suffix}", _MEDIA[path.suffix], data)
    return MappingProxyType(files)


@cache
def _by_address() -> Mapping[str, StaticFile]:
    return MappingProxyType({file.address: file for file in static_files().values()})


def static_address(name: str) -> str:
    """Return the address of a file; `KeyError` where there is none."""
    return static_files()[name].address


def static_at(path: str) -> StaticFile | None:
    """Return the file at an address; None: there is none, or it is another one now."""
    return _by_address().get(path)
