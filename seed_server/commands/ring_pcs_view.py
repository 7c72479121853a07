"""The PCs behind the numbers of a rollout: as a table."""

from collections.abc import Mapping
from types import MappingProxyType

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import ID_CELLS, NAME_CELLS, SITE_CELLS, FactTable
from seed_server.commands.paging import end_of_rows, next_page
from seed_server.commands.texts import utc_minute
from seed_server.fleet.ring_counts import PcOutcome
from seed_server.fleet.ring_pcs import RingPcsPage, RingPcsQuestion

_STYLES: Mapping[PcOutcome, str] = MappingProxyType(
    {PcOutcome.INSTALLED: "green", PcOutcome.FAILED: "red", PcOutcome.ROLLED_BACK: "red"}
)


def ring_pcs_view(page: RingPcsPage, question: RingPcsQuestion) -> RenderableType:
    """Return a page of a rollout's PCs, for a terminal, with the command for the next one."""
    if not page.rows:
        return Text(tr("No PC of rollout {number} is like that.", number=question.rollout))
    table = FactTable()
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("host"), least=NAME_CELLS)
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("ring"), tr("state"), tr("seen"))
    reasons = any(one.pc.reasons for one in page.rows)
    table.sentences(*([tr("because")] if reasons else []))
    for one in page.rows:
        pc, name = one.pc, printable(one.pc.hostname) or one.pc.endpoint_id
        because = tr("; ").join(in_words(printable(reason)) for reason in pc.reasons)
        state = Text(in_words(one.outcome.name.lower().replace("_", " ")), style=_STYLES.get(one.outcome, ""))
        seen = tr("now") if pc.connected else utc_minute(pc.last_seen_at) if pc.last_seen_at else tr("never")
        table.row(
            pc.endpoint_id, printable(pc.hostname), printable(pc.site), printable(one.ring) or "–", state, seen,
            sentences=(because,) if reasons else (),
            below=Text.assemble((f"{name}: ", "bold"), because) if because else None,
        )  # fmt: skip
    return Group(table, *end_of_rows(len(page.rows), page.total, _following(page, question)))


def _following(page: RingPcsPage, question: RingPcsQuestion) -> str:
    if not page.after:
        return ""
    command = ["seed-server", "rollout", "pcs", str(question.rollout)]
    command += ["--ring", question.ring] if question.ring else []
    command += ["--which", question.which] if question.which else []
    return next_page(command, size=question.size, after=page.after)
