"""What `seed-server endpoints forget` does and prints."""

from typing import NamedTuple

import click

from p2pdist.shared.console import print_json, say
from p2pdist.shared.language import span, tr, trn
from p2pdist.shared.printable_text import printable
from seed_server.answers.endpoint_documents import forgotten_document
from seed_server.fleet import endpoint_operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsQuestion
from seed_server.fleet.names import named_endpoint
from seed_server.store.rows import EndpointRow


class Forgetting(NamedTuple):
    """Whom to forget."""

    named: tuple[str, ...]
    not_seen_days: int | None
    site: str
    dry_run: bool
    even_many: bool


def forget(context: Context, actor: Actor, asked: Forgetting, *, as_json: bool) -> None:
    """Forget PCs, and print each. Raises `UserError`, before anything changes where it names PCs that are none."""

    def told(row: EndpointRow) -> None:
        if not as_json:
            say(_words(row, context.clock.now(), dry_run=asked.dry_run))

    if asked.named:
        found = _by_name(context, actor, asked)
        for row in found:
            told(row)
    else:
        question = EndpointsQuestion(asked.site, not_seen_days=asked.not_seen_days, by_seen=True)
        found = endpoint_operations.forget_unseen(
            context, actor, question, only_show=asked.dry_run, even_many=asked.even_many, on_forgotten=told
        )
    if as_json:
        print_json([forgotten_document(row, forgotten=not asked.dry_run) for row in found])
    elif not found:
        click.echo(tr("No PC was unseen for so long."))
    elif asked.dry_run:
        click.echo(trn("{number} PC would be forgotten.", "{number} PCs would be forgotten.", len(found)))
    elif len(found) > 1:
        click.echo(trn("{number} PC is forgotten.", "{number} PCs are forgotten.", len(found)))


def _by_name(context: Context, actor: Actor, asked: Forgetting) -> list[EndpointRow]:
    rows = {row.endpoint_id: row for row in [named_endpoint(context, one) for one in asked.named]}  # all, or none
    if asked.dry_run:
        return list(rows.values())
    return [endpoint_operations.forget_endpoint(context, actor, endpoint_id) for endpoint_id in rows]


def _words(row: EndpointRow, now: float, *, dry_run: bool) -> str:
    names = {"host": printable(row.hostname), "endpoint": row.endpoint_id}
    if not dry_run:
        return tr("{host} ({endpoint}) is forgotten.", **names)
    if not row.last_seen_at:
        return tr("{host} ({endpoint}): never seen", **names)
    return tr("{host} ({endpoint}): seen {duration} ago", duration=span(max(0.0, now - row.last_seen_at)), **names)
