"""What a shell completes beside words of the command line itself: names that are known here.

A shell that waits, or prints an error into a half-typed line, is worse than one that knows nothing: what is not found
within `MOST_SECONDS`, and what cannot be read, is not completed. Names may come from strangers, and a shell would obey
some of them.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

import click
from click.shell_completion import CompletionItem

from p2pdist.shared.printable_text import printable

MOST_COMPLETIONS = 200  # a shell asks before it shows more
MOST_SECONDS = 1.5
MOST_HELP_CHARS = 60
HARMLESS = re.compile(r"[\w.,@%+=/][\w.,:@%+=/-]*")  # a shell takes it as it is, and no option begins so

Named: TypeAlias = tuple[str, str]
"""A name, and what a shell may show beside it."""
Find: TypeAlias = Callable[[click.Context, str], Iterable[Named]]
Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completed_by(find: Find, *, or_files: bool = False, most_seconds: float = MOST_SECONDS) -> Complete:
    """Return what `shell_complete` wants: the names that ``find`` knows for what is typed, if it comes to an end.

    With ``or_files``, files where there is no such name.
    """

    def complete(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []

        def look() -> None:
            try:
                named = [row for row in find(context, typed) if row[0].startswith(typed) and HARMLESS.fullmatch(row[0])]
            except Exception:  # noqa: BLE001 - whatever it is, a shell has no place to say it
                return
            found.extend(CompletionItem(name, help=_beside(text)) for name, text in named[:MOST_COMPLETIONS])

        _within_time(look, most_seconds)
        return [*([CompletionItem(typed, type="file")] if or_files else []), *found]

    return complete


def _within_time(look: Callable[[], None], seconds: float) -> None:
    import trio  # other commands need not wait for it

    async def wait() -> None:
        with trio.move_on_after(seconds):
            await trio.to_thread.run_sync(look, abandon_on_cancel=True)

    trio.run(wait)


def _beside(text: str) -> str | None:
    line = " ".join(printable(text).split())
    return line[:MOST_HELP_CHARS] or None
