"""`seed-server sign`, `finish` and `prepared`: changes whose signatures come from other machines."""

import sys
from pathlib import Path

import click

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.answers.signed_documents import bundle_document
from seed_server.commands.options import actor_of, home_option, keys_in, passphrase_option
from seed_server.commands.progress import progress_bars
from seed_server.commands.rollout_starting import say_started
from seed_server.commands.texts import utc_minute
from seed_server.fleet import preparing, queries, rollout_queries
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_starting import start_published
from seed_server.signer.review import Review, open_review
from seed_server.signing.bundle import Bundle


@click.command("sign")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--keys", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The folder with your keys."
)
@click.option(
    "--payload",
    "payloads",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A file of the patch, to compare with what is signed; again for each.",
)
@click.option("--without-payload", is_flag=True, help="Sign although a file of the patch was not compared.")
@click.option(
    "--root", metavar="FILE", type=click.Path(path_type=Path), help="The root to trust, where DIR trusts none yet."
)
@click.option("--allow-changes", is_flag=True, help="Sign although more than additions is signed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@passphrase_option
def sign_command(
    bundle: Path,
    keys: Path,
    payloads: tuple[Path, ...],
    without_payload: bool,
    root: Path | None,
    allow_changes: bool,
    yes: bool,
    passphrase: bytes | None,
) -> None:
    """Show what BUNDLE would have signed, and sign it with the keys in DIR. Needs no server and no network.

    \b
    Examples:
      seed-server sign office.bundle --keys /media/safe/offline --payload office.msi
      seed-server sign renewal.bundle --keys /media/safe/offline

    BUNDLE is verified from the root that DIR trusts, and what it changes is shown. A line that begins with !! says
    that something that was signed before does not stay as it is. The signature is added to BUNDLE.
    """
    with progress_bars() as on_progress:
        review = open_review(
            bundle,
            keys,
            root=root,
            files=payloads,
            now=SystemClock().now(),
            on_bytes=lambda file, done, total: on_progress(file.name, done, total),
        )
    _show_review(review)
    if review.not_compared and not without_payload:
        names = ", ".join(printable(payload.file_name) for payload in review.not_compared)
        raise UserError(
            f"Not compared: {names}. Give each file with --payload FILE; with --without-payload you sign whatever the "
            "server has. Nothing was signed.",
            FaultKind.REFUSED,
        )
    if not review.only_adds and not allow_changes:
        raise UserError(
            "This does more than add (see the lines that begin with !!). If that is what you want, sign it with "
            "--allow-changes. Nothing was signed.",
            FaultKind.REFUSED,
        )
    if not yes:
        _confirm()
    checked = review.sign(keys_in(keys, passphrase, *review.key_names))
    for state in checked.signing:
        say(state.in_words())
    first = "the next signer; then, " if any(state.missing for state in checked.signing) else ""
    say(f"Signed. Next: {first}on the server: seed-server finish {bundle.name}")


def _show_review(review: Review) -> None:
    bundle = review.bundle
    say(f"Bundle {bundle.bundle_id}, verified from the root that {review.memory.folder} trusts.")
    said = f"{bundle.purpose}; by {bundle.prepared_by} on {bundle.server}, {utc_minute(bundle.prepared_at)}"
    say(f"The server says (not proven): {printable(said)}")
    say("What is signed:")
    for line in review.lines:
        say(f"  {line}")
    for payload in review.not_compared:
        say(f"!! not compared with a file here: {printable(payload.file_name)}")
    for note in review.notes:
        say(f"!! {note}")
    for state in review.checked.signing:
        say(f"So far: {state.in_words()}")


def _somebody_answers() -> bool:
    return sys.stdin.isatty()


def _confirm() -> None:
    if not _somebody_answers():
        raise UserError("Nobody can be asked here. Read the above, then sign with --yes.", FaultKind.USAGE)
    if not click.confirm("Sign this?", default=False):
        raise UserError("Nothing was signed.", FaultKind.FAILED)


@click.command("finish")
@home_option
@click.argument("bundle", type=click.Path(path_type=Path))
@json_option
def finish_command(context: Context, bundle: Path, as_json: bool) -> None:
    """Put in force what was prepared here and is signed in BUNDLE. Needs no offline key.

    \b
    Example:
      seed-server finish office.bundle
    """
    finish_bundle(context, bundle, as_json=as_json)


def finish_bundle(context: Context, bundle: Path, *, as_json: bool) -> None:
    """Finish a bundle, and print what is in force now. Raises `UserError`."""
    template = rollout_queries.template_for(context, None, rollout_queries.bundled_cvss(bundle))
    rings = template.template
    finished = preparing.finish(context, actor_of(context), bundle, offered=rings.at_once)
    started = (
        start_published(context, finished.payloads[0].ref, template, actor=actor_of(context))
        if finished.payloads
        else None
    )
    if as_json:
        print_json(bundle_document(finished.bundle, "finished"))
        return
    say(f"Done: {finished.bundle.purpose}")
    for payload in finished.payloads:
        say(f"  {payload.file_name}, SHA-256 {payload.sha256}")
    say_started(started)
    if finished.bundle.by_rings and rings.at_once:
        say(f"It is offered to nobody yet. Next: seed-server rollout start {finished.payloads[0].ref} --template NAME")


@click.command("prepared")
@home_option
@click.option("--drop", metavar="ID", help="Forget this bundle, and the files that wait with it.")
@json_option
def prepared_command(context: Context, drop: str | None, as_json: bool) -> None:
    """List the bundles that were prepared here and are neither finished nor dropped.

    \b
    Examples:
      seed-server prepared
      seed-server prepared --drop 0123456789abcdef
    """
    if drop is not None:
        say(f"Dropped: {preparing.drop_prepared(context, actor_of(context), drop).purpose}")
        return
    waiting = queries.read_prepared(context)
    if as_json:
        print_json([bundle_document(one.bundle, "outdated" if one.outdated else "waiting") for one in waiting])
    elif not waiting:
        say("Nothing waits for signatures.")
    for one in () if as_json else waiting:
        state = "outdated: prepare it again, and drop this" if one.outdated else "waits for signatures"
        at = utc_minute(one.bundle.prepared_at)
        say(f"{one.bundle.bundle_id}  {one.bundle.purpose}, by {one.bundle.prepared_by}, {at}: {state}")


def show_prepared(bundle: Bundle, path: Path, *, as_json: bool) -> None:
    """Print what was prepared, and what to do next."""
    if as_json:
        print_json(bundle_document(bundle, "waiting"))
        return
    say(f"Prepared {bundle.bundle_id}: {bundle.purpose}. Nothing is announced yet.")
    files = " --payload FILE" if any(name.endswith(".manifest") for name in bundle.documents) else ""
    say(f"Next, on the signer's machine: seed-server sign {path.name} --keys DIR{files}")
    say(f"Then here: seed-server finish {path}")
