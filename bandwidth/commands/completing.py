"""What shells complete for a FILE: files, and the shipped profiles that stand for one."""

import click
from click.shell_completion import CompletionItem

from bandwidth.profiles.shipped import NAMES


def profile_files(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the shipped profiles whose names begin so; a shell looks for files where there is none."""
    shipped = [CompletionItem(name) for name in NAMES if name.startswith(typed)]
    return [CompletionItem(typed, type="file"), *shipped]
