"""What a form brings: its fields as they were typed, and the body that they make. Pure but for words."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import NODEFAULT, Struct

from p2pdist.shared.language import tr
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.reading import list_fields
from seed_server.web.frame.misfits import misfit
from seed_server.web.frame.problem_words import PageProblemError

S = TypeVar("S", bound=Struct)
FORM_MEDIA = "application/x-www-form-urlencoded"
MAX_FORM_FIELDS = 1_000  # 200 ticked rows, and what else stands there


class NotAcceptableError(Exception):
    """A form was filled in as it cannot be."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields
        """What is wrong with which field, in the reader's language."""


@dataclass(frozen=True)
class FormFields:
    """Names and values, in the order of the form."""

    pairs: tuple[tuple[str, str], ...] = ()

    @cached_property
    def values(self) -> Mapping[str, list[str]]:
        """All values of each name."""
        found: dict[str, list[str]] = {}
        for name, value in self.pairs:
            found.setdefault(name, []).append(value)
        return found

    def first(self, name: str) -> str:
        """Return the first value of a field; empty: it is not there."""
        return self.values.get(name, [""])[0]


def fields_in(data: bytes, media: str) -> FormFields:
    """Return the fields of a form. Raises `ApiProblemError`."""
    if media.partition(";")[0].strip().casefold() != FORM_MEDIA:
        raise PageProblemError("no-form", f"The form came as {media[:80] or 'nothing known'!r}.")
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS, errors="strict")
    except ValueError as error:
        raise ApiProblemError("malformed", f"The form cannot be read: {error}.") from error
    return FormFields(tuple((name, value.replace("\r\n", "\n")) for name, value in pairs))


def body_of(kind: type[S], fields: FormFields) -> S:
    """Return what a form's fields make; those that begin with ``_`` are the frame's own.

    A field that was left empty has its default, where it has one. Raises `NotAcceptableError`.
    """
    lists = list_fields(kind)
    optional = {
        field.name for field in msgspec.structs.fields(kind)
        if field.default is not NODEFAULT or field.default_factory is not NODEFAULT
    }  # fmt: skip
    values: dict[str, Any] = {}
    for name, given in fields.values.items():
        if name.startswith("_"):
            continue
        kept = [value for value in given if value or name not in optional]
        if name in lists:
            values[name] = kept
        elif kept:
            values[name] = kept[0]
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise NotAcceptableError(_wrong(str(error), fields)) from error


def _wrong(why: str, fields: FormFields) -> Mapping[str, str]:
    name, words = misfit(why)
    return {name: words if fields.first(name).strip() or not name else tr("Fill this in.")}
