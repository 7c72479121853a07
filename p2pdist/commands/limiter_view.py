"""The site's line as `p2pdist limiter` prints it: its rate, what limits it, and how long each reason held."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import rate_text
from p2pdist.local_api.delivery_answers import LimiterAnswer
from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.tables import FactTable


def line_view(answer: LimiterAnswer) -> RenderableType:
    """Show the line's rate, its reason and state, and the time under each reason."""
    head = Text.assemble(
        (f"{tr('site')} ", "dim"),
        answer.site or tr("not known yet"),
        (f"  {tr('server')} ", "dim"),
        in_words(answer.server_connection),
        (f"  {tr('profile')} ", "dim"),
        answer.profile or tr("none"),
    )
    line = answer.line
    if line is None:
        return Group(head, Text(tr("The server has sent nothing to this site since this PC connected.")))
    capacity = tr("not known yet")
    if line.capacity is not None:
        rate = rate_text(line.capacity)
        capacity = tr("{rate}, as configured", rate=rate) if line.configured else tr("{rate}, learned", rate=rate)
        if line.learned_seconds:
            capacity = tr("{rate}, learned {duration} ago", rate=rate, duration=span(line.learned_seconds))
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        (tr("rate"), rate_text(line.rate) if line.current else tr("nothing is sent to this site now")),
        (tr("because") if line.current else tr("it was last"), in_words(line.reason)),
        (tr("state"), in_words(line.state)),
        (tr("line"), capacity),
        (tr("yielded"), tr("{duration} in all", duration=span(line.yield_seconds))),
    ):
        facts.add_row(Text(name, style="dim"), value)
    table = FactTable()
    table.column(tr("time"), right=True)
    table.sentences(tr("reason"))
    for cause, seconds in sorted(line.seconds.items(), key=lambda item: -item[1]):
        table.row(span(seconds), sentences=[in_words(cause)])
    return Group(head, facts, "", table)
