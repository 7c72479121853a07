"""What waits for approval: as a table."""

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from seed_server.commands.texts import utc_minute
from seed_server.fleet.approval_queries import ApprovalsLook, WantedApproval


def approvals_view(look: ApprovalsLook) -> RenderableType:
    """Return what waits for approval, for a terminal; what the reader can approve comes first."""
    if not look.wanted:
        return Text(tr("Nothing waits for approval."))
    table = FactTable()
    table.column(tr("rollout"), tr("patch"), least=NAME_CELLS, folds=True)
    table.column(tr("ring"), tr("approved"), tr("since"))
    table.sentences(tr("who"))
    for one in look.wanted:
        kept, who = one.kept, who_words(one)
        below = Text.assemble((f"{kept.row.number}: ", "bold"), who)
        counts = tr("{number} of {wanted}", number=one.has, wanted=one.wanted)
        style = "yellow" if one.waits else ""
        table.row(
            str(kept.row.number), printable(str(kept.plan.ref)), Text(printable(one.ring), style=style), counts,
            utc_minute(one.since) if one.waits else tr("later"), sentences=[who], below=below,
        )  # fmt: skip
    return Group(table)


def who_words(one: WantedApproval) -> str:
    """Return who could give what is lacking, and what the reader can do."""
    if one.is_mine:
        command = f"seed-server rollout approve {one.kept.row.number}" + (" --key FILE" if one.by_signature else "")
        return tr("You can: {command}", command=command)
    mine = tr("You have approved it.") if one.given else in_words(printable(one.refusal))
    if not one.could:
        return tr("{sentence} No account here could.", sentence=mine)
    names = ", ".join(map(printable, one.could))
    return tr("{sentence} These could: {names}.", sentence=mine, names=names)
