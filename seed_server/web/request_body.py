"""The body of a request, whole and in time: for the API and for pages."""

import contextlib

import trio
from starlette.requests import ClientDisconnect, Request

from seed_server.web.api.problems import ApiProblemError


async def read_body(request: Request, most: int, *, seconds: float, too_long: str) -> bytes:
    """Return at most ``most`` bytes that come within ``seconds``.

    Raises `ApiProblemError`: ``too_long``, in the sentence that is given, malformed, took-too-long.
    """
    body = bytearray()
    with trio.move_on_after(seconds) as scope:
        try:
            async with contextlib.aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > most:
                        raise ApiProblemError("too-long", too_long)
        except ClientDisconnect:
            raise ApiProblemError("malformed", "The request broke off. Send it again.") from None
    if scope.cancelled_caught:
        raise ApiProblemError("took-too-long", "The request took too long to arrive.")
    return bytes(body)
