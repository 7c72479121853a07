"""Shows how large a part of PCs and patches is done, day by day."""

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import print_json
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.fleet.context import Context
from seed_server.reporting.compliance import Compliance, read_compliance
from seed_server.reporting.compliance_documents import compliance_document
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.words import day, percent_down


def show_compliance(context: Context, days: int, *, as_json: bool) -> None:
    """Print what is asked for. Raises `UserError`."""
    found = read_compliance(context, days, kev=kev_dates(context))
    if as_json:
        print_json(compliance_document(found))
    else:
        wide_terminal().print(_table(found))


def _table(found: Compliance) -> RenderableType:
    head = tr("{patches} patches that are offered, {pcs} PCs", patches=found.patches, pcs=found.fleet)
    table = FactTable()
    table.column(tr("day"))
    table.column(tr("of"), tr("done"), tr("share"), right=True)
    for one in found.rules:
        table.column(printable(one.rule.name), right=True)
    for place, row in enumerate(found.days):
        shares = (percent_down(one.days[place].share) for one in found.rules)
        # the end of a day is the beginning of the next one
        table.row(day(row.at - 1), f"{row.pairs:,}", f"{row.done:,}", percent_down(row.share), *shares)
    return Group(Text(head), table)
