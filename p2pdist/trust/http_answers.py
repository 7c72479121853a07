"""What the seed server's web port answers, or why it does not, and who can be asked: types without a library.

The daemon itself asks through its network part; the enrolling command line asks by `https_client`.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from p2pdist.shared.errors import FaultKind, UserError

MAX_HTTP_DETAIL_CHARS = 400  # OpenSSL's words on a certificate

HttpFailure = Literal[
    "port_closed",
    "no_answer",
    "too_slow",
    "too_large",
    "large_packets_lost",
    "certificate_not_yet_valid",
    "certificate_expired",
    "certificate_wrong_name",
    "certificate_untrusted",
    "wrong_answer",
    "network_part_down",
]

JUDGED_BY_CLOCK: frozenset[HttpFailure] = frozenset({"certificate_not_yet_valid", "certificate_expired"})
"""Failures that say as much of this PC's clock as of the server."""


class HttpError(UserError):
    """The web port gave no complete answer; ``failure`` says why."""

    def __init__(self, failure: HttpFailure, server: str, detail: str = "") -> None:
        super().__init__(_text(failure, server, detail), _FAULTS.get(failure, FaultKind.UNREACHABLE))
        self.failure: HttpFailure = failure
        self.server = server
        self.detail = detail


_FAULTS: dict[HttpFailure, FaultKind] = {
    "certificate_not_yet_valid": FaultKind.REFUSED,
    "certificate_expired": FaultKind.REFUSED,
    "certificate_wrong_name": FaultKind.REFUSED,
    "certificate_untrusted": FaultKind.REFUSED,
    "wrong_answer": FaultKind.REFUSED,
    "too_large": FaultKind.REFUSED,
    "network_part_down": FaultKind.FAILED,
}


def _text(failure: HttpFailure, server: str, detail: str) -> str:
    texts: dict[HttpFailure, str] = {
        "port_closed": f"Nothing listens on {server}. Start 'seed-server serve' there, or check the web port.",
        "no_answer": f"The seed server at {server} does not answer. Check its address, the network and its firewall.",
        "too_slow": f"The seed server at {server} answers too slowly. Check the line and the server's load.",
        "large_packets_lost": (
            f"Full packets from the seed server at {server} do not arrive here: a link on the way has a smaller MTU, "
            "and what its router says about that is dropped. Let ICMP 'fragmentation needed' through there, set the "
            "MTU of the server's or this PC's network to the link's, or set net.ipv4.tcp_mtu_probing = 1 on the server."
        ),
        "too_large": f"The seed server at {server} sent more than such an answer can hold. Check what runs there.",
        "certificate_not_yet_valid": (
            f"The certificate of the seed server at {server} is not yet valid. Check this PC's clock first."
        ),
        "certificate_expired": (
            f"The certificate of the seed server at {server} has expired. Check this PC's clock, then the server."
        ),
        "certificate_wrong_name": (
            f"The certificate of the seed server at {server} is for another address. If it has moved there, its "
            "operator runs 'seed-server move --to' that address; else check the address."
        ),
        "certificate_untrusted": (
            f"Whoever answers at {server} is not this PC's seed server: its certificate is from another authority. "
            "Check the address; if the server was set up anew, enrol this PC again."
        ),
        "network_part_down": (
            "The part of the daemon that speaks with the network is not running. It is started again by itself; "
            "'p2pdist status' says why."
        ),
        "wrong_answer": f"What runs at {server} does not answer like a seed server. Check the web port.",
    }
    return f"{texts[failure]} ({detail})" if detail else texts[failure]


@dataclass(frozen=True)
class HttpAnswer:
    """A complete answer."""

    status: int
    body: bytes
    date: str = field(default="", compare=False)
    """What the server says the time is, as HTTP writes it, unproven; empty: it does not, or nobody looked."""


class HttpGet(Protocol):
    """Something that reads from the web port."""

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a GET, of at most ``max_bytes``. Raises `HttpError`."""
        ...


class Http(HttpGet, Protocol):
    """Something that also asks: `https_client.HttpsClient`, or the daemon's network part."""

    async def post(self, url: str, body: bytes, *, max_bytes: int) -> HttpAnswer:
        """Return the answer to a POST of a JSON ``body``. Raises `HttpError`."""
        ...


def base_url(address: str, port: int) -> str:
    """Return ``https://ADDRESS:PORT``, an IPv6 address in brackets."""
    try:
        bracketed = ipaddress.ip_address(address).version == 6
    except ValueError:
        bracketed = False
    return f"https://[{address}]:{port}" if bracketed else f"https://{address}:{port}"
