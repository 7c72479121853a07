"""Prints `seed-server status`: a screen, a JSON document, or lines of JSON, none of which is ever held as a whole."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from p2pdist.shared.console import json_text, print_json
from p2pdist.shared.watching import WATCH_SECONDS, show
from seed_server.answers.standing import StandingDocument, StandingPageDocument
from seed_server.commands.status_document import endpoint_documents, patch_document, status_document
from seed_server.commands.status_view import status_view
from seed_server.fleet.context import Context
from seed_server.fleet.overview import patches_asked
from seed_server.fleet.queries import each_patch, read_status
from seed_server.fleet.standing import PatchOnPc, StatusQuestion, all_standing, read_page
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
            print_json(page_document(context, question))
        else:
            for part in status_parts(context, question.patch):
                click.echo(part, nl=False)
        if not watch:
            return
        time.sleep(WATCH_SECONDS)


def page_document(context: Context, question: StatusQuestion) -> StandingPageDocument:
    """Return a page of PCs. Raises `UserError`."""
    head, page = read_page(context, question)
    return StandingPageDocument(
        server=head.server_name,
        serving=head.serving,
        total=page.total,
        rows=tuple(map(standing_document, page.rows)),
        next=page.after or None,
    )


def standing_document(row: PatchOnPc) -> StandingDocument:
    """Return what is printed of one PC and one patch."""
    pc = row.pc
    return StandingDocument(
        patch=row.patch.patch_id,
        version=row.patch.version,
        id=pc.endpoint_id,
        hostname=pc.hostname,
        site=pc.site or None,
        connected=pc.connected,
        last_seen_at=pc.last_seen_at or None,
        reached=row.reached.name.lower(),  # type: ignore[arg-type]  # its names are those of the document
        state=pc.state or None,
        progress=pc.progress,
        bytes_from_origin=pc.bytes_from_origin,
        bytes_from_peers=pc.bytes_from_peers,
        bytes_wasted=pc.bytes_wasted,
        seconds=pc.seconds,
        error=pc.error or None,
        install=pc.install or None,
        install_reason=pc.install_reason or None,
        install_output=pc.install_output or None,
        reported_at=pc.reported_at if pc.said else None,
    )


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
