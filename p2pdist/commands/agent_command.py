"""`p2pdist agent`: what a desktop's session starts, to tell its user what is to come."""

import click
import trio

from p2pdist.commands.options import ask, home_option
from p2pdist.local_api.messages import DEFER, NOTICES
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock


@click.command("agent")
@home_option
def agent_command(home: EndpointHome) -> None:
    """Tell this session's user before an installation that disturbs, and before a restart, with buttons.

    A desktop's session starts it by itself (p2pdist-agent.service). It shows nothing while nothing disturbs.
    """
    trio.run(_follow, home)


async def _follow(home: EndpointHome) -> None:
    from p2pdist.agent.desktop import open_desktop
    from p2pdist.agent.follower import Follower

    async with open_desktop() as desktop:
        if desktop.is_second:  # started by the desktop's session and by systemd: one is enough
            return
        follower = Follower(
            desktop, lambda: ask(home, NOTICES), lambda order: ask(home, DEFER, order), SystemClock().now
        )
        await follower.run()
