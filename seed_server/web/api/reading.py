"""Makes of path, query and body what a route takes; what has another form is refused with the name of its fault."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from seed_server.web.api.problems import ApiProblemError, of_input
from seed_server.web.api.route import Route

S = TypeVar("S")
MAX_QUERY_CHARS = 8_000
MAX_QUERY_FIELDS = 100  # more than any route has parameters, lists with all that they take


def given_in(route: Route[Any, Any], in_path: Mapping[str, str], query: str) -> Any:
    """Return the parameters of a request. Raises `ApiProblemError`."""
    return given_of(route.takes, route.path_names, in_path, pairs_in(query))


def given_of(
    takes: type[S], path_names: Sequence[str], in_path: Mapping[str, str], pairs: Iterable[tuple[str, str]]
) -> S:  # fmt: skip
    """Return the parameters that path and query give. Raises `ApiProblemError`."""
    known = {field.name: field for field in msgspec.structs.fields(takes)}  # type: ignore[type-var]  # it is a Struct
    lists = list_fields(takes)
    in_query = known.keys() - set(path_names)
    values: dict[str, Any] = {name: in_path[name] for name in path_names}
    for name, value in pairs:
        if name not in in_query:
            raise ApiProblemError("not-acceptable", f"There is no parameter {name[:40]!r} here.{_hint(name, in_query)}")
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise ApiProblemError("not-acceptable", f"The parameter {name!r} is given twice.")
        else:
            values[name] = value
    try:
        given = msgspec.convert(values, takes, strict=False)
    except msgspec.ValidationError as error:
        raise of_input(error, "The parameters") from error
    if nothing := next((name for name in values if getattr(given, name) is None), ""):
        raise ApiProblemError("not-acceptable", f"The parameter {nothing!r} is null. Leave it out instead.")
    return given


def body_in(data: bytes, media: str, kind: type[S]) -> S:
    """Return the body of a request; one that is all defaults may be left out. Raises `ApiProblemError`."""
    if kind is bytes:
        if not data:
            raise ApiProblemError("not-acceptable", "The body is empty. Send the file.")
        return data  # type: ignore[return-value]  # the type is what is asked for
    if not data and not media:
        data, media = b"{}", "application/json"
    if media.partition(";")[0].strip().casefold() != "application/json":
        raise ApiProblemError("no-json", f"The body is {media[:80] or 'of no type'!r}. Send application/json.")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise of_input(error, "The body") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiProblemError("malformed", f"The body is no JSON: {error}.") from error


def list_fields(kind: type[Any]) -> frozenset[str]:
    """Return the names of fields that hold several values."""
    hints = get_type_hints(kind)
    return frozenset(name for name, hint in hints.items() if get_origin(hint) is tuple)


def pairs_in(query: str) -> list[tuple[str, str]]:
    """Return names and values of a query, as they come. Raises `ApiProblemError`."""
    if len(query) > MAX_QUERY_CHARS:
        raise ApiProblemError("too-long", f"The query has over {MAX_QUERY_CHARS} characters.")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict")
    except ValueError as error:
        raise ApiProblemError("malformed", f"The query cannot be read: {error}.") from error


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name[:40], sorted(known), 1)
    return f" Is {near[0]!r} meant?" if near else ""
