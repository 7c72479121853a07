"""Shows what one site's line did, and what limits it: as a table, JSON, or a picture."""

from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text, rate_text
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.console import print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.site_documents import site_document
from seed_server.commands.paging import text_of
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.sites import read_site
from seed_server.reporting.line_documents import MOST_STRETCHES, history_document
from seed_server.reporting.line_history import LineHistory, read_line_history, stretches
from seed_server.reporting.line_pictures import line_picture
from seed_server.reporting.site_words import why_limited


def show_history(context: Context, site: str, hours: int, *, as_json: bool, file: Path | None) -> None:
    """Print what is asked for. Raises `UserError`."""
    history = read_line_history(context, text_of(site), hours)
    if file is not None:
        _write(file, line_picture(history))
        say(f"Written: {file}")
    if as_json:
        print_json(history_document(history))
    elif file is None:
        wide_terminal().print(_table(history))


def show_why(context: Context, site: str, *, as_json: bool) -> None:
    """Print what limits a site. Raises `UserError`."""
    found, now = read_site(context, text_of(site)), context.clock.now()
    if as_json:
        print_json(site_document(found.site, now))
        return
    click.echo(printable(why_limited(found.site.limit, now, serving=found.serving)))


def _write(path: Path, picture: str) -> None:
    if path.suffix.lower() != ".svg":
        raise UserError(
            f"{path} does not end in .svg. Name a file that does: no other form is drawn.", FaultKind.BAD_INPUT
        )
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"Cannot write {path}: {error.strerror}. Check the directory and the disk's free space.", FaultKind.STORAGE
        ) from error


def _table(history: LineHistory) -> Group:
    """Return what people read: the sums, and by what the site was limited last."""
    size, harm = bytes_text(history.sent), span(history.harm_seconds)
    head = tr(
        "{site}, the last {hours} hours: {size} sent; business suffered for {harm} while we sent.",
        site=printable(history.site), hours=history.hours, size=size, harm=harm,
    )  # fmt: skip
    parts: list[RenderableType] = [Text(head)]
    known, whole = history.known_seconds, len(history.points) * history.step_seconds
    if known < whole - 2 * history.step_seconds:
        parts.append(Text(tr("The server ran for {known} of it; of the rest, nothing is known.", known=span(known))))
    table = FactTable()
    table.column(tr("from"), tr("until"))
    table.column(tr("limit"), tr("held"), right=True)
    table.sentences(tr("because"))
    found = stretches(history, MOST_STRETCHES)
    for one in found:
        reason = Text(in_words(one.cause) or tr("not known"))
        table.row(
            utc_minute(one.begin),
            utc_minute(one.end),
            tr("not known") if one.limit is None else rate_text(BytesPerSecond(round(one.limit))),
            span(one.seconds),
            sentences=(reason,),
            below=Text.assemble((f"{utc_minute(one.begin)}: ", "bold"), reason),
        )
    parts.append(table if found else Text(tr("Nothing was to be sent there in this time.")))
    return Group(*parts)
