"""`seed_server.web.api.authenticating`: which header has a token; what tokens do is in `test_answering`."""

import pytest

from seed_server.fleet.accounts import MAX_API_TOKEN_CHARS
from seed_server.web.api.authenticating import token_in
from seed_server.web.api.problems import ApiProblemError


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", " BEARER   abc "])
def test_a_token_is_found(header: str) -> None:
    assert token_in(header) == "abc"


@pytest.mark.parametrize("header", ["", " ", "abc", "Bearer", "Bearer ", "Basic YTpi"])
def test_what_has_none_is_refused(header: str) -> None:
    with pytest.raises(ApiProblemError) as caught:
        token_in(header)
    assert caught.value.kind.name == "no-token"


def test_no_more_of_it_is_read_than_a_token_has() -> None:
    assert len(token_in(f"Bearer {'a' * 10_000}")) == MAX_API_TOKEN_CHARS + 1
