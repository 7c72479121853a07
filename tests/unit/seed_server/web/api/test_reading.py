"""`seed_server.web.api.reading`: what comes in path, query and body is what the route takes, or is refused."""

from typing import Any

import pytest

from seed_server.web.api.given import Body, OfEndpoint
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.reading import MAX_QUERY_CHARS, MAX_QUERY_FIELDS, body_in, given_in
from seed_server.web.api.route import Route
from seed_server.web.api.routes_fleet import Denying
from seed_server.web.api.table import API_ROUTES

BY_NAME = {route.name: route for route in API_ROUTES}
LIST: Route[Any, Any] = BY_NAME["listEndpoints"]
INVENTORY: Route[Any, Any] = BY_NAME["askInventory"]
JSON = "application/json"


def refused(route: Route[Any, Any], query: str) -> ApiProblemError:
    with pytest.raises(ApiProblemError) as caught:
        given_in(route, {}, query)
    return caught.value


def test_parameters_are_of_their_types() -> None:
    given = given_in(LIST, {}, "limit=7&site=os%20lo&state=away&not_seen_days=90&sort=seen")
    assert (given.limit, given.site, given.state, given.not_seen_days, given.sort) == (7, "os lo", "away", 90, "seen")
    assert given_in(LIST, {}, "").limit == 100
    assert given_in(INVENTORY, {}, "columns=os.release&columns=ram_mb&unknown=true").columns == ("os.release", "ram_mb")


def test_parameters_of_the_path_are_taken_from_there_alone() -> None:
    show = BY_NAME["getEndpoint"]
    assert given_in(show, {"endpoint": "pc-7"}, "packages=true").endpoint == "pc-7"
    with pytest.raises(ApiProblemError, match="no parameter 'endpoint'"):
        given_in(show, {"endpoint": "pc-7"}, "endpoint=pc-8")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=1001", "limit=x", "limit=", "state=gone", "sort=age", "limit=1&limit=2", "not_seen_days=0",
        "site=" + "a" * 201, "state=null",
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(query: str) -> None:
    assert refused(LIST, query).kind.status == 422


def test_an_unknown_parameter_is_named_with_the_nearest_one() -> None:
    assert "Is 'limit' meant?" in refused(LIST, "limits=3").detail


def test_a_query_has_caps() -> None:
    assert refused(LIST, "site=" + "a" * MAX_QUERY_CHARS).kind.name == "too-long"
    assert refused(LIST, "&".join(["a=1"] * (MAX_QUERY_FIELDS + 1))).kind.name == "malformed"
    assert refused(LIST, "site=%ff").kind.name == "malformed"


def test_a_body_is_of_its_type() -> None:
    assert body_in(b'{"keep_tokens": true}', JSON, Denying).keep_tokens
    assert body_in(b'{"keep_tokens": true}', "Application/JSON; charset=utf-8", Denying).keep_tokens
    assert not body_in(b"", "", Denying).keep_tokens  # all of it has defaults
    assert body_in(b"\0\1", "", bytes) == b"\0\1"


@pytest.mark.parametrize(
    ("data", "media", "name"),
    [
        (b"{}", "text/plain", "no-json"),
        (b"{}", "", "no-json"),
        (b"{", JSON, "malformed"),
        (b"\xff", JSON, "malformed"),
        (b'{"keep": true}', JSON, "not-acceptable"),
        (b'{"keep_tokens": 1}', JSON, "not-acceptable"),
        (b"[]", JSON, "not-acceptable"),
    ],
)
def test_a_body_of_another_form_is_refused(data: bytes, media: str, name: str) -> None:
    with pytest.raises(ApiProblemError) as caught:
        body_in(data, media, Denying)
    assert caught.value.kind.name == name


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ApiProblemError):
        body_in(b"", "", bytes)


def test_types_of_bodies_take_nothing_unknown() -> None:
    assert all(one.__struct_config__.forbid_unknown_fields for one in (Body, OfEndpoint))
