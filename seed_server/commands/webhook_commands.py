"""`seed-server webhook`: tell other programs what happens here."""

from pathlib import Path

import click
import trio

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.console import ExitCode, json_option, print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from p2pdist.shared.terminal import wide_terminal
from seed_server.automation import webhook_documents, webhook_operations, webhook_queries
from seed_server.automation.event_types import EVENT_TYPES
from seed_server.automation.webhook_documents import RedeliveredDocument, WebhookDeliveriesDocument, WebhookNameDocument
from seed_server.automation.webhook_operations import WebhookMade
from seed_server.automation.webhook_queries import MOST_DELIVERIES, DeliveryView
from seed_server.automation.webhook_words import outcome_words
from seed_server.commands import webhook_views
from seed_server.commands.completing import event_types, webhook_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_needing
from seed_server.fleet.context import Context
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.store.serve_lock import is_serving
from seed_server.store.webhook_records import DELIVERY_STATES

MAX_SECRET_FILE_BYTES = 200
TRIAL_SECONDS = 30.0  # an attempt takes 20 at most, and a running server looks every second
TRIAL_LOOK_SECONDS = 0.2

_home_option = home_needing("webhooks", WHOLE_FLEET)
_name_argument = click.argument("name", metavar="NAME", shell_complete=webhook_names)
_secret_option = click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A secret that the receiver has already, whsec_…; by default the server makes one.",
)


@click.group("webhook")
def webhook_group() -> None:
    """Tell other programs what happens here, to patches, rollouts, approvals, PCs and people, by Standard Webhooks.

    \b
    Examples:
      seed-server webhook add https://chat.example.com/hooks/7 --name chat --events rollout --events approval.needed
      seed-server webhook test chat
      seed-server webhook dead
    """


@webhook_group.command("add", short_help="Set up a webhook; print its secret.")
@_home_option
@click.argument("url", metavar="URL")
@click.option("--name", required=True, metavar="NAME", help="What to call it here.")
@click.option(
    "--events",
    multiple=True,
    required=True,
    metavar="TYPE",
    help=f"What it is sent: a type such as {next(iter(EVENT_TYPES))}, a first word such as rollout, or * for all; may "
    "be given several times.",
    shell_complete=event_types,
)
@click.option("--plain-http", is_flag=True, help="Allow an address without TLS: whoever is on the way reads all of it.")
@_secret_option
@json_option
def add_command(
    context: Context,
    url: str,
    name: str,
    events: tuple[str, ...],
    plain_http: bool,
    secret_file: Path | None,
    as_json: bool,
) -> None:
    """Have the running server send what happens from now on to URL, and print the secret that signs it.

    Without an answer of 200 to 299 it is sent again, for three days. It may come twice, with the same webhook-id; in
    which order is not promised. docs/webhooks.md lists the types, and shows how a receiver verifies them.

    \b
    Example:
      seed-server webhook add https://chat.example.com/hooks/7 --name chat --events rollout --events approval.needed
    """
    made = webhook_operations.add_webhook(
        context, actor_of(context), name, url, events=events, plain_http=plain_http, secret=_given(secret_file)
    )
    _show_secret(made, as_json=as_json)


