"""`p2pdist.network.remote_http`: what comes of a question tells where the server is asked next."""

from typing import Any, cast

import pytest

from p2pdist.identity.servers import AddressTurns
from p2pdist.network.messages import HttpBroke, HttpDone
from p2pdist.network.process import NetworkPart
from p2pdist.network.remote_http import RemoteHttp
from p2pdist.shared.server_address import ServerAddress
from p2pdist.trust.http_answers import HttpError, HttpFailure

OLD, NEW, OTHER = (
    ServerAddress("192.0.2.1", 8443, 7690),
    ServerAddress("192.0.2.1", 8443, 443),
    ServerAddress("192.0.2.2", 8443, 443),
)
"""The server has changed its origin port alone, then its machine."""


class Part:
    """Answers at one host."""

    def __init__(self, there: str, elsewhere: HttpFailure = "port_closed") -> None:
        self.there = there
        self.elsewhere = elsewhere

    async def ask(self, question: Any, **_named: object) -> HttpDone | HttpBroke:
        asked = question(1)
        there = asked.url.startswith(f"https://{self.there}:")
        return HttpDone(1, 200, b"") if there else HttpBroke(1, self.elsewhere, self.there, "")


async def attempts(turns: AddressTurns, there: str, elsewhere: HttpFailure = "port_closed") -> list[ServerAddress]:
    """Return where the server is asked until it answers."""
    http, tried = RemoteHttp(cast("NetworkPart", Part(there, elsewhere)), turns), []
    for _ in range(5):
        tried.append(turns.current)
        try:
            await http.get(f"{turns.current.url}/v1/health", max_bytes=10)
        except HttpError:
            continue
        return tried
    return tried


async def test_two_addresses_with_one_web_port_hide_no_third_one() -> None:
    turns = AddressTurns([NEW, OTHER, OLD])
    assert await attempts(turns, OTHER.host) == [NEW, OTHER]
    assert await attempts(turns, OLD.host) == [OTHER, OLD]
    assert await attempts(turns, OTHER.host) == [OLD, NEW, OTHER]


async def test_a_late_answer_is_about_where_it_was_asked() -> None:
    turns = AddressTurns([OLD, OTHER])
    http = RemoteHttp(cast("NetworkPart", Part("nowhere")), turns)
    with pytest.raises(HttpError):
        await http.get(f"{OTHER.url}/v1/health", max_bytes=10)
    assert (turns.current, list(turns.problems)) == (OLD, [OTHER])


@pytest.mark.parametrize("failure", ["certificate_expired", "certificate_not_yet_valid", "large_packets_lost"])
async def test_what_may_be_of_one_address_alone_leads_to_the_next(failure: HttpFailure) -> None:
    """A machine that was left running has the certificate of then, and one of two lines the smaller packets."""
    assert await attempts(AddressTurns([OLD, OTHER]), OTHER.host, failure) == [OLD, OTHER]


@pytest.mark.parametrize("failure", ["too_slow", "network_part_down"])
async def test_what_says_nothing_against_an_address_leads_nowhere_else(failure: HttpFailure) -> None:
    assert await attempts(AddressTurns([OLD, OTHER]), OTHER.host, failure) == [OLD] * 5
