"""What `seed-server endpoints unmanaged` prints: machines that are no enrolled PCs, for people and for programs."""

from collections.abc import Iterator

from rich.text import Text

from bandwidth.core.quantities import age_text
from p2pdist.shared.console import print_json
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.endpoint_documents import unmanaged_document
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.unmanaged import Unmanaged, read_unmanaged

MACHINES_OF_A_SCREEN = 40


def show_unmanaged(context: Context, site: str, *, as_json: bool) -> None:
    """Print them. Raises `UserError`."""
    found = read_unmanaged(context, site)
    if as_json:
        print_json(unmanaged_document(found))
        return
    if found.rows:
        wide_terminal().print(_table(found, context.clock.now()))
    for line in _notes(found):
        wide_terminal().print(Text(line))


def _table(found: Unmanaged, now: float) -> FactTable:
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("card"), tr("address"))
    table.column(tr("seen by"), right=True)
    table.column(tr("since"))
    table.column(tr("seen"), right=True)
    for row in found.rows[:MACHINES_OF_A_SCREEN]:
        ago = tr("{duration} ago", duration=in_words(age_text(max(0.0, now - row.last_at))))
        since = utc_minute(row.first_at).partition(" ")[0]
        table.row(printable(row.site), row.card, row.address, str(row.seen_by), since, ago)
    return table


def _notes(found: Unmanaged) -> Iterator[str]:
    left = len(found.rows) - MACHINES_OF_A_SCREEN
    if left > 0:
        yield tr("… and {number} more: see --json", number=f"{left}+" if found.more else left)
    tellers = found.tellers
    if not found.asked:
        yield tr(
            "PCs are not asked who is beside them: read docs/people.md, set unmanaged_neighbours = true in server.toml "
            "and restart serve."
        )
    if not tellers.telling:
        yield tr("None of {number} PCs has told who is beside it, so nothing is known.", number=tellers.allowed)
    elif not found.rows:
        yield tr("No other machine is seen; {number} of {all} PCs tell.", number=tellers.telling, all=tellers.allowed)
    elif tellers.telling < tellers.allowed:
        yield tr(
            "{number} of {all} PCs tell who is beside them; some of the others may be in this list.",
            number=tellers.telling,
            all=tellers.allowed,
        )
