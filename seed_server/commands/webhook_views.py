"""Webhooks and their deliveries as tables for people and documents for tools."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from seed_server.automation.webhook_queries import DeliveryView, WebhookView
from seed_server.automation.webhook_words import outcome_words
from seed_server.commands.texts import utc_minute

_STYLES = {"active": "green", "sent": "green", "waiting": "yellow", "unsure": "yellow", "dead": "red", "gone": "red"}


def webhooks_table(webhooks: Sequence[WebhookView]) -> RenderableType:
    """Return the table of webhooks."""
    words = {"active": tr("active"), "paused": tr("paused"), "gone": tr("gone")}
    table = FactTable()
    table.column(tr("webhook"), least=NAME_CELLS, folds=True)
    table.column(tr("state"))
    table.column(tr("waiting"), tr("dead"), right=True)
    table.column(tr("last success"))
    table.sentences(tr("events"), tr("address"))
    for one in webhooks:
        row, state = one.webhook, one.webhook.stopped or "active"
        said = (", ".join(row.events), printable(row.url))
        table.row(
            row.name,
            Text(words[state], style=_STYLES.get(state, "dim")),
            f"{one.counts.waiting + one.counts.unsure:,}",
            f"{one.counts.dead:,}",
            utc_minute(row.succeeded_at) if row.succeeded_at else tr("never"),
            sentences=said,
            below=Text.assemble((f"{row.name}: ", "bold"), tr("; ").join(said)),
        )
    return table


def webhook_lines(one: WebhookView) -> list[str]:
    """Return what there is to say of one webhook."""
    row = one.webhook
    state = {
        "": tr("It is sent what happens."),
        "paused": tr("It is paused: what happens is kept for it. To go on: seed-server webhook resume {name}",
                     name=row.name),
        "gone": tr("Its receiver has said that it is gone (410). When it is back: seed-server webhook resume {name}",
                   name=row.name),
    }[row.stopped]  # fmt: skip
    lines = [
        f"{row.name}: {printable(row.url)}",
        state,
        tr("Events: {events}", events=", ".join(row.events)),
        tr("Set up by {who}, {time}", who=printable(row.created_by), time=utc_minute(row.created_at)),
        tr(
            "Waiting: {waiting}, sent: {sent}, dead: {dead}",
            waiting=one.counts.waiting + one.counts.unsure,
            sent=one.counts.sent,
            dead=one.counts.dead,
        ),
    ]
    if row.succeeded_at:
        lines.append(tr("Its receiver last took something {time}.", time=utc_minute(row.succeeded_at)))
    if row.failing_since:
        lines.append(tr("Every attempt has failed since {time}.", time=utc_minute(row.failing_since)))
    if row.former_secret:
        lines.append(tr("Its former secret signs too, until {time}.", time=utc_minute(row.former_until)))
    if one.behind > 1:
        lines.append(tr("{number} entries of the audit log are not looked at for it yet.", number=one.behind))
    return lines


def deliveries_table(deliveries: Sequence[DeliveryView]) -> RenderableType:
    """Return the table of deliveries."""
    table = FactTable()
    table.column(tr("delivery"), right=True)
    table.column(tr("webhook"), tr("event"), least=NAME_CELLS, folds=True)
    table.column(tr("happened"), tr("state"))
    table.column(tr("attempts"), right=True)
    table.sentences(tr("last attempt"))
    for one in deliveries:
        row = one.delivery
        said = outcome_words(row)
        table.row(
            str(row.number),
            one.webhook,
            row.type,
            utc_minute(row.at),
            Text(_state_words(row.state), style=_STYLES[row.state]),
            str(row.attempts),
            sentences=[said],
            below=Text.assemble((f"{row.number}: ", "bold"), said) if said else None,
        )
    return table


def _state_words(state: str) -> str:
    return {"unsure": tr("not sure yet"), "waiting": tr("waiting"), "sent": tr("taken"), "dead": tr("dead")}[state]
