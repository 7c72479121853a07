"""`seed_server.web.api.openapi`: the document is whole, and says of each route what it takes and answers."""

import json
import re
from typing import Any

import pytest

from seed_server.web.api.openapi import openapi
from seed_server.web.api.problems import PROBLEM_MEDIA
from seed_server.web.api.table import API_ROUTES


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi(API_ROUTES, version="1")))  # type: ignore[no-any-return]


def test_every_route_is_an_operation(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    found = {
        (method.upper(), path, one["operationId"]) for path, methods in document["paths"].items()
        for method, one in methods.items()
    }  # fmt: skip
    assert found == {(route.method, route.path, route.name) for route in API_ROUTES}


def test_all_references_are_there_and_all_schemas_are_used(document: dict[str, Any]) -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"])


def test_parameters_are_those_of_the_path_and_of_what_is_taken(document: dict[str, Any]) -> None:
    one = document["paths"]["/api/v1/endpoints/{endpoint}"]["get"]
    given = {(each["name"], each["in"], each["required"]) for each in one["parameters"]}
    assert given == {
        ("endpoint", "path", True), ("packages", "query", False), ("If-None-Match", "header", False),
    }  # fmt: skip
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                assert "null" not in json.dumps(parameter["schema"])
                assert "$ref" not in json.dumps(parameter["schema"])


def test_every_operation_needs_a_token_and_says_its_problems(document: dict[str, Any]) -> None:
    assert document["security"] == [{"token": []}]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert {"401", "403", "413", "431", "503"} <= set(operation["responses"])
            assert PROBLEM_MEDIA in operation["responses"]["401"]["content"]
            assert "right" in operation["description"]


def test_what_changes_takes_a_key_and_what_is_replaced_an_etag(document: dict[str, Any]) -> None:
    def headers(path: str, method: str) -> set[str]:
        parameters = document["paths"][path][method]["parameters"]
        return {one["name"] for one in parameters if one["in"] == "header"}

    assert headers("/api/v1/rollouts", "post") == {"Idempotency-Key"}
    assert headers("/api/v1/people/{name}/roles", "put") == {"If-Match"}
    assert headers("/api/v1/people", "get") == {"If-None-Match"}
    assert headers("/api/v1/batches", "post") == set()


def test_what_is_no_json_says_what_it_is(document: dict[str, Any]) -> None:
    found = {
        one["operationId"]: list(one["responses"]["200"]["content"])
        for methods in document["paths"].values() for one in methods.values()
        if one["operationId"] in {"getMetrics", "getBundle"}
    }  # fmt: skip
    assert found["getMetrics"] == ["text/plain"]
