"""Where the server is looked for: what the commands are told, and what an administrator says."""

from functools import partial

import trio

from p2pdist.daemon.state import DaemonState
from p2pdist.identity.server_change import checked_address, store_address
from p2pdist.local_api.messages import SERVER, SET_SERVER
from p2pdist.local_api.server_answers import KnownServerAddress, ServerAnswer, ServerOrder
from p2pdist.local_api.socket import Handler, answers, carries_out
from p2pdist.origin.connection import ServerConnection
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.server_address import ServerAddress

log = lazy_log()


def server_handlers(state: DaemonState, origin: ServerConnection) -> list[Handler]:
    """Return the handlers of `p2pdist server` and `p2pdist server set`."""
    return [
        answers(SERVER, partial(answer_server, state, origin)),
        carries_out(SET_SERVER, partial(set_server, state, origin)),
    ]


def answer_server(state: DaemonState, origin: ServerConnection) -> ServerAnswer:
    """Return the answer to `p2pdist server`."""
    servers = state.servers
    shown = [
        KnownServerAddress(
            host=address.host,
            web_port=address.web_port,
            origin_port=address.origin_port,
            own=address == servers.own,
            used=origin.connected and address == servers.origin.current,
            problem=servers.origin.problems.get(address) or servers.web.problems.get(address),
        )
        for address in servers.origin.order
    ]
    return ServerAnswer(server=state.identity.server_name, server_connection=origin.status, addresses=shown)


async def set_server(state: DaemonState, origin: ServerConnection, order: ServerOrder) -> ServerAnswer:
    """Store another address of the server, and look there at once. Raises `UserError` (BAD_INPUT, STORAGE)."""
    known = state.servers.own
    address = checked_address(
        ServerAddress(order.host, order.web_port or known.web_port, order.origin_port or known.origin_port)
    )
    state.identity = await trio.to_thread.run_sync(store_address, state.identity, address)
    state.servers.set_own(address)
    log.info("the server is looked for at another address", address=str(address))
    origin.reconnect()
    return answer_server(state, origin)
