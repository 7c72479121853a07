"""What to put into the addresses, filters and forms of the table of pages, so that each request is about something."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from seed_server.web.frame.page import Form, Page

_BRACES = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Values:
    """What stands for each name."""

    paths: Mapping[str, str]
    """By the name in braces; ``FORM.NAME`` or ``PAGE.NAME`` goes before it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """By the name of a form's field; ``FORM.NAME`` goes before it."""

    def address(self, row: Page[Any] | Form[Any, Any]) -> str:
        """Return an address of a page or form. Raises `LookupError` that says what is not known."""

        def value(found: re.Match[str]) -> str:
            for name in (f"{row.name}.{found[1]}", found[1]):
                if name in self.paths:
                    return str(self.paths[name])
            raise LookupError(f"tests know no {{{found[1]}}} for {row.name}, {row.path}")

        return _BRACES.sub(value, row.path)

    def body(self, form: Form[Any, Any], **others: str) -> dict[str, Any]:
        """Return what fills a form's fields that must be filled, and those that are known, with ``others``."""
        found: dict[str, Any] = {}
        for one in msgspec.structs.fields(form.body):
            known = self.fields.get(f"{form.name}.{one.name}", self.fields.get(one.name))
            if known is not None:
                found[one.name] = known
            elif one.default is NODEFAULT and one.default_factory is NODEFAULT:
                found[one.name] = _any_of(one.type)
        return found | others


def text_fields(kind: type[Struct]) -> Iterator[str]:
    """Yield the fields of a struct that take any text."""
    for one in msgspec.structs.fields(kind):
        if _takes_text(one.type):
            yield one.name


def _plain(kind: Any) -> Any:
    return _plain(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _takes_text(kind: Any) -> bool:
    plain = _plain(kind)
    if get_origin(plain) in {Union, UnionType, tuple, list}:
        return any(map(_takes_text, get_args(plain)))
    return plain is str


_EXAMPLES: Mapping[Any, str] = {str: "x", int: "1", float: "1", bool: "true"}


def _any_of(kind: Any) -> str:
    plain = _plain(kind)
    if get_origin(plain) is Literal:
        return str(get_args(plain)[0])
    if get_origin(plain) in {Union, UnionType, tuple, list}:
        return _any_of(next(one for one in get_args(plain) if one not in {type(None), ...}))
    return _EXAMPLES[plain] if plain in _EXAMPLES else str(next(iter(plain)).value)
