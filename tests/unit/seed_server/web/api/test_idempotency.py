"""`seed_server.web.api.idempotency`: a request with a key is carried out once."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.web.api.idempotency import keyed, once
from seed_server.web.api.problems import ApiProblemError
from tests.helpers.api_client import api_of
from tests.helpers.rollout_company import Company

KEY = {"idempotency-key": "k-1"}
EXCEPTION = {"who": "", "until": 1_800_100_000, "reason": "Christmas", "owner": "Store IT", "patch": "office"}
PATH = "/api/v1/exceptions"


@pytest.mark.trio
async def test_a_request_that_comes_twice_is_carried_out_once(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("ada", "operator")
        first = await api.ask("POST", PATH, token, EXCEPTION, headers=KEY)
        again = await api.ask("POST", PATH, token, EXCEPTION, headers=KEY)
        assert (first.status, again.status) == (201, 201)
        assert again.body == first.body
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        other = await api.ask("POST", PATH, token, {**EXCEPTION, "owner": "HR"}, headers=KEY)
        assert (other.status, other.problem) == (422, "key-of-another")
        ours = await api.ask("POST", PATH, api.token("bob", "operator"), EXCEPTION, headers=KEY)
        assert ours.status == 201  # keys are those of a token
        rows = (await api.ask("GET", PATH, token)).document["rows"]
    assert len(rows) == 2


@pytest.mark.trio
async def test_what_was_refused_may_come_again(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("ada", "operator")
        refused = await api.ask("POST", PATH, token, {**EXCEPTION, "until": 5}, headers=KEY)
        assert refused.status == 422
        assert (await api.ask("POST", PATH, token, EXCEPTION, headers=KEY)).status == 201


@pytest.mark.trio
async def test_a_secret_is_not_kept(company: Company) -> None:
    async with api_of(company.context) as api:
        token = api.token("ada", "operator")
        assert (await api.ask("POST", "/api/v1/tokens", token, {"tags": []}, headers=KEY)).status == 201
        again = await api.ask("POST", "/api/v1/tokens", token, {"tags": []}, headers=KEY)
        assert (again.status, again.problem) == (409, "key-answer-gone")
        assert len((await api.ask("GET", "/api/v1/tokens", token)).document["rows"]) == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "a" * 201])
def test_a_key_has_a_form(key: str) -> None:
    with pytest.raises(ApiProblemError):
        keyed("t", key, b"")
    assert keyed("t", "a" * 200, b"").key == "a" * 200


def test_parts_of_a_request_are_told_apart() -> None:
    assert keyed("t", "k", b"ab", b"c").request != keyed("t", "k", b"a", b"bc").request


def test_while_it_is_worked_on_and_when_that_was_cut_off_nothing_is_done(company: Company) -> None:
    context, one = company.context, keyed("t", "k", b"x")

    def again() -> str:
        with pytest.raises(ApiProblemError) as caught:
            once(context, one, 200, lambda: b"never", secret=False)
        return caught.value.kind.name

    def work() -> bytes:
        assert again() == "key-at-work"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(context, one, 200, work, secret=False)
    assert again() == "key-cut-off"


def test_what_a_stopped_process_left_is_cut_off(company: Company) -> None:
    context, one = company.context, keyed("t", "k", b"x")
    assert company.database.begin_request("t", "k", one.request, context.clock.now()) is None
    assert company.database.requests_cut_off() == 1
    with pytest.raises(ApiProblemError, match="stopped"):
        once(context, one, 200, lambda: b"never", secret=False)


def test_an_operation_that_refuses_leaves_the_key_free(company: Company) -> None:
    def refuses() -> bytes:
        raise UserError("no", FaultKind.REFUSED)

    one = keyed("t", "k", b"x")
    with pytest.raises(UserError):
        once(company.context, one, 200, refuses, secret=False)
    assert once(company.context, one, 200, lambda: b"yes", secret=False) == (b"yes", False)
    assert once(company.context, one, 200, lambda: b"never", secret=False) == (b"yes", True)
