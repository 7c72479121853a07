"""The site's line as `p2pdist limiter` prints it: its rate, what limits it, and how long each reason held."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import duration_text, rate_text
from p2pdist.local_api.delivery_answers import LimiterAnswer


def line_view(answer: LimiterAnswer) -> RenderableType:
    """Show the line's rate, its reason and state, and the time under each reason."""
    head = Text.assemble(
        ("site ", "dim"),
        answer.site or "not known yet",
        ("  server ", "dim"),
        answer.server_connection,
        ("  profile ", "dim"),
        answer.profile or "none",
    )
    line = answer.line
    if line is None:
        return Group(head, Text("The server has sent nothing to this site since this PC connected."))
    capacity = "not known yet"
    if line.capacity is not None:
        capacity = rate_text(line.capacity) + (", as configured" if line.configured else ", learned")
        if line.learned_seconds:
            capacity += f" {duration_text(line.learned_seconds)} ago"
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("rate", rate_text(line.rate)),
        ("because", line.reason),
        ("state", line.state),
        ("line", capacity),
        ("yielded", f"{duration_text(line.yield_seconds)} in all"),
    ):
        facts.add_row(Text(name, style="dim"), value)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("time", justify="right")
    table.add_column("reason")
    for cause, seconds in sorted(line.seconds.items(), key=lambda item: -item[1]):
        table.add_row(duration_text(seconds), cause)
    return Group(head, facts, "", table)
