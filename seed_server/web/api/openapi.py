"""The OpenAPI 3.1 document of the API, made from the table of routes and the types that it names."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from seed_server.web.api.idempotency import KEY
from seed_server.web.api.problems import PROBLEM_KINDS, PROBLEM_MEDIA, ApiProblemDocument
from seed_server.web.api.route import API, JSON_MEDIA, ApiCall, Nothing, Raw, Route

_REF = "#/components/schemas/"
_PROBLEM = {"$ref": f"{_REF}ApiProblemDocument"}
_DESCRIPTION = (
    "Everything that the command line of a seed server does, for programs. Operations and queries, rights and answers "
    "are those of the command line; docs/api.md says more."
)


def problems_of(route: Route[Any, Any]) -> tuple[int, ...]:
    """Return the statuses of the problems that a route may answer with."""
    found = {400, 401, 403, 413, 422, 429, 500, 503}
    if route.path_names:
        found |= {404}
    if route.changes or route.streams:
        found |= {409}
    if route.guard is not None:
        found |= {412}
    if route.body is not None:
        found |= {408, 409, 415}
    return tuple(sorted(found))


def openapi(routes: Iterable[Route[Any, Any]], *, version: str, server: str = "/") -> dict[str, Any]:
    """Return the document; ``version``: of the software, ``server``: where it is."""
    rows = tuple(routes)
    kinds = _types_in(rows)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    of = dict(zip(map(repr, kinds), schemas, strict=True))
    parameters = {repr(route.takes): components[of[repr(route.takes)]["$ref"].removeprefix(_REF)] for route in rows}
    paths: dict[str, dict[str, Any]] = {}
    for route in rows:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of, parameters[repr(route.takes)])
    used = {of[repr(kind)]["$ref"].removeprefix(_REF) for kind in {route.takes for route in rows}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "seed-server", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in rows)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by 'seed-server api-token make'."}
            },
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in used},
        },
    }


def _types_in(rows: Iterable[Route[Any, Any]]) -> list[Any]:
    kinds: dict[str, Any] = {repr(ApiProblemDocument): ApiProblemDocument}
    for route in rows:
        for kind in (route.takes, route.body, route.answer):
            if kind is not None and kind not in (bytes, Raw, dict):
                kinds[repr(kind)] = kind
    return list(kinds.values())


def _operation(route: Route[Any, Any], of: Mapping[str, Any], takes: Mapping[str, Any]) -> dict[str, Any]:
    rights = " and ".join(dict.fromkeys(permission for permission, _ in route.rights))
    made: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": f"{route.says} Needs the right {rights}.".strip(),
        "tags": [route.tag],
        "parameters": [*_parameters(route, takes), *_headers(route)],
        "responses": _responses(route, of),
    }
    if route.body is bytes:
        made["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    elif route.body is not None:
        content: dict[str, Any] = {"schema": of[repr(route.body)]}
        if route.example is not None:
            content["example"] = dict(route.example)
        needed = any(field.required for field in msgspec.structs.fields(route.body))
        made["requestBody"] = {"required": needed, "content": {JSON_MEDIA: content}}
    return made


def _parameters(route: Route[Any, Any], takes: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, schema in takes.get("properties", {}).items():
        kept, in_path = _without_null(schema), name in route.path_names
        one: dict[str, Any] = {"name": name, "in": "path" if in_path else "query", "required": in_path}
        if words := kept.pop("description", ""):
            one["description"] = words
        one["schema"] = kept
        found.append(one)
    return found


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is left out where it is null."""
    kept = dict(schema)
    if kept.get("default", 0) is None:
        del kept["default"]
    if "anyOf" in kept:
        (one,) = (each for each in kept.pop("anyOf") if each != {"type": "null"})
        kept = {**kept, **one}
    if None in kept.get("enum", ()):
        kept["enum"] = [each for each in kept["enum"] if each is not None]
    return kept


def _headers(route: Route[Any, Any]) -> list[dict[str, Any]]:
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    if _is_tagged(route):
        found["If-None-Match"] = "The ETag that is known: where it is the same, the answer is 304.", {}
    if route.method == "POST" and route.changes:
        words = "Any text, a new one for each request: with it, a request is carried out once."
        found["Idempotency-Key"] = words, {"pattern": f"^{KEY.pattern}$"}
    if route.guard is not None:
        found["If-Match"] = "The ETag of what was read: where it has changed since, the answer is 412.", {}
    if route.name == "listenToEvents":
        found["Last-Event-ID"] = "The id of the last event that is known.", {}
    return [
        {"name": name, "in": "header", "required": False, "description": words, "schema": {"type": "string", **form}}
        for name, (words, form) in found.items()
    ]


def _is_tagged(route: Route[Any, Any]) -> bool:
    """Whether its answers have an ETag."""
    return route.method == "GET" and not route.streams and route.answer is not Raw


def _responses(route: Route[Any, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.summary}
    if route.streams:
        of_part = of[repr(route.answer)]  # what each line, or each event's data, is
        good["content"] = {route.streams: {"schema": {"type": "string"}, "x-part-schema": of_part}}
    elif route.answer is Raw:
        good["content"] = {route.media: {}}
    elif route.answer is dict:
        good["content"] = {JSON_MEDIA: {"schema": {"type": "object"}}}
    else:
        good["content"] = {JSON_MEDIA: {"schema": of[repr(route.answer)]}}
        if route.method == "GET":
            good["headers"] = {"ETag": {"schema": {"type": "string"}}, "Link": {"schema": {"type": "string"}}}
    found = {str(route.status): good}
    if _is_tagged(route):
        found["304"] = {"description": "It is as If-None-Match says."}
    for status in problems_of(route):
        titles = "; ".join(kind.title for kind in PROBLEM_KINDS.values() if kind.status == status)
        found[str(status)] = {"description": titles, "content": {PROBLEM_MEDIA: {"schema": _PROBLEM}}}
    found["431"] = {"description": "The request's head is too long, so it was not read; the connection ends."}
    return found


def _described(call: ApiCall[Nothing, None]) -> dict[str, Any]:
    from p2pdist import __version__
    from seed_server.web.api.table import API_ROUTES

    del call
    return openapi(API_ROUTES, version=__version__)


DESCRIBED = (
    Route("GET", f"{API}/openapi.json", "getOpenApi", "This document", _described, dict, "About", Nothing),
)  # fmt: skip
"""The row of the table that answers with the document."""
