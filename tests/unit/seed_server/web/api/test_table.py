"""`seed_server.web.api.table`: every operation and every document of the command line is there, or says why not."""

import importlib
import pkgutil
from typing import Any

import msgspec
import pytest

import seed_server.automation
import seed_server.fleet
import seed_server.reporting
from seed_server.commands.documents import DOCUMENTS
from seed_server.fleet.operation import DECLARED
from seed_server.fleet.roles import PERMISSIONS
from seed_server.web.api.route import API, LOOK_RIGHT, Route
from seed_server.web.api.table import API_ROUTES, NO_COMMAND, NO_ROUTE


def test_every_operation_has_a_route_or_a_reason() -> None:
    for room in (seed_server.automation, seed_server.fleet, seed_server.reporting):
        for module in pkgutil.iter_modules(room.__path__):
            importlib.import_module(f"{room.__name__}.{module.name}")
    routed = [route.operation for route in API_ROUTES if route.operation]
    assert len(routed) == len(set(routed))
    declared = {name for name in DECLARED if name.startswith("seed_server.")}
    assert {*routed, *NO_ROUTE} == declared
    assert not set(routed) & set(NO_ROUTE)
    assert all(len(why) > 20 for why in (*NO_ROUTE.values(), *NO_COMMAND.values()))


def test_every_document_of_the_command_line_has_a_route_or_a_reason() -> None:
    routed = [command for route in API_ROUTES for command in route.commands]
    assert len(routed) == len(set(routed))
    assert {*routed, *NO_COMMAND} == set(DOCUMENTS)
    assert not set(routed) & set(NO_COMMAND)


def test_every_route_needs_a_declared_right() -> None:
    for route in API_ROUTES:
        assert route.rights
        assert all(permission in PERMISSIONS for permission, _ in route.rights)
        if route.operation:
            assert route.rights == (LOOK_RIGHT, DECLARED[route.operation])


def test_what_changes_is_no_get_and_what_looks_is_one() -> None:
    asked_with_a_body = {"checkPosture", "runBatch"}
    for route in API_ROUTES:
        assert route.changes is (route.method != "GET" and route.name not in asked_with_a_body), route.name


def test_names_and_places_are_told_apart() -> None:
    assert len({route.name for route in API_ROUTES}) == len(API_ROUTES)
    assert len({(route.method, route.path) for route in API_ROUTES}) == len(API_ROUTES)
    assert all(route.path.startswith(f"{API}/") for route in API_ROUTES)


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda one: one.name)
def test_path_names_are_fields_of_what_is_taken(route: Route[Any, Any]) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(route.takes)}
    assert set(route.path_names) <= set(fields)
    assert all(fields[name].required is (name in route.path_names) for name in fields)


@pytest.mark.parametrize(
    "route", [one for one in API_ROUTES if one.body not in (None, bytes)], ids=lambda one: one.name
)
def test_examples_are_bodies(route: Route[Any, Any]) -> None:
    assert route.example is not None
    msgspec.json.decode(msgspec.json.encode(route.example), type=route.body)


def test_integers_fit_the_database() -> None:
    for route in API_ROUTES:
        for kind in (route.takes, route.body):
            if kind in (None, bytes):
                continue
            schema = msgspec.json.encode(msgspec.json.schema(kind)).decode()
            assert schema.count('"integer"') == schema.count('"type":"integer","minimum"'), route.name
