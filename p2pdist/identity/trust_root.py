"""Which TUF root a PC starts from when it enrols, and when that may be another than before.

The seed server hands it out, and whoever has taken that server over can make one of
his own. So the token carries the SHA-256 of the root, as it was when the token was
made; the operator can also give it to the PC by another way, such as its image.
"""

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.trust.http_answers import HttpGet
from p2pdist.trust.roots import MAX_ROOT_BYTES, check_root, check_successors, root_pin, root_version
from p2pdist.trust.store import ROOT_PATH, TrustError

MAX_ROOT_STEPS = 256  # as many rotations as tuf follows in one refresh


def agreed_pin(token_pin: bytes, own_pin: bytes | None) -> bytes:
    """Return the pin that the offered root must have: the token's. Raises `UserError` if this PC's own is another."""
    if own_pin is not None and own_pin != token_pin:
        raise UserError(
            f"The token is for a server whose trust root has the pin {token_pin.hex()}, this PC must have "
            f"{own_pin.hex()}: the token is another server's, or somebody has taken the server over. "
            "Ask the operator, by another way than the one on which the token came.",
            FaultKind.REFUSED,
        )
    return token_pin


def check_pinned(offered: bytes, pin: bytes, server: str) -> None:
    """Check that ``offered`` is whole and has this pin. Raises `UserError` (`TrustError` for what is no root)."""
    check_root(offered)
    if root_pin(offered) != pin:
        raise UserError(
            f"The server at {server} offers another trust root than the one that this token is for: it was set up "
            "anew since then, or somebody has taken it over. Ask the operator, and get a new token only if the pin "
            f"{root_pin(offered).hex()} is the one that 'seed-server init' printed.",
            FaultKind.REFUSED,
        )


async def successor_or_same(client: HttpGet, url: str, stored: bytes, offered: bytes, server: str) -> bytes:
    """Return ``stored`` if ``offered`` is the same or follows from it; the roots between come from the server.

    The stored one stays, as its trust floor does: a refresh walks from it to the newer one. Raises `UserError`
    (REFUSED) where ``offered`` does not follow, and `HttpError`.
    """
    if offered == stored:
        return stored
    try:
        versions = range(root_version(stored) + 1, root_version(offered))
        if not 0 <= len(versions) < MAX_ROOT_STEPS:
            raise TrustError("malformed", f"{len(versions)} roots between are too many")
        paths = (f"{url}{ROOT_PATH.format(version=version)}" for version in versions)
        between = [(await client.get(path, max_bytes=MAX_ROOT_BYTES)).body for path in paths]
        check_successors(stored, [*between, offered])
    except TrustError as error:
        raise UserError(
            f"The server at {server} offers another trust root than the one that this PC trusts, and it does not "
            "follow from that: it was set up anew, or somebody has taken it over. If the operator has confirmed the "
            f"root's pin {root_pin(offered).hex()}, add --new-root; what the PC knew of the old root is then left.",
            FaultKind.REFUSED,
        ) from error
    return stored
