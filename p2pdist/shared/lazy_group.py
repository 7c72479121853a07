"""A group of commands that loads the module of a command when it is asked for: each starts with its own alone.

The list of commands in a help text, and a shell that completes their names, need no more than the table.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from p2pdist.shared.language import in_words
from p2pdist.shared.loading import quick_loading


class LazyCommand(NamedTuple):
    """Where a command is, and what it is for."""

    place: str
    """``module:attribute``, in the package of the group."""
    short_help: str


class LazyCommands(MutableMapping[str, click.Command]):
    """Commands by name, each loaded when it is taken; names are known without."""

    def __init__(self, package: str, table: Mapping[str, LazyCommand]) -> None:
        self.table = dict(table)
        self._package = package
        self._loaded: dict[str, click.Command] = {}
        self._changes: list[Callable[[click.Command], object]] = []

    def change_each(self, change: Callable[[click.Command], object]) -> None:
        """Let ``change`` have each command: those that are loaded now, others when they are."""
        self._changes.append(change)
        for command in self._loaded.values():
            change(command)

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = self.table[name].place.partition(":")
            with quick_loading():
                command: click.Command = getattr(importlib.import_module(f"{self._package}.{module}"), attribute)
            command.short_help = self.table[name].short_help
            for change in self._changes:
                change(command)
            self._loaded[name] = command
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.table

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise TypeError("a command of this group has a row in its table")

    def __delitem__(self, name: str) -> None:
        raise TypeError("a command of this group has a row in its table")


class LazyGroup(click.Group):
    """A group whose ``commands`` are in modules of ``package``, and are loaded when they are asked for."""

    def __init__(self, *args: Any, package: str, commands: Mapping[str, LazyCommand], **others: Any) -> None:
        super().__init__(*args, **others)
        self.lazy = LazyCommands(package, commands)
        self.commands = self.lazy

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the table says of each command."""
        rows = [(name, in_words(self.lazy.table[name].short_help)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names of commands and options that begin so."""
        found = [
            CompletionItem(name, help=in_words(self.lazy.table[name].short_help))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
