"""Sends one request of a webhook: once, to an address that was checked. The one file that imports httpx for webhooks.

The receiver may be hostile, and whoever set up the webhook too. So the name is looked up here, what it leads to is
checked, and the connection goes to that very address: a name that leads elsewhere the next moment changes nothing.
Redirects are not followed, no proxy is asked, and of an answer the status alone is of interest.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import trio

from seed_server.automation.webhook_addresses import may_lead_to
from seed_server.settings.addresses import IpNetwork

if TYPE_CHECKING:
    import httpx

POST_SECONDS = 20.0  # from the look-up of the name to the answer's status: Standard Webhooks recommends 15 to 30
ADDRESS_SECONDS = 6.0  # to connect to one of several addresses; then the next one is tried
MOST_ADDRESSES = 3  # of a name, that are tried
MOST_CAUSES = 10  # of an error, each of another layer
MAX_READ_BYTES = 16 << 10  # of an answer's body: then the connection is ended

Outcome: TypeAlias = Literal[
    "delivered", "refused", "redirected", "gone", "timeout", "unknown_name", "not_allowed", "unreachable",
    "certificate", "broken", "no_secret",
]  # fmt: skip
"""What an attempt came to: the closed list that people and programs read."""


class Answered(NamedTuple):
    """What came of a request."""

    outcome: Outcome
    status: int = 0
    """HTTP's; 0: there was no answer."""


@dataclass(frozen=True)
class WebhookSender:
    """How requests are sent: where to they may go, and whom is believed to be who they are."""

    allowed: Sequence[IpNetwork]
    """Networks that they may go to, besides the Internet."""
    tls: Callable[[], ssl.SSLContext]
    attempt_seconds: float = POST_SECONDS

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, lookups: trio.CapacityLimiter) -> Answered:
        """Send a request; ``lookups`` bounds the threads that look up names: a resolver may hang for long."""
        with trio.move_on_after(self.attempt_seconds):
            return await self._post(url, headers, body, lookups)
        return Answered("timeout")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, lookups: trio.CapacityLimiter) -> Answered:
        import httpx

        target = httpx.URL(url)
        try:
            found = await trio.to_thread.run_sync(
                _addresses, target.host, target.port or 0, abandon_on_cancel=True, limiter=lookups
            )
        except (OSError, UnicodeError):
            return Answered("unknown_name")
        right = [address for address in found if may_lead_to(ipaddress.ip_address(address), self.allowed)]
        if not right:
            return Answered("not_allowed" if found else "unknown_name")
        answered = Answered("unreachable")
        for address in right[:MOST_ADDRESSES]:
            answered = await self._post_to(address, target, headers, body)
            if answered.outcome != "unreachable":
                break
        return answered

    async def _post_to(
        self,
        address: str,
        target: "httpx.URL",
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answered:
        import httpx

        sent = {**headers, "Host": target.netloc.decode("ascii"), "Accept-Encoding": "identity"}
        status, read = 0, 0
        limits = httpx.Timeout(None, connect=ADDRESS_SECONDS)  # the whole attempt is bounded above
        tls = await trio.to_thread.run_sync(self.tls)
        transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)
        with trio.CancelScope() as reading:
            try:
                async with (
                    httpx.AsyncClient(transport=transport, trust_env=False, timeout=limits) as client,
                    client.stream(
                        "POST", target.copy_with(host=address), headers=sent, content=body,
                        extensions={"sni_hostname": target.host},
                    ) as answer,
                ):  # fmt: skip
                    status = answer.status_code
                    async for chunk in answer.aiter_raw():
                        read += len(chunk)
                        if read > MAX_READ_BYTES:
                            reading.cancel()  # to leave the loop here would leave httpx's generators open
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
                if not status:
                    return Answered(_failure(error))
        return Answered(_meaning(status), status)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for _, _, _, _, place in found))


def _meaning(status: int) -> Outcome:
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "redirected" if 300 <= status < 400 else "refused"


def _failure(error: Exception) -> Outcome:
    import httpx

    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "certificate"
        cause = None if cause is None else cause.__cause__ or cause.__context__
    return "unreachable" if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else "broken"