@webhook_group.command("list", cls=LookingCommand, short_help="List the webhooks.")
@_home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the webhooks without their secrets, by name.

    \b
    Example:
      seed-server webhook list --json | jq -r '.[] | select(.failing_since) | .name'
    """
    found = webhook_queries.read_webhooks(context)
    if as_json:
        print_json([webhook_documents.webhook_document(one) for one in found])
    elif found:
        wide_terminal().print(webhook_views.webhooks_table(found))
    else:
        say("No webhooks. Set one up with: seed-server webhook add")


@webhook_group.command("show", cls=LookingCommand, short_help="Show one webhook, and how it does.")
@_home_option
@_name_argument
@json_option
def show_command(context: Context, name: str, as_json: bool) -> None:
    """Show a webhook, and how it does.

    \b
    Example:
      seed-server webhook show chat
    """
    found = webhook_queries.read_webhook(context, name)
    if as_json:
        print_json(webhook_documents.webhook_document(found))
    else:
        click.echo("\n".join(webhook_views.webhook_lines(found)))


@webhook_group.command("test", short_help="Have the server send it an event that says only that it works.")
@_home_option
@_name_argument
@json_option
def test_command(context: Context, name: str, as_json: bool) -> None:
    """Have the running server send a webhook the event webhook.ping, and say what came of it.

    Ends with 1 where the receiver did not take it within half a minute.

    \b
    Example:
      seed-server webhook test chat
    """
    number = webhook_operations.ping_webhook(context, actor_of(context), name)
    found = _outcome_of(context, number, name)
    if as_json:
        print_json(webhook_documents.delivery_document(found))
    elif not found.delivery.attempts:
        say("It is not sent yet: is the server running? It is sent as soon as it runs.")
    else:
        click.echo(f"{name}: {outcome_words(found.delivery)}")
    if found.delivery.state != "sent":
        raise SystemExit(ExitCode.FAILED)


@webhook_group.command("rotate-secret", short_help="Give a webhook another secret; print it.")
@_home_option
@_name_argument
@click.option("--at-once", is_flag=True, help="The former one signs no more: somebody else may have it.")
@_secret_option
@json_option
def rotate_command(context: Context, name: str, at_once: bool, secret_file: Path | None, as_json: bool) -> None:
    """Give a webhook another secret, and print it. For 24 hours both sign, so that the receiver can change over.

    \b
    Example:
      seed-server webhook rotate-secret chat
    """
    made = webhook_operations.rotate_secret(
        context, actor_of(context), name, secret=_given(secret_file), at_once=at_once
    )
    _show_secret(made, as_json=as_json)


@webhook_group.command("pause", short_help="Send a webhook nothing until it is resumed.")
@_home_option
@_name_argument
@json_option
def pause_command(context: Context, name: str, as_json: bool) -> None:
    """Send a webhook nothing until it is resumed; what happens meanwhile is kept for it.

    \b
    Example:
      seed-server webhook pause chat
    """
    webhook_operations.pause_webhook(context, actor_of(context), name)
    if as_json:
        print_json(webhook_documents.webhook_document(webhook_queries.read_webhook(context, name)))
    else:
        click.echo(tr("The webhook {name} is paused.", name=name))


@webhook_group.command("resume", short_help="Go on with a webhook that is stopped.")
@_home_option
@_name_argument
@click.option("--from-now", is_flag=True, help="Leave out what has happened since it was stopped.")
@json_option
def resume_command(context: Context, name: str, from_now: bool, as_json: bool) -> None:
    """Go on with a webhook that was paused, or whose receiver had said that it is gone: with all that happened since.

    \b
    Example:
      seed-server webhook resume chat
    """
    webhook_operations.resume_webhook(context, actor_of(context), name, from_now=from_now)
    if as_json:
        print_json(webhook_documents.webhook_document(webhook_queries.read_webhook(context, name)))
    else:
        click.echo(tr("The webhook {name} goes on.", name=name))


@webhook_group.command("remove", short_help="Remove a webhook.")
@_home_option
@_name_argument
@json_option
def remove_command(context: Context, name: str, as_json: bool) -> None:
    """Remove a webhook, with all that it was sent or was to be sent.

    \b
    Example:
      seed-server webhook remove chat
    """
    webhook_operations.remove_webhook(context, actor_of(context), name)
    if as_json:
        print_json(WebhookNameDocument(name=name))
    else:
        click.echo(tr("The webhook {name} is removed.", name=name))


_limit_option = click.option(
    "--limit",
    type=click.IntRange(1, MOST_DELIVERIES),
    default=50,
    show_default=True,
    metavar="N",
    help="How many at most.",
)
_before_option = click.option(
    "--before", type=click.IntRange(1, 1 << 31), metavar="NUMBER", help="Only those before this one: the next page."
)


@webhook_group.command("deliveries", cls=LookingCommand, short_help="List what a webhook was sent, or is to be sent.")
@_home_option
@_name_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(DELIVERY_STATES),
    help="Only these; may be given several times.",
)
@_limit_option
@_before_option
@json_option
def deliveries_command(
    context: Context, name: str, states: tuple[str, ...], limit: int, before: int | None, as_json: bool
) -> None:
    """List what a webhook was sent, or is to be sent, the newest first. What has ended is kept for 30 days.

    \b
    Example:
      seed-server webhook deliveries chat --state waiting
    """
    _show_deliveries(context, name, states or DELIVERY_STATES, limit, before, as_json=as_json)


@webhook_group.command("dead", cls=LookingCommand, short_help="List what was given up.")
@_home_option
@click.option("--name", metavar="NAME", help="Only of this webhook.", shell_complete=webhook_names)
@_limit_option
@_before_option
@json_option
def dead_command(context: Context, name: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """List what was given up, after three days of attempts, the newest first.

    \b
    Example:
      seed-server webhook dead && seed-server webhook redeliver chat --dead
    """
    _show_deliveries(context, name, ("dead",), limit, before, as_json=as_json)


@webhook_group.command("redeliver", short_help="Send something once more.")
@_home_option
@_name_argument
@click.argument("numbers", metavar="[DELIVERY]...", nargs=-1, type=click.IntRange(1, 1 << 31))
@click.option("--dead", is_flag=True, help="All that was given up.")
@json_option
def redeliver_command(context: Context, name: str, numbers: tuple[int, ...], dead: bool, as_json: bool) -> None:
    """Send deliveries of a webhook once more, with the same webhook-id: those named, or all that are dead.

    \b
    Examples:
      seed-server webhook redeliver chat 17 18        'seed-server webhook deliveries chat' lists them
      seed-server webhook redeliver chat --dead
    """
    if dead is bool(numbers):
        raise click.UsageError("Name deliveries, or give --dead.")
    found = webhook_operations.redeliver(context, actor_of(context), name, None if dead else numbers)
    if as_json:
        print_json(RedeliveredDocument(webhook=name, deliveries=found))
    else:
        click.echo(tr("To be sent once more: {number}", number=found))


def _given(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return read_capped(file, MAX_SECRET_FILE_BYTES).decode("ascii").strip()
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}.", FaultKind.BAD_INPUT) from error
    except (FileTooLargeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} holds no secret of a webhook: {error}", FaultKind.BAD_INPUT) from error


def _show_secret(made: WebhookMade, *, as_json: bool) -> None:
    if as_json:
        print_json(webhook_documents.made_document(made))
    else:
        click.echo(made.secret)


def _outcome_of(context: Context, number: int, name: str, seconds: float = TRIAL_SECONDS) -> DeliveryView:
    """Return a delivery as soon as it was tried, or as it is after ``seconds``."""
    ends = context.clock.monotonic() + (seconds if is_serving(context.home) else 0.0)
    while True:
        row = webhook_queries.read_delivery(context, number)
        if row is None:
            raise UserError(f"The webhook {name} was removed meanwhile.", FaultKind.FAILED)
        if row.attempts or context.clock.monotonic() >= ends:
            return DeliveryView(row, name)
        trio.run(trio.sleep, TRIAL_LOOK_SECONDS)


def _show_deliveries(
    context: Context, name: str | None, states: tuple[str, ...], limit: int, before: int | None, *, as_json: bool
) -> None:
    found = webhook_queries.read_deliveries(context, name, states=states, most=limit, before=before)
    more = found[-1].delivery.number if len(found) == limit else None
    if as_json:
        print_json(WebhookDeliveriesDocument(tuple(map(webhook_documents.delivery_document, found)), more))
    elif found:
        wide_terminal().print(webhook_views.deliveries_table(found))
        if more is not None:
            click.echo(tr("There may be more: --before {number}", number=more))
    else:
        say("There is no such delivery.")
