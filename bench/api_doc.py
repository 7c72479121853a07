"""What the API takes and answers, for docs/api.md, from the table of routes.

python -m bench.api_doc        # writes the page
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from bench.json_doc import rows_of
from bench.page_table import between
from seed_server.commands.documents import DOCUMENTS
from seed_server.fleet.roles import NO_PC, WHOLE_FLEET
from seed_server.web.api.openapi import openapi
from seed_server.web.api.problems import PROBLEM_KINDS, TYPE_PREFIX, ApiProblemDocument
from seed_server.web.api.route import Raw, Route
from seed_server.web.api.table import API_ROUTES, NO_COMMAND, NO_ROUTE

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
_HEAD = "| given | in | type | default | what |\n|---|---|---|---|---|"


def page_with_tables(page: str) -> str:
    """Return ``page`` with what is made of the table between its markers. Raises `ValueError` without markers."""
    for part, lines in (("routes", _routes()), ("problems", _problems()), ("left-out", _left_out())):
        begin, end = (f"<!-- api-{part}:{mark} -->" for mark in ("begin", "end"))
        page = between(page, begin, end, "\n" + "\n".join(lines) + "\n")
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _routes() -> Iterator[str]:
    paths = openapi(API_ROUTES, version="")["paths"]
    for tag in dict.fromkeys(route.tag for route in API_ROUTES):
        yield f"### {tag}\n"
        for route in API_ROUTES:
            if route.tag == tag:
                yield from _route(route, paths[route.path][route.method.lower()]["parameters"])


def _route(route: Route[Any, Any], parameters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"#### `{route.method} {route.path}`\n"
    yield f"{route.summary}. {route.says}".strip() + f" Needs: {_rights(route)}.\n"
    rows = [one for one in parameters if one["in"] != "header"]
    if rows or route.body is not None:
        yield _HEAD
        for one in rows:
            default = None if one["required"] else one["schema"].get("default")
            yield _row((one["name"], one["in"]), one["schema"], default, one.get("description", ""), one["required"])
        yield from _body_rows(route)
        yield ""
    yield f"Answers {route.status}: {_answer(route)}\n"


def _rights(route: Route[Any, Any]) -> str:
    found: dict[str, str] = {}
    for permission, reach in route.rights:
        found[permission] = {NO_PC: "", WHOLE_FLEET: " for the whole fleet", None: " for what it is about"}[reach]
    return ", ".join(f"`{permission}`{where}" for permission, where in found.items())


def _body_rows(route: Route[Any, Any]) -> Iterator[str]:
    if route.body is bytes:
        yield "| the file | body | application/octet-stream | needed | As it was signed. |"
    elif route.body is not None:
        schema = msgspec.json.schema_components([route.body])[1][route.body.__name__]
        for name, one in schema["properties"].items():
            words = [each.get("description", "") for each in (one, *one.get("anyOf", ()))]
            yield _row((name, "body"), one, one.get("default"), "".join(words), name in schema["required"])


def _row(named: tuple[str, str], schema: Mapping[str, Any], default: Any, words: str, needed: bool) -> str:
    name, where = named
    shown = "needed" if needed else f"`{msgspec.json.encode(default).decode()}`"
    return f"| `{name}` | {where} | {_type(schema)} | {shown} | {words} |".replace("|  |", "| |")


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join("null" if one is None else f"`{one}`" for one in schema["enum"])
    if "$ref" in schema:
        return "object"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of: {_type(schema.get('items', {}))}"
    words = {"string": "text", "integer": "whole number"}.get(kind, kind)
    if "maximum" in schema:
        return f"{words}, {schema['minimum']:g} to {schema['maximum']:g}"
    return f"{words}, up to {schema['maxLength']} characters" if "maxLength" in schema else str(words)


def _answer(route: Route[Any, Any]) -> str:
    if route.answer is Raw:
        return "the file."
    if route.streams:
        return f"`{route.streams}`, whose parts are {_keys(route.answer)}"
    if route.answer is dict:
        return "OpenAPI 3.1."
    (kind,) = get_args(route.answer) or (route.answer,)
    paged = "" if kind is route.answer else "a page: `rows` and `next`; each row is "
    printed = [name for name, one in DOCUMENTS.items() if kind in (one, *get_args(one))]
    named = next((name for name in printed if name in route.commands), printed[0] if printed else "")
    if named:
        anchor = f"seed-server-{named}".lower().replace(" ", "-")
        return f"{paged}as [`seed-server {named} --json`](json.md#{anchor})."
    return f"{paged}{_keys(kind)}"


def _keys(kind: Any) -> str:
    rows = rows_of(kind)
    return "an object: " + "; ".join(f"`{row.key}` ({row.shape}) {row.meaning.rstrip('.')}" for row in rows) + "."


def _problems() -> Iterator[str]:
    yield "| `type` | status | what | what to do |\n|---|---|---|---|"
    for kind in PROBLEM_KINDS.values():
        yield f"| `{TYPE_PREFIX}{kind.name}` | {kind.status} | {kind.title} | {kind.remedy} |"
    yield f"\nEach is {_keys(ApiProblemDocument)}"


def _left_out() -> Iterator[str]:
    yield "| not here | why |\n|---|---|"
    for name, why in {**NO_COMMAND, **NO_ROUTE}.items():
        yield f"| `{name.removeprefix('seed_server.fleet.')}` | {why[0].upper()}{why[1:]}. |"


if __name__ == "__main__":
    main()
