"""Prints `seed-server status`: a screen, a JSON document, or lines of JSON, none of which is ever held as a whole."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from p2pdist.shared.console import json_text, print_json
from p2pdist.shared.watching import WATCH_SECONDS, show
from seed_server.answers.standing_documents import standing_document, standing_page_document
from seed_server.answers.status_documents import endpoint_documents, patch_document, status_document
from seed_server.commands.status_view import status_view
from seed_server.fleet.context import Context
from seed_server.fleet.overview import patches_asked
from seed_server.fleet.queries import each_patch, read_status
from seed_server.fleet.standing import StatusQuestion, all_standing, read_page
from seed_server.fleet.status import read_screen


def show_status(context: Context, question: StatusQuestion, *, as_json: bool, as_lines: bool, watch: bool) -> None:
    """Print the fleet's state, once or repeatedly until Ctrl-C. Raises `UserError`."""
    if as_lines:
        for row in all_standing(context, question):
            click.echo(json_text(standing_document(row), indent=None))
    elif as_json:
        with contextlib.suppress(KeyboardInterrupt) if watch else contextlib.nullcontext():
            _print_documents(context, question, watch=watch)
    else:
        show(
            lambda: read_screen(context, question),
            lambda _: None,
            lambda screen, columns: status_view(screen, columns, context.clock.now()),
            as_json=False,
            watch=watch,
        )


def _print_documents(context: Context, question: StatusQuestion, *, watch: bool) -> None:
    while True:
        if question.paged:
            print_json(standing_page_document(*read_page(context, question)))
        else:
            for part in status_parts(context, question.patch):
                click.echo(part, nl=False)
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


def status_parts(context: Context, asked: str = "") -> Iterator[str]:
    """Yield the parts of the document of the whole fleet, or of the patches that are ``asked`` for.

    The reports of one patch are held at a time. Raises `UserError`.
    """
    status = read_status(context)
    shown = replace(status, patches=patches_asked(context, status, asked)) if asked else status
    lists = {
        "patches": (patch_document(one, patch) for one, patch in each_patch(context, shown)),
        "endpoints": endpoint_documents(status),
    }
    yield from json_parts(status_document(replace(shown, patches=[], endpoints=[])), lists)


def json_parts(document: Any, lists: Mapping[str, Iterable[Any]]) -> Iterator[str]:
    """Yield the parts of a JSON document as `print_json` prints it, whose ``lists`` are not held as a whole.

    In ``document`` these lists are empty.
    """
    for line in json_text(document).split("\n"):
        name = next((one for one in lists if line.startswith(f'  "{one}": []')), None)
        if name is None:
            yield f"{line}\n"
            continue
        yield f'  "{name}": '
        yield from _list_parts(lists[name], "  ")
        yield line.removeprefix(f'  "{name}": []') + "\n"


def json_list_parts(items: Iterable[Any]) -> Iterator[str]:
    """Yield the parts of a list as `print_json` prints it, which is not held as a whole."""
    yield from _list_parts(items, "")
    yield "\n"


def _list_parts(items: Iterable[Any], indent: str) -> Iterator[str]:
    begin = "["
    for item in items:
        text = json_text(item).replace("\n", f"\n{indent}  ")
        yield f"{begin}\n{indent}  {text}"
        begin = ","
    yield "[]" if begin == "[" else f"\n{indent}]"
