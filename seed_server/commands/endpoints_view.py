"""What `seed-server endpoints` shows: who is enrolled, where, and what is odd about whom."""

from collections.abc import Iterator

import click
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import print_json
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import ID_CELLS, NAME_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.endpoint_documents import endpoints_page_document
from seed_server.answers.fleet import EndpointDocument
from seed_server.answers.status_documents import endpoint_document
from seed_server.commands.paging import end_of_rows, next_page
from seed_server.commands.status_output import json_list_parts
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsPage, EndpointsQuestion, all_endpoints, read_endpoints
from seed_server.reporting.pc_words import CLAIM_HINT, SHARED_HINT, pc_doubts


def endpoint_table(page: EndpointsPage, now: float) -> RenderableType:
    """Return the table of a page of enrolled endpoints for people."""
    table = FactTable()
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("host"), least=NAME_CELLS)
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("address"), tr("state"))
    tagged = any(row.tags for row in page.rows)
    doubts = {row.endpoint_id: pc_doubts(row, page.namesakes.of(row)) for row in page.rows}
    doubtful = any(doubts.values())
    table.sentences(*([tr("tags")] if tagged else []), *([tr("note")] if doubtful else []))
    for row in page.rows:
        if row.pending:
            state = Text(tr("waits to be allowed"), style="yellow")
        elif row.denied:
            state = Text(tr("denied"), style="red")
        elif row.connected and page.serving:
            state = Text(tr("connected"), style="green")
        else:
            ago = span(max(0.0, now - row.last_seen_at))
            state = Text(tr("seen {duration} ago", duration=ago) if row.last_seen_at else tr("never seen"))
        tags = [" ".join(row.tags)] if tagged else []
        notes = [Text(doubts[row.endpoint_id], style="yellow")] if doubtful else []
        said = Text(tr("; ")).join(one for one in (*map(Text, tags), *notes) if one)
        host = printable(row.hostname)
        below = Text.assemble((f"{host} ({row.endpoint_id}): ", "bold"), said) if said else None
        table.row(row.endpoint_id, host, row.site, row.address, state, sentences=(*tags, *notes), below=below)
    return Group(table, *_hints(page))


def _hints(page: EndpointsPage) -> Iterator[Text]:
    if any(row.shared_with for row in page.rows):
        yield Text(in_words(SHARED_HINT), style="red")
    if any(row.claimed_site for row in page.rows):
        yield Text(in_words(CLAIM_HINT), style="yellow")


def show_endpoints(context: Context, question: EndpointsQuestion, *, as_json: bool) -> None:
    """Print enrolled endpoints: a page of them, or all as JSON. Raises `UserError`."""
    if as_json and not question.paged:
        for part in json_list_parts(_documents(context, question)):
            click.echo(part, nl=False)
        return
    page = read_endpoints(context, question)
    if as_json:
        print_json(endpoints_page_document(page))
    elif page.rows:
        following = _next_page(question, page.after) if page.after else ""
        shown = Group(endpoint_table(page, context.clock.now()), *end_of_rows(len(page.rows), page.total, following))
        wide_terminal().print(shown)
    elif question.narrowed or question.after:
        click.echo(tr("No PC answers to this."))
    else:
        click.echo(tr("No PC has enrolled yet. Make a token for one with 'seed-server token'."))


def _documents(context: Context, question: EndpointsQuestion) -> Iterator[EndpointDocument]:
    for row, connected, namesakes in all_endpoints(context, question):
        yield endpoint_document(row, namesakes, connected=connected)


def _next_page(question: EndpointsQuestion, after: str) -> str:
    words = ["seed-server", "endpoints"]
    words += ["--site", question.site] if question.site else []
    words += ["--state", question.state] if question.state else []
    words += ["--not-seen-days", str(question.not_seen_days)] if question.not_seen_days else []
    given = (
        ("--begins", question.begins), ("--tag", question.tag), ("--finding", question.finding),
        ("--patch", question.patch), ("--patch-state", question.patch_state),
    )  # fmt: skip
    words += [word for option, value in given if value for word in (option, value)]
    words += ["--lacking"] if question.lacking else []
    words += ["--sort", "seen"] if question.by_seen else []
    return next_page(words, size=question.size, after=after)
