"""The body of a request, whole and in time: for enrolment, the API and pages."""

import contextlib
from typing import Literal, TypeAlias

import trio
from starlette.requests import ClientDisconnect, Request

BodyFault: TypeAlias = Literal["too long", "broken off", "too late"]


class BodyError(Exception):
    """A body does not come whole, or not in time."""

    def __init__(self, fault: BodyFault) -> None:
        super().__init__(fault)
        self.fault = fault


async def whole_body(request: Request, most: int, *, seconds: float) -> bytes:
    """Return at most ``most`` bytes that come within ``seconds``. Raises `BodyError`."""
    body = bytearray()
    with trio.move_on_after(seconds) as scope:
        try:
            async with contextlib.aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > most:
                        raise BodyError("too long")
        except ClientDisconnect:
            raise BodyError("broken off") from None
    if scope.cancelled_caught:
        raise BodyError("too late")
    return bytes(body)
