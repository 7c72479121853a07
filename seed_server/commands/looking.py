"""Commands that only look: what they read may take a while, and the server whose state it is goes first."""

from typing import Any

import click


class LookingCommand(click.Command):
    """A command that changes nothing; nobody waits for what it holds, so it may be slow.

    In a process of its own, whose context object says how, it gives way before it looks.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Give way, and run it."""
        if ctx.obj is not None:
            ctx.obj()
        return super().invoke(ctx)
