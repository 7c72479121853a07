"""What `seed-server template show` shows: which PCs need what, by what they have answered."""

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import ID_CELLS, NAME_CELLS, SITE_CELLS, FactTable
from seed_server.answers.signed_documents import template_item_document
from seed_server.fleet.queries import Findings

MAX_ENDPOINT_ROWS = 200  # of a table for people; --json has all


def findings_tables(findings: Findings, *, most_rows: int = MAX_ENDPOINT_ROWS) -> RenderableType:
    """Return the tables for people: items × counts, then the PCs that need something, with reasons."""
    template, answered = findings.template, findings.by_endpoint
    items = FactTable()
    items.column(tr("item"), least=NAME_CELLS, folds=True)
    items.column(tr("needed"), tr("not needed"), tr("not asked"), tr("no answer"), right=True)
    for item in template.items:
        one = template_item_document(findings, item.label)
        counts = (one.needed, one.not_needed, one.not_applicable, one.unanswered)
        items.row(Text(item.label), *(Text(str(count)) for count in counts))
    needing = FactTable()
    needing.column(tr("host"), least=NAME_CELLS)
    needing.column(tr("endpoint"), least=ID_CELLS)
    needing.column(tr("site"), least=SITE_CELLS)
    needing.column(tr("needs"), least=NAME_CELLS, folds=True)
    needing.sentences(tr("because"))
    pairs = [(pc, row) for pc in findings.endpoints for row in answered.get(pc.endpoint_id, []) if row.needed]
    for pc, row in pairs[:most_rows]:
        host, label, reason = printable(pc.hostname), printable(row.label), in_words(printable(row.reason))
        below = Text.assemble((f"{host}, {label}: ", "bold"), reason) if reason else None
        needing.row(host, pc.endpoint_id, pc.site, label, sentences=[reason], below=below)
    parts: list[RenderableType] = [Text(f"{template.name}: {template.title}", style="bold"), items]
    if pairs:
        parts += ["", needing]
    elif answered:
        words = tr("none of the {answered} PCs that have answered needs any of it", answered=len(answered))
        parts.append(Text(words, style="dim"))
    if len(pairs) > most_rows:
        words = tr("… and {number} more: see --json", number=len(pairs) - most_rows)
        parts.append(Text(words, style="dim"))
    return Group(*parts)
