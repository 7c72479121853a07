"""A group of commands that needs no command: it then runs its default one."""

import click


class DefaultGroup(click.Group):
    """A group that runs its command ``default`` when no other one is named."""

    default = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the default command where none is named, and no help of the group is asked for."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        return super().parse_args(ctx, args)
