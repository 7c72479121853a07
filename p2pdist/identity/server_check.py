"""Whether this PC's own server answers at an address, before the PC is told to look for it there."""

import trio

from p2pdist.identity.store import Identity, control_ssl_context
from p2pdist.origin.opening import ConnectionLostError, OriginAddress, cause, open_first
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import ServerAddress
from p2pdist.trust.http_answers import HttpError
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.tls_contexts import trusting_context

MAX_HEALTH_BYTES = 64 << 10  # the answer is a few words
CONNECT_SECONDS = 10.0


async def check_answers(identity: Identity, address: ServerAddress, local_address: str | None) -> None:
    """Connect to both ports at ``address`` as the daemon would.

    Raises `UserError`: UNREACHABLE or REFUSED where this PC's own server does not answer there.
    """
    async with HttpsClient(trusting_context(identity.control_ca), local_address=local_address) as client:
        try:
            await client.get(f"{address.url}/v1/health", max_bytes=MAX_HEALTH_BYTES)
        except HttpError as error:
            raise _not_there(error.message, error.kind) from error
    tls = await trio.to_thread.run_sync(control_ssl_context, identity)
    origin = OriginAddress(address.host, address.origin_port, tls, local_address)
    host, port = address.host, address.origin_port
    try:
        stream = await open_first(origin, CONNECT_SECONDS)
    except ConnectionLostError as error:
        words = cause(error)
        raise _not_there(
            f"At {host}, whoever answers on port {port} (origin) does not speak as this PC's seed server: {words}.",
            FaultKind.REFUSED,
        ) from error
    except trio.TooSlowError as error:
        why = f"At {host}, nobody answers on port {port} (origin)."
        raise _not_there(why, FaultKind.UNREACHABLE) from error
    except OSError as error:
        why = f"At {host}, port {port} (origin) cannot be reached: {cause(error)}."
        raise _not_there(why, FaultKind.UNREACHABLE) from error
    await trio.aclose_forcefully(stream.transport_stream)


def _not_there(why: str, kind: FaultKind) -> UserError:
    return UserError(
        f"{why} Nothing was changed. If the server cannot be reached from here now and the address is right, add "
        "--force.",
        kind,
    )
