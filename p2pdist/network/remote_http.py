"""HTTPS to the seed server's web port, which the network part speaks."""

from p2pdist.network.messages import Abandon, HttpBroke, HttpDone, HttpRequest
from p2pdist.network.process import NetworkPart
from p2pdist.shared.channel import ChannelEndedError
from p2pdist.trust.http_answers import HttpAnswer, HttpError

ANSWER_SECONDS = 400.0  # over the client's own total deadline, which says more about what went wrong


class RemoteHttp:
    """An `Http`."""

    def __init__(self, part: NetworkPart, server: str) -> None:
        """``server``: its address and port, for people."""
        self._part = part
        self._server = server

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a GET, of at most ``max_bytes``. Raises `HttpError`."""
        return await self._request(url, None, max_bytes)

    async def post(self, url: str, body: bytes, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a POST of a JSON ``body``. Raises `HttpError`."""
        return await self._request(url, body, max_bytes)

    async def _request(self, url: str, body: bytes | None, max_bytes: int) -> HttpAnswer:
        try:
            answer = await self._part.ask(
                lambda call: HttpRequest(call, url, body, max_bytes), seconds=ANSWER_SECONDS, abandon=Abandon
            )
        except ChannelEndedError:
            raise HttpError("network_part_down", self._server) from None
        if isinstance(answer, HttpDone):
            if len(answer.body) > max_bytes:  # the network part itself is not trusted
                raise HttpError("too_large", self._server)
            return HttpAnswer(answer.status, answer.body)
        if isinstance(answer, HttpBroke):
            raise HttpError(answer.failure, answer.server, answer.detail)
        raise HttpError("wrong_answer", self._server)
