"""`seed-server withdraw`, `seed-server offer` and `seed-server list`: what PCs are offered now."""

from typing import Any

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.offer_documents import listed_document, taken_back_document, withdrawn_document
from seed_server.answers.offers import OfferDocument, WithdrawDocument
from seed_server.commands.completing import patch_names, site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import (
    actor_of,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.signing_commands import show_prepared
from seed_server.commands.texts import utc_minute
from seed_server.fleet import operations, preparing, queries, rolling_back, taking_back
from seed_server.fleet.context import Context
from seed_server.fleet.operations import Withdrawn
from seed_server.fleet.taking_back import TakenBack
from seed_server.fleet.way_back import read_ways_back
from seed_server.reporting.rollout_sentences import way_back_words
from seed_server.signing.offers import Offer

_STATE_STYLES = {"offered": "green", "withdrawn": "red", "superseded": "dim"}


@click.command("withdraw")
@home_option
@click.argument("patch", metavar="PATCH[@VERSION]", shell_complete=patch_names)
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line; every PC shows it.")
@click.option(
    "--for-good",
    is_flag=True,
    help="Sign it with the offline key too: only a new publication is installed from then on.",
)
@click.option(
    "--roll-back",
    is_flag=True,
    help="Where it is installed, go back by its recipe's way, and withdraw it for good; needs the offline key.",
)
@click.option("--ring", metavar="NAME", help="Only from this ring of its rollout, and those after it.")
@click.option("--site", metavar="SITE", help="Only at this site.", shell_complete=site_names)
@offline_option
@passphrase_option
@prepare_option
@json_option
def withdraw_command(
    context: Context,
    patch: str,
    reason: str,
    for_good: bool,
    ring: str | None,
    site: str | None,
    as_json: bool,
    **signing: Any,
) -> None:
    """Offer PATCH to nobody any more. Connected PCs stop fetching it within seconds, begin no installation of it, and
    remove its file; the others do so as soon as they are back. What is being installed comes to its end; where it is
    installed, it stays.

    \b
    Examples:
      seed-server withdraw acme --reason "crashes on start"
          at once, without the offline keys; 'seed-server offer acme' takes it back, or, where it was offered by
          rings, 'seed-server rollout start acme'
      seed-server withdraw acme --reason "crashes on start" --for-good --offline-keys /media/safe/offline
          nobody can offer it again, not even with this server's keys
      seed-server withdraw acme --reason "crashes on start" --prepare acme.bundle
          the same, signed on another machine; withdraw it at once before that

      seed-server withdraw acme --reason "no printing" --ring broad
          that ring and those after it are closed; 'seed-server rollout resume' opens them again
      seed-server withdraw acme --reason "loses data" --roll-back --offline-keys /media/safe/offline
          PCs that have installed it go back; a newer publication answers it
      seed-server withdraw acme --reason "loses data" --roll-back --ring broad --prepare back.bundle
          only PCs of that ring and those after it; signed on another machine
      seed-server withdraw acme --reason "no printing" --site tokyo
          only there; 'seed-server offer acme --site tokyo' takes it back

    To bring PCs back to the version before, publish that again with --downgrade.
    """
    offline_keys, passphrase, prepare = (signing[name] for name in ("offline_keys", "passphrase", "prepare"))
    if signing["roll_back"]:
        if for_good or (ring is not None and site is not None):
            raise click.UsageError(
                "--roll-back is for all PCs, or with --site or --ring; for all, it withdraws for good by itself."
            )
        if prepare is not None:
            bundle = preparing.prepare_roll_back(
                context, actor_of(context), patch, reason, prepare, site=site, ring=ring
            )  # fmt: skip
            show_prepared(bundle, prepare, as_json=as_json)
            return
        patches_key = offline_keys_of(context, offline_keys, passphrase, "patches")
        taken = rolling_back.roll_back(context, actor_of(context), patch, reason, patches_key, site=site, ring=ring)
        _show_roll_back(taken, site, as_json=as_json)
        return
    if ring is not None or site is not None:
        if for_good or prepare or offline_keys or passphrase or (ring is not None and site is not None):
            raise click.UsageError("Give --ring or --site alone; what they say can be taken back, and needs no key.")
        _withdraw_from_some(context, patch, reason, ring, site, as_json=as_json)
        return
    if prepare is not None:
        bundle = preparing.prepare_withdrawal(context, actor_of(context), patch, reason, prepare)
        show_prepared(bundle, prepare, as_json=as_json)
        return
    if not for_good and (offline_keys is not None or passphrase is not None):
        raise click.UsageError("--offline-keys and --passphrase-file are used with --for-good only.")
    keys = offline_keys_of(context, offline_keys, passphrase, "patches") if for_good else None
    withdrawn = operations.withdraw(context, actor_of(context), patch, reason, keys)
    if as_json:
        print_json(withdrawn_document(withdrawn))
    else:
        _show_withdrawn(patch, withdrawn)


def _show_roll_back(taken: TakenBack, site: str | None, *, as_json: bool) -> None:
    if as_json:
        document = WithdrawDocument(
            patches=tuple(map(str, taken.patches)),
            reason=taken.reason,
            for_good=site is None and not taken.rings,
            required_by=(),
            rollout=taken.rollout,
            rings=taken.rings,
            site=site,
            rolls_back=True,
        )
        print_json(document)
        return
    patch = taken.patches[0]
    if taken.rings:
        say(f"PCs of these rings go back from {patch} where its recipe has a way: {', '.join(taken.rings)}.")
    else:
        say(
            f"{patch} is withdrawn, and PCs that have installed it go back where its recipe has a way."
            if site is None
            else f"{patch} is withdrawn at {site}, and PCs that have installed it go back where its recipe has a way."
        )
    if taken.rollout is not None:
        say(f"Rollout {taken.rollout} is paused; rings before go on. These stay closed until a newer publication.")
    say(f"How far they are: seed-server status {patch}")


def _withdraw_from_some(
    context: Context, patch: str, reason: str, ring: str | None, site: str | None, *, as_json: bool
) -> None:
    actor = actor_of(context)
    if ring is not None:
        taken = taking_back.withdraw_from_ring(context, actor, patch, ring, reason)
    else:
        taken = taking_back.withdraw_from_site(context, actor, patch, site or "", reason)
    patches = ", ".join(map(str, taken.patches))
    if as_json:
        print_json(taken_back_document(taken, site))
    elif taken.rollout is not None:
        say(f"{patches} is withdrawn from: {', '.join(taken.rings)}. Where it is installed, it stays.")
        say(f"Rollout {taken.rollout} is paused. It goes on with: seed-server rollout resume {taken.rollout}")
    else:
        say(f"{patches} is withdrawn at {site}. Where it is installed, it stays.")
        say(f"It is offered there again with: seed-server offer {patch} --site {site}")


def _show_withdrawn(patch: str, withdrawn: Withdrawn) -> None:
    patches = ", ".join(map(str, withdrawn.patches)) or patch
    if withdrawn.for_good:
        say(f"{patches} is withdrawn for good. Where it is installed, it stays.")
    else:
        say(f"{patches} is withdrawn. Where it is installed, it stays.")
    if withdrawn.dependents:
        say(f"Waiting for it, where it is not installed: {', '.join(map(str, withdrawn.dependents))}.")
    if not withdrawn.for_good:
        say(
            f"Until 'seed-server withdraw {patch} --reason TEXT --for-good', it can be offered again by whoever has "
            "this server."
        )


@click.command("offer")
@home_option
@click.argument("patch", metavar="PATCH[@VERSION]", shell_complete=patch_names)
@click.option("--site", metavar="SITE", help="At this site, where alone it was withdrawn.", shell_complete=site_names)
@json_option
def offer_command(context: Context, patch: str, site: str | None, as_json: bool) -> None:
    """Offer PATCH again, which was withdrawn. PCs that had a part of it fetch it anew.

    \b
    Example:
      seed-server offer acme

    What was withdrawn for good, or replaced by a newer publication, must be published again. What was offered by rings
    begins anew with 'seed-server rollout start'.
    """
    if site is None:
        back = operations.offer(context, actor_of(context), patch)
    else:
        back = taking_back.offer_at_site(context, actor_of(context), patch, site)
    if as_json:
        print_json(OfferDocument(patches=tuple(map(str, back))))
    elif site is None:
        say(f"{', '.join(map(str, back))} is offered again.")
    else:
        say(f"{', '.join(map(str, back))} is offered at {site} again.")


@click.command("list", cls=LookingCommand)
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """Show each patch that is published: whether PCs are offered it, and why not.

    \b
    Examples:
      seed-server list
      seed-server list --json | jq -r '.[] | select(.state == "withdrawn") | .reason'

    Of each id, the last two publications are known. 'seed-server status' says how far PCs are.
    """
    offers, back = queries.read_offers(context), read_ways_back(context)
    sites = taking_back.read_site_withdrawals(context)
    if as_json:
        print_json(
            [
                listed_document(one, back.get(ref), sites.get(ref, {}))
                for one, ref in ((one, one.manifest.ref) for one in offers)
            ]
        )
        return
    if not offers:
        say("No patches yet. Publish one with: seed-server publish FILE --patch-id ID --version V")
        return
    table = FactTable()
    table.column(tr("patch"), tr("version"), least=NAME_CELLS, folds=True)
    table.column(tr("state"), tr("severity"))
    table.sentences(tr("note"))
    words = {"offered": tr("offered"), "withdrawn": tr("withdrawn"), "superseded": tr("superseded")}
    for offer in offers:
        manifest = offer.manifest
        severity = tr("an emergency") if manifest.schedule.emergency else in_words(manifest.severity)
        state = Text(words[offer.state], style=_STATE_STYLES[offer.state])
        at_sites = [
            tr("withdrawn at {site}: {reason}", site=site, reason=printable(reason))
            for site, reason in sites.get(manifest.ref, {}).items()
        ]
        note = "; ".join(filter(None, (_note(offer), way_back_words(back.get(manifest.ref)), *at_sites)))
        below = Text.assemble((f"{manifest.patch_id} {manifest.version}: ", "bold"), note) if note else None
        table.row(manifest.patch_id, manifest.version, state, severity, sentences=[Text(note)], below=below)
    wide_terminal().print(table)


def _note(offer: Offer) -> str:
    parts = []
    if offer.withdrawal is not None:
        parts.append(f"{utc_minute(offer.withdrawal.at)}: {printable(offer.withdrawal.reason)}")
    if offer.for_good:
        parts.append(tr("for good"))
    if offer.superseded_by is not None:
        parts.append(tr("by {patch}", patch=offer.superseded_by))
    return "; ".join(parts) or offer.manifest.title
