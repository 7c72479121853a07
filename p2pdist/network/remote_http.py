"""HTTPS to the seed server's web port, which the network part speaks."""

from p2pdist.identity.servers import AddressTurns
from p2pdist.network.messages import Abandon, HttpBroke, HttpDone, HttpRequest
from p2pdist.network.process import NetworkPart
from p2pdist.shared.channel import ChannelEndedError
from p2pdist.trust.http_answers import HttpAnswer, HttpError, HttpFailure

NOT_THERE: frozenset[HttpFailure] = frozenset(
    {
        "port_closed",
        "no_answer",
        "wrong_answer",
        "certificate_wrong_name",
        "certificate_untrusted",
        "certificate_expired",
        "certificate_not_yet_valid",
        "large_packets_lost",
    }
)
"""Failures after which the server is looked for at its next address: they may be of this one alone."""
ANSWER_SECONDS = 400.0  # over the client's own total deadline, which says more about what went wrong


class RemoteHttp:
    """An `Http`."""

    def __init__(self, part: NetworkPart, turns: AddressTurns) -> None:
        """Callers make their URLs of ``turns``, which is told where the server answers and where it does not."""
        self._part = part
        self._turns = turns

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a GET, of at most ``max_bytes``. Raises `HttpError`."""
        return await self._request(url, None, max_bytes)

    async def post(self, url: str, body: bytes, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a POST of a JSON ``body``. Raises `HttpError`."""
        return await self._request(url, body, max_bytes)

    async def _request(self, url: str, body: bytes | None, max_bytes: int) -> HttpAnswer:
        # the one in use first: several may have one web port, and differ in the origin port alone
        known = (self._turns.current, *self._turns.order)
        asked = next((address for address in known if url.startswith(f"{address.url}/")), None)
        try:
            answer = await self._answer(url, body, max_bytes)
        except HttpError as error:
            if asked is not None and error.failure in NOT_THERE:
                self._turns.failed(asked, error.message)
            raise
        if asked is not None:
            self._turns.worked(asked)
        return answer

    async def _answer(self, url: str, body: bytes | None, max_bytes: int) -> HttpAnswer:
        server = url.removeprefix("https://").partition("/")[0]
        try:
            answer = await self._part.ask(
                lambda call: HttpRequest(call, url, body, max_bytes), seconds=ANSWER_SECONDS, abandon=Abandon
            )
        except ChannelEndedError:
            raise HttpError("network_part_down", server) from None
        if isinstance(answer, HttpDone):
            if len(answer.body) > max_bytes:  # the network part itself is not trusted
                raise HttpError("too_large", server)
            return HttpAnswer(answer.status, answer.body)
        if isinstance(answer, HttpBroke):
            raise HttpError(answer.failure, answer.server, answer.detail)
        raise HttpError("wrong_answer", server)
