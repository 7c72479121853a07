"""What the daemon is for this PC's users: their socket, as config.toml says, beside root's own."""

import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

from p2pdist.daemon.state import DaemonState
from p2pdist.local_api.polkit import Polkit
from p2pdist.local_api.rights import UsersGroup, UsersRights, sits_at_this_pc
from p2pdist.local_api.socket import Handler
from p2pdist.local_api.users_socket import UsersSocketError, serve_users_socket
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.lazy_log import lazy_log

log = lazy_log()


def users_path(home: EndpointHome, settings: DaemonSettings) -> Path | None:
    """Return where users ask this daemon; None: nowhere, as nobody may or nobody wants it."""
    if sys.platform != "linux" or not (settings.users_group or settings.users_seat):
        return None
    return Path(settings.users_socket) if settings.users_socket else home.users_socket


async def serve_users(
    home: EndpointHome, settings: DaemonSettings, state: DaemonState, handlers: Iterable[Handler], stack: AsyncExitStack
) -> None:
    """Answer users until ``stack`` is left. Where that cannot be, patches are installed all the same."""
    path, state.users_problem = users_path(home, settings), ""
    if path is None:
        return
    seat = sits_at_this_pc if settings.users_seat else None
    rights = UsersRights(UsersGroup(settings.users_group), seat, Polkit())
    try:
        await stack.enter_async_context(serve_users_socket(path, handlers, rights))
    except UsersSocketError as error:
        state.users_problem = str(error)
        log.warning("users are not answered", reason=str(error))
